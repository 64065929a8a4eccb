"""What stands in a column of numbers or dates where there is none: missing, secret, not applicable, or a cell's error.

Such a marker is information (statistical secrecy is not a missing value), so it is kept in a column beside.
"""

from __future__ import annotations

from policies.editions import literal

SUFFIX = "_marker"
"""What the name of the column that keeps a column's markers ends with."""

KNOWN = frozenset(
    [
        "nc",
        "n.c.",
        "n.c",
        "nd",
        "n.d.",
        "n.d",
        "na",
        "n.a.",
        "n.a",
        "n/a",
        "n/d",
        "#n/a",
        "#n/d",
        "nr",
        "n.r.",
        "n.r",
        "ns",
        "n.s.",
        "n.s",
        "nsp",
        "s",
        "s.",
        "ss",
        "c",
        "so",
        "s.o.",
        "s/o",
        "secret",
        "confidentiel",
        "inconnu",
        "inconnue",
        "indisponible",
        "indéterminé",
        "néant",
        "null",
        "none",
        "nan",
        "nil",
        "void",
        "vide",
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "…",
        "/",
        "//",
        "?",
        "??",
        "*",
        "**",
        ":",
        "_",
        "#",
        "#div/0!",
        "#value!",
        "#ref!",
        "#name?",
        "#num!",
        "#null!",
        "#valeur!",
        "#nom?",
        "#nombre!",
        "#nul!",
        "err:502",
        "err:503",
        "err:504",
        "err:508",
        "err:511",
        "err:522",
    ]
) | {
    "non communiqué",
    "non communiquée",
    "non concerné",
    "non concernée",
    "non connu",
    "non déterminé",
    "non disponible",
    "non diffusable",
    "non défini",
    "non renseigné",
    "non renseignée",
    "non significatif",
    "sans objet",
    "secret statistique",
    "not available",
    "no data",
}
"""The markers of INSEE and of offices, and what spreadsheets write for errors, in small letters."""


LONGEST = max(map(len, KNOWN))


def is_marker(value: str, declared: tuple[str, ...] | None) -> bool:
    """Whether a bare value is a marker: one of those declared, or, where none are, a known one."""
    return value.lower() in KNOWN if declared is None else value in declared


def is_marked(bare: str, markers: tuple[str, ...]) -> str:
    """SQL: the text `bare`, which has no white space around it, is one of these markers."""
    return f"{bare} IN ({', '.join(literal(one) for one in markers)})" if markers else "false"
