"""What JupyterLab opens first in a sandbox: a page that says what was granted and how to work with it. Pure.

It is Markdown that JupyterLab renders and cleans; still, whatever anybody has written goes in as text alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.metadata import said
from catalog.web.texts import TEXTS, day, number, size
from policies.decide import misses

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from catalog.lab import Granted, Lab
    from catalog.lake import Served

PAGE = "/opt/datalab-start/Bienvenue.md"
"""Where a jail is handed it; serve.py copies it into the home, under the same name."""

_HERE = "Ce bac à sable n’a pas de réseau ; vous y voyez ce qui suit, et rien d’autre."
_SQL = (
    "Le noyau **SQL (lab)** fait de chaque cellule une requête. Ce qu’il advient de vos demandes s’écrit dans "
    "`outbox/answers.jsonl` ; ce que l’on vous apporte arrive dans `inbox/`."
)
_TABLES = 200
_COLUMNS = 60
_FREE = frozenset(" ,'’-()")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A granted edition: `until` is the first day on which no grant of it holds any more, None where one has no end."""

    dataset: str
    edition: str
    title: str
    publisher: str
    licence: str
    until: dt.date | None
    default: bool
    tables: tuple[tuple[str, Served], ...]


@dataclass(frozen=True)
class Room:
    """Bytes of the home that are taken, and that it can hold."""

    used: int
    size: int


def shown(
    lab: Lab, granted: Sequence[Granted], principals: frozenset[str], purpose: str | None, on: dt.date
) -> tuple[Shown, ...]:
    """What there is to say of each granted edition, in their order: the most detailed of a dataset last."""
    last = {one.dataset: one.edition for one in granted}
    found = []
    for one in granted:
        dataset, policy = lab.dataset(one.dataset), lab.policy(one.dataset)
        grants = () if policy is None else policy.grants
        holds = [
            grant.until
            for grant in grants
            if grant.edition == one.edition and not misses(grant, principals=principals, purpose=purpose, on=on)
        ]
        ends = [until for until in holds if until is not None]
        found.append(
            Shown(
                dataset=one.dataset,
                edition=one.edition,
                title=said(dataset.title),
                publisher=dataset.publisher.name,
                licence=dataset.licence,
                until=max(ends) if ends and len(ends) == len(holds) else None,
                default=last[one.dataset] == one.edition,
                tables=tuple(one.current.resources.items()),
            )
        )
    return tuple(found)


def start_page(user: str, purpose: str | None, editions: Iterable[Shown], room: Room | None, *, packages: bool) -> str:
    """The page, in French. `packages` says that pip reaches an index."""
    lines = [
        f"# Bienvenue, {text(user)}",
        "",
        f"Finalité déclarée : **{text(purpose or 'aucune')}**. {_HERE}",
        "",
        "```python",
        "import lab",
        "lab.datasets()                              # tout ce qui vous est accordé",
        'lab.sql("FROM datasets").df()               # en SQL, pour pandas ; .pl() pour Polars',
        'lab.release("table.csv", why="figure 3")    # demander à sortir un fichier',
        "```",
        "",
        _SQL,
        "",
        _packages(available=packages),
        "",
        *([] if room is None else [_room(room), ""]),
        "## Ce qui vous est accordé",
    ]
    left = _TABLES
    for one in editions:
        lines += ["", *_edition(one, left)]
        left -= len(one.tables)
    return "\n".join(lines) + "\n"


def text(written: str) -> str:
    """What somebody has written, as characters that are nothing in Markdown, HTML or TeX."""
    flat = " ".join(written.split())
    return "".join(char if char.isalnum() or char in _FREE else f"&#{ord(char)};" for char in flat)


def _edition(one: Shown, left: int) -> list[str]:
    until = "sans date de fin" if one.until is None else f"jusqu’au {text(day(one.until, 'fr'))} exclu"
    lines = [
        f"### {text(one.title)}",
        "",
        f"{text(one.publisher)} · licence {text(one.licence)} · édition {_code(one.edition)} · {until}",
    ]
    schema = one.dataset if one.default else f'"{one.dataset}@{one.edition}"'
    for name, served in one.tables[: max(0, left)]:
        rows = f"{text(number(served.rows, 'fr'))} {TEXTS['fr']['row_many']}"
        columns = [f"{_code(column.name)} {text(column.type)}" for column in served.columns[:_COLUMNS]]
        more = len(served.columns) - _COLUMNS
        columns += [f"… et {more} autres"] if more > 0 else []
        lines += ["", f"**{_code(f'{schema}.{name}')}**, {rows} : {' · '.join(columns)}"]
    hidden = len(one.tables) - max(0, left)
    if hidden > 0:
        lines += ["", f"… et {hidden} autres tables : `lab.datasets()`"]
    return lines


def _packages(*, available: bool) -> str:
    if available:
        return (
            "Un paquet Python manque ? `%pip install NOM` prend ceux que l’équipe a permis ; demandez-lui les autres."
        )
    return "Un paquet Python manque ? Il n’y a pas d’index ici : demandez-le à l’équipe, ou apportez-le par le sas."


def _room(room: Room) -> str:
    return f"Votre dossier : {text(size(room.used, 'fr'))} sur {text(size(room.size, 'fr'))} au démarrage."


def _code(written: str) -> str:
    return f"<code>{text(written)}</code>"
