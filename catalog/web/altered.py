"""What an edition does to a column, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.web.texts import TEXTS
from policies.editions.generalisation import Bands, Rounding, Width
from policies.editions.grid import Grid

if TYPE_CHECKING:
    from catalog.metadata import Lang
    from policies.editions import EditionTable


def altered(name: str, kept: EditionTable | None, lang: Lang) -> str | None:
    """What the edition does to the column that it calls `name`; None where it is as the source has it."""
    if kept is None or name not in kept.sources:
        return None
    texts, column = TEXTS[lang], kept.sources[name]
    said = [texts["pseudonymised"]] if column in kept.pseudonymise else []
    if column in kept.top:
        said.append(texts["cut_top"].format(bound=f"{kept.top[column]:g}"))
    if column in kept.bottom:
        said.append(texts["cut_bottom"].format(bound=f"{kept.bottom[column]:g}"))
    if column in kept.coarsened:
        said.append(texts["generalised"].format(how=_coarser(kept, column, lang)))
    if kept.cells is not None and column in kept.cells.hidden:
        said.append(texts["cells_hidden"].format(least=kept.cells.at_least))
    return ", ".join(said) or None


def _coarser(kept: EditionTable, column: str, lang: Lang) -> str:
    texts, rule = TEXTS[lang], kept.generalise.get(column)
    if isinstance(rule, str):
        return texts[f"by_{rule}"]
    if isinstance(rule, Rounding):
        return texts["by_step"].format(step=f"{rule.step:g}")
    if isinstance(rule, Bands | Width):
        return texts["by_bands"]
    grids = (how.grid for how in kept.generalise.values() if isinstance(how, Grid) and how.latitude == column)
    return texts["by_grid"].format(metres=f"{rule.grid if rule is not None else next(grids):g}")
