"""A table polluted in each way that offices know: it is read right, or what is not is said, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_ingest_dialects import desk, read, write  # noqa: F401  desk is a fixture

from catalog.model import Reading
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HEADER = ["jour", "ville", "montant", "note"]
ROWS = [
    ["2024-01-02", "Le Havre, centre", "12.50", "payé"],
    ["2024-01-03", "Évreux", "7.00", 'dit "x"'],
    ["2024-01-04", "Saint-Lô", "120.25", "à voir"],
    ["2024-01-05", "Caen, nord", "3.10", "en deux\nlignes"],
    ["2024-01-06", "Rouen", "44.00", "rien"],
    ["2024-01-07", "Dieppe", "9.90", "payé"],
]
TABLE = [HEADER, *ROWS]
DECIMALS = [[*row[:2], row[2].replace(".", ","), row[3]] for row in ROWS]
Case = tuple[str, str]
"""What was done where, and the text that came of it."""


def parted(rows: list[list[str]], delimiter: str = ",", quote: str = '"', *, all_quoted: bool = False) -> str:
    return write(rows, (delimiter, quote, quote, "\n"), all_quoted=all_quoted, final=True)


def lines() -> list[str]:
    return [parted([row]).removesuffix("\n") for row in TABLE]


def replaced(at: int, *by: str) -> str:
    """The table with other lines in the place of one."""
    return "\n".join([*lines()[:at], *by, *lines()[at + 1 :]]) + "\n"


def cell(row: int, place: int, text: str) -> str:
    """The table with one cell written so, beside others within quotes."""
    cells = [f'"{one.replace(chr(34), chr(34) * 2)}"' for one in TABLE[row]]
    cells[place] = text
    return replaced(row, ",".join(cells))


def line_ends() -> Iterator[Case]:
    for end in ("\r", "\r\n"):
        yield f"all {end!r}", "".join(line + end for line in lines())
        for at in range(len(TABLE)):
            yield f"{end!r} at {at}", "".join(line + (end if row == at else "\n") for row, line in enumerate(lines()))
    yield "none at the end", parted(TABLE).removesuffix("\n")
    yield "many at the end", parted(TABLE) + "\n\n\n"


def blank_rows() -> Iterator[Case]:
    for at in range(len(TABLE)):
        yield f"above {at}", replaced(at, "", lines()[at])
        yield f"blanks above {at}", replaced(at, "   ", lines()[at])


def headers() -> Iterator[Case]:
    yield "one row of it is enough", parted(TABLE)
    yield "two full rows", parted([[name.upper() for name in HEADER], *TABLE])
    yield "three rows", parted([["Groupe", "", "Autre", ""], [f"{name} s" for name in HEADER], *TABLE])
    yield "fewer names", parted([HEADER[:-1], *ROWS])
    yield "more names", parted([[*HEADER, "x"], *ROWS])
    yield "one name", parted([["jour"], *ROWS])
    yield "again", parted([*TABLE, HEADER])
    yield "a row alone", parted(ROWS[1:2])
    for sign in ";\t| :~^":
        yield f"parted by {sign!r}", parted([HEADER], sign) + parted(ROWS)


def ragged_rows() -> Iterator[Case]:
    for at in range(1, len(TABLE)):
        for place in range(len(HEADER) + 1):
            for more in ("", "zz"):
                row = [*TABLE[at][:place], more, *TABLE[at][place:]]
                yield f"{more!r} more at {at}, {place}", replaced(at, parted([row]).removesuffix("\n"))
            row = [*TABLE[at][:place], *TABLE[at][place + 1 :]]
            yield f"less at {at}, {place}", replaced(at, parted([row]).removesuffix("\n"))
        for sign in ";\t| :":
            yield f"parted by {sign!r} at {at}", replaced(at, parted([TABLE[at]], sign).removesuffix("\n"))
        yield f"within quotes at {at}", replaced(at, '"' + lines()[at].replace('"', '""') + '"')


def quotes() -> Iterator[Case]:
    for at in range(len(TABLE)):
        for place, text in enumerate(TABLE[at]):
            if '"' in text or "\n" in text:
                continue
            for name, said in {
                "open": f'"{text}',
                "closed": f'{text}"',
                "doubled at the end": f'"{text}""',
                "doubled at the start": f'""{text}"',
                "after": f'"{text}"x',
                "within": f'"{text[:3]}"{text[3:]}"',
            }.items():
                yield f"{name} at {at}, {place}", cell(at, place, said)


def delimiters() -> Iterator[Case]:
    for sign in [*";\t| :~^#&/-_", "::", "||", ";;", ", ", " | ", " ; ", ",  ", " ,", ",\t", "\t,", "\\t", "\x01"]:
        for quoted in (False, True):
            yield f"{sign!r} quoted {quoted}", parted(TABLE, sign, all_quoted=quoted)
    for sign in "'`”«|":
        for quoted in (False, True):
            yield f"quote {sign!r} quoted {quoted}", parted(TABLE, quote=sign, all_quoted=quoted)
    yield (
        "each row within quotes",
        "".join('"' + line.replace('"', '""') + '"\n' for line in lines()),
    )


def decimal_commas() -> Iterator[Case]:
    for sign in [";", "\t", "|", "::", "||"]:
        yield repr(sign), parted([HEADER, *DECIMALS], sign)


def other_tables() -> Iterator[Case]:
    other = [["poids", "code", "age", "nom"], *([str(at), f"A{at}x", str(at * 3), "Paul"] for at in range(6))]
    for gap in ("", "\n", "\n\n"):
        yield f"as wide after {gap!r}", parted(TABLE) + gap + parted(other)
        yield f"narrower after {gap!r}", parted(TABLE) + gap + parted([row[:2] for row in other])
        yield f"wider after {gap!r}", parted(TABLE) + gap + parted([[*row, "x", "y"] for row in other])


def surroundings() -> Iterator[Case]:
    for above in ["Titre\n", "Titre\n\n", "Titre,,,\n", "a,b\n", "# vu\n", "\n\n", "Un titre, long\n", "sep=,\n"]:
        yield f"above {above!r}", above + parted(TABLE)
    for below in ["Total\n", "\nSource : INSEE\n", "* vu,,,\n", "fin", "Source: INSEE, 2020\n", "(6 lignes)\n"]:
        yield f"below {below!r}", parted(TABLE) + below
    for end in (",", ",,"):
        yield f"{end} after all rows", "".join(f"{line}{end}\n" for line in lines())
        yield f"{end} after rows of data", "".join(f"{line}{end * (at > 0)}\n" for at, line in enumerate(lines()))
        yield f"{end} after the names", "".join(f"{line}{end * (at == 0)}\n" for at, line in enumerate(lines()))


def plain(row: Sequence[str | None]) -> list[str]:
    """The cells without quotes, which a broken one leaves in them."""
    return [(cell or "").replace('"', "").strip() for cell in row]


def is_said(found: tuple[list[str], list[tuple[str | None, ...]], int]) -> bool:
    """Whether the rows are those of the table in its order, as many rejected as are not there, and the names right.

    Names may be missing altogether, and one may be written otherwise. A last column without a name or a value is none.
    """
    names, rows, rejects = found
    if names[-1] == "" and not any(row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    alike = sum(one.strip() == other for one, other in zip(names, HEADER, strict=False))
    named = len(names) == len(HEADER) and (alike >= len(HEADER) - 1 or names == [f"column_{n}" for n in range(1, 5)])
    left = iter([plain(row) for row in [*ROWS, *DECIMALS]])
    return named and all(plain(row) in left for row in rows) and len(rows) + rejects >= len(ROWS)


WAYS: list[Callable[[], Iterator[Case]]] = [
    line_ends, blank_rows, headers, ragged_rows, quotes, delimiters, decimal_commas, other_tables, surroundings,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_polluted_table_is_read_right_or_what_is_not_is_said(desk, way):  # noqa: F811
    silent = {}
    for name, text in way():
        try:
            found = read(desk, text.encode(), Reading())
        except ReadingError:
            continue
        if not is_said(found):
            silent[name] = found
    assert silent == {}
