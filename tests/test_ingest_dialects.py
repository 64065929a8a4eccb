"""Any table, written in any dialect and encoding, reads back as it was: declared always, detected where it can be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.lake import StagedTable
from catalog.model import Reading
from ingest.desk import Desk, open_desk
from ingest.prove import prove
from ingest.readers.csv import read_csv
from ingest.settings import IngestSettings
from ingest.typings import Declared
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUNDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=250,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FRENCH = [
    "Le Havre", "Évreux", "Saint-Étienne-du-Rouvray", "Fécamp", "l’été dernier", "Mont-Saint-Aignan", "Bois-Guillaume",
    "Hôtel de Ville", "à la Région", "forêt", "père Noël", "français", "où", "créé", "Sotteville-lès-Rouen", "Caen",
]  # fmt: skip
ODD = ['dit "x"', '"', '""', "l'eau", "''", "a;b", "a,b", "a\tb", "a|b", "x\ny", "x\r\ny", "x\ry", " x", "x ", "  "]
PLAIN = ["", "01001", "007", "NULL", "NA", "NC", "-", "0", "12,50", "1.5", "2024-01-02", "#ref", "=A1", "a\\b", "\\"]
TEXTS = st.one_of(
    st.sampled_from([*FRENCH, *ODD, *PLAIN, '\\"', "c:\\x\\", "a\u2028b", "\ufeffx", "日本", "😀"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "cp1252",
    "iso8859_15",
    "mac_roman",
    "cp850",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("desk"), IngestSettings()) as made:
        yield made


def write(rows: list[list[str]], marks: tuple[str, str, str, str], *, all_quoted: bool, final: bool) -> str:
    """The rows as CSV, written by hand: Python's own writer leaves some texts unquoted that must not be."""
    delimiter, quote, escape, end = marks
    special = {delimiter, quote, "\r", "\n", *escape}

    def cell(text: str, *, alone: bool) -> str:
        inner = text.replace(escape, escape * 2) if escape != quote else text
        inner = inner.replace(quote, escape + quote)
        return f"{quote}{inner}{quote}" if all_quoted or alone or special & set(text) else inner

    lines = [delimiter.join(cell(text, alone=len(row) == 1 or not any(row)) for text in row) for row in rows]
    return end.join(lines) + end * final


def read(desk: Desk, content: bytes, reading: Reading) -> tuple[list[str], list[tuple[str | None, ...]], int]:
    """The names, the rows and how many rows were rejected, all as text."""
    path = desk.path("in.csv")
    path.write_bytes(content)
    (opened,) = read_csv(path, reading, desk).values()
    table = opened()
    out = desk.path("out.parquet")

    def stage(put: object) -> StagedTable:
        put(out)
        return StagedTable(out)

    proven = prove(table, {column.name: Declared("text") for column in table.columns}, stage, may_be_empty=True)
    rows = desk.con.execute(f"SELECT * FROM read_parquet('{out}')").fetchall()
    desk.clear()
    return [column.source_name for column in proven.columns], rows, len(proven.rejects)


def as_read(rows: list[list[str]]) -> list[tuple[str | None, ...]]:
    return [tuple(cell or None for cell in row) for row in rows]


@st.composite
def dialects(draw: st.DrawFn) -> tuple[tuple[str, str, str, str], bool, bool]:
    quote = draw(st.sampled_from("\"'"))
    marks = (
        draw(st.sampled_from(";,\t|")),
        quote,
        draw(st.sampled_from([quote, quote, "\\"])),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
    )
    return marks, draw(st.booleans()), draw(st.booleans())


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Any table, but for one whose last row may be a note below it."""
    width = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), max_size=8))
    return [*rows, ["fin"] * width]


@BOUNDED
@given(table=tables(), dialect=dialects(), encoding=st.sampled_from(ENCODINGS))
def test_a_declared_dialect_always_reads_back_what_was_written(desk, table, dialect, encoding):
    marks, all_quoted, final = dialect
    header = [f"c{number}" for number in range(len(table[0]))]
    body = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in table]
    body = [[cell.removeprefix("\ufeff") for cell in row] for row in body]
    content = write([header, *body], marks, all_quoted=all_quoted, final=final).encode(encoding)
    delimiter, quote, escape, _ = marks
    reading = Reading(delimiter=delimiter, quote=quote, escape=escape, encoding=encoding, header_row=1)
    assert read(desk, content, reading) == (header, as_read(body), 0)


@st.composite
def ordinary(draw: st.DrawFn) -> list[list[str]]:
    """A number, a code and some texts, as offices have them, of which a few are odd."""
    texts = draw(st.integers(1, 3))
    count = draw(st.integers(6, 15))
    odd = st.sampled_from([*FRENCH * 5, *PLAIN, *ODD])
    rows = []
    for number in range(count):
        code = f"{draw(st.integers(1, 95)):02}{draw(st.integers(0, 999)):03}"
        rows.append([str(number + 1), code, FRENCH[number % len(FRENCH)], *(draw(odd) for _ in range(texts))])
    return rows


@BOUNDED
@given(table=ordinary(), dialect=dialects(), encoding=st.sampled_from(ENCODINGS))
def test_a_detected_dialect_reads_back_an_ordinary_table_or_says_why_not(desk, table, dialect, encoding):
    marks, all_quoted, final = dialect
    if marks[2] == "\\":  # where no quote is escaped, nothing shows that a backslash is
        table = [[cell.replace("\\", "/") for cell in row] for row in table]
    header = ["n", "code", "ville", "texte", "autre", "note"][: len(table[0])]
    body = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in table]
    content = write([header, *body], marks, all_quoted=all_quoted, final=final).encode(encoding)
    try:
        names, rows, rejects = read(desk, content, Reading())
    except ReadingError:
        return
    assert len(rows) + rejects >= len(body)
    if rejects == 0:
        assert (names, rows) == (header, as_read(body))


def test_most_detected_dialects_are_right_without_any_reject(desk):
    table = [[str(n), f"76{n:03}", FRENCH[n % len(FRENCH)], FRENCH[-n % len(FRENCH)]] for n in range(1, 30)]
    header = ["n", "code", "ville", "texte"]
    for delimiter, quote, end, encoding, all_quoted in itertools.product(
        ";,\t|", "\"'", ["\n", "\r\n", "\r"], ["utf-8", "utf-16", "cp1252", "mac_roman", "cp850"], [True, False]
    ):
        text = write([header, *table], (delimiter, quote, quote, end), all_quoted=all_quoted, final=True)
        body = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in table]
        content = text.encode(encoding, "ignore")
        assert read(desk, content, Reading()) == (header, as_read(body), 0), (delimiter, quote, end, encoding)
