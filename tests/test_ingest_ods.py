"""OpenDocument spreadsheets: what LibreOffice shows is what the lake has, or it is refused. Written by hand."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from ingest.readers import ods as ods_reader
from ingest.readers import sheet as sheets

KIND = "application/vnd.oasis.opendocument.spreadsheet"
OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(
    [
        *(f'xmlns:{name}="{OASIS}:{name}:1.0"' for name in ("office", "table", "text")),
        'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"',
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"',
    ]
)
MANIFEST = (
    f'<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{KIND}"/></manifest:manifest>'
)
DOCTYPES = [
    '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>',
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
]


def cell(kind: str, value: object = "", shown: str = "", more: str = "") -> str:
    name = {"float": "value", "percentage": "value", "currency": "value"}.get(kind, f"{kind}-value")
    said = "" if kind == "string" else f' office:{name}="{value}"'
    inside = f"<text:p>{shown or value}</text:p>"
    return f'<table:table-cell office:value-type="{kind}"{said} {more}>{inside}</table:table-cell>'


def of(value: object) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, str):
        return value if value.startswith("<") else cell("string", value)
    return cell("float", value)


def row(*values: object, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(map(of, values))}</table:table-row>"


def table(*rows: str, name: str = "Feuille1") -> str:
    return f'<table:table table:name="{name}">{"".join(rows)}</table:table>'


def ods(*tables: str, before: str = "", manifest: str = MANIFEST) -> bytes:
    body = f"<office:body><office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body>"
    text = f"{before}<office:document-content {SPACES}>{body}</office:document-content>"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", KIND, zipfile.ZIP_STORED)
        book.writestr("META-INF/manifest.xml", manifest)
        book.writestr("content.xml", text)
    return content.getvalue()


def bring(folder, content, **resource):
    return folder.bring(content, name="data.ods", **resource)


def string(inside: str, more: str = "") -> str:
    return f'<table:table-cell office:value-type="string" {more}>{inside}</table:table-cell>'


SIGNS = "<text:p>a<text:s text:c='2'/>b<text:tab/>c<text:line-break/>d</text:p>"
SPANS = "<text:p>a <text:span>b</text:span> <text:a>c</text:a></text:p><text:p>d</text:p>"
NOTED = "<office:annotation><text:p>note</text:p></office:annotation><text:p>v</text:p>"
ERROR = 'calcext:value-type="error" office:string-value=""'


@pytest.mark.parametrize(
    ("values", "proven", "kept"),
    [
        ([1, 2], "integer", ["1", "2"]),
        ([0.30000000000000004, 1], "float", ["0.30000000000000004", "1.0"]),
        ([cell("float", 1001, "01001"), cell("float", 75056, "75056")], "text", ["01001", "75056"]),
        ([cell("float", "12345678901234567"), 1], "integer", ["12345678901234567", "1"]),
        ([cell("percentage", 0.25, "25 %"), cell("percentage", 1, "100 %")], "decimal(18,2)", ["0.25", "1.00"]),
        ([cell("currency", 12.5, "12,50 €"), cell("currency", 1, "1 €")], "decimal(18,1)", ["12.5", "1.0"]),
        ([cell("boolean", "true", "VRAI"), cell("boolean", "false", "FAUX")], "boolean", ["True", "False"]),
        ([cell("date", "2024-01-01"), cell("date", "1899-12-30")], "date", ["2024-01-01", "1899-12-30"]),
        (
            [cell("date", "2024-01-01"), cell("date", "2024-01-02T12:30:00")],
            "timestamp",
            ["2024-01-01 00:00:00", "2024-01-02 12:30:00"],
        ),
        ([cell("time", "PT08H30M00S"), cell("time", "PT23H00M00S")], "time", ["08:30:00", "23:00:00"]),
        ([cell("time", "PT26H30M00.5S"), cell("time", "-PT1H")], "text", ["26:30:00.5", "-01:00:00"]),
        (["01", "02"], "text", ["01", "02"]),
        (
            [string(SIGNS), "x"],
            "text",
            ["a  b\tc\nd", "x"],
        ),
        (
            [string(SPANS), "x"],
            "text",
            ["a b c\nd", "x"],
        ),
        ([string("<text:p>a&amp;<![CDATA[<b>]]></text:p>"), "x"], "text", ["a&<b>", "x"]),
        (
            [string(NOTED), "x"],
            "text",
            ["v", "x"],
        ),
        (["<table:table-cell><text:p>sans type</text:p></table:table-cell>", "x"], "text", ["sans type", "x"]),
        (["a", string("<text:p>#REF!</text:p>", ERROR)], "text", ["a", "#REF!"]),
        (["a", cell("float", 0, "Err:502")], "text", ["a", "Err:502"]),
        (["a", cell("float", 1e21, "###")], "text", ["a", "1e+21"]),
        ([1, "  "], "integer", ["1", "None"]),
    ],
)
def test_a_column_is_what_the_sheet_shows(folder, values, proven, kept):
    receipt = bring(folder, ods(table(row("n", "v"), *(row(at, value) for at, value in enumerate(values)))))
    assert (receipt["rows_in"], receipt["format"]) == (2, "ods")
    assert receipt["columns"][1]["type"] == proven
    assert [str(one[1]) for one in folder.rows()] == kept


def test_rows_and_cells_that_are_written_once_and_stand_often_are_all_read(folder):
    repeated = row(1, cell("float", 2, more='table:number-columns-repeated="2"'), more='table:number-rows-repeated="3"')
    receipt = bring(folder, ods(table(row("a", "b", "c"), repeated, row(4, 5, 6))))
    assert (receipt["rows_in"], folder.rows()) == (4, [(1, 2, 2)] * 3 + [(4, 5, 6)])


@pytest.mark.parametrize("often", ["1048574", "104857400000"])
def test_empty_rows_and_columns_to_the_end_of_the_sheet_say_nothing(folder, often):
    end = row(
        f'<table:table-cell table:number-columns-repeated="{often}"/>', more=f'table:number-rows-repeated="{often}"'
    )
    bring(folder, ods(table(row("a", "b"), row(1, 2), end)))
    assert folder.rows() == [(1, 2)]


def test_headings_groups_and_shapes_do_not_hide_rows(folder):
    heading = f"<table:table-header-rows>{row('a', 'b')}</table:table-header-rows>"
    shapes = (
        "<table:shapes><draw:frame><draw:text-box><text:p>dessin</text:p></draw:text-box></draw:frame></table:shapes>"
    )
    bring(folder, ods(table(shapes, heading, f"<table:table-row-group>{row(1, 2)}</table:table-row-group>", row(3, 4))))
    assert folder.rows() == [(1, 2), (3, 4)]


def test_a_formula_that_was_saved_without_its_value_rejects_its_row(folder):
    formula = '<table:table-cell table:formula="of:=[.A2]*2"/>'
    receipt = bring(folder, ods(table(row("n", "v"), row(1, 2), row(2, formula), row(3, 4))))
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)
    assert receipt["rejects"][0]["reason"].startswith("B3: a formula that was saved without its value")


def test_a_cell_merged_over_rows_stands_in_each(folder):
    merged = cell("string", "Normandie", more='table:number-rows-spanned="2"')
    bring(folder, ods(table(row("region", "n"), row(merged, 1), row("<table:covered-table-cell/>", 2))))
    assert folder.rows() == [("Normandie", 1), ("Normandie", 2)]


def test_titles_empty_columns_and_notes_are_no_data(folder):
    rows = [
        row("Titre"),
        row(),
        row(None, "n", "part"),
        row(None, 1, cell("percentage", 0.5)),
        row(),
        row(None, "note"),
    ]
    receipt = bring(folder, ods(table(*rows)))
    assert (receipt["dialect"]["header_row"], receipt["rows_in"], receipt["rows_out"]) == (3, 2, 1)
    assert receipt["dialect"]["percent"] == "0.25 is 25 % in part"
    assert receipt["rejects"][0]["line"] == 6


def test_every_sheet_is_a_table_but_the_empty_ones_are_not(folder):
    data = [table(row("a", "b"), row(at, 2), name=name) for at, name in enumerate(("un", "deux"))]
    content = ods(data[0], table(row(), name="vide"), data[1])
    assert "the file holds 2 tables: 'un', 'deux'" in bring(folder, content)
    receipt = bring(folder, ods(data[0], table(row(), row(None, "Source : Insee"), name="Notice")))
    assert (receipt["rows_out"], receipt["dialect"]["left_out"]) == (1, "Notice (one cell)")
    bring(folder, content, read={"table": "deux"})
    assert folder.rows() == [(1, 2)]


SPACY = f"<text:p><text:s text:c='{10**9}'/></text:p>"
FAR = '<table:table-cell table:number-columns-repeated="16383"/>'
ENCRYPTED = MANIFEST.replace("/></", "><manifest:encryption-data/></manifest:file-entry></")
ONES = row(1, more='table:number-rows-repeated="1048576"')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ods(manifest=ENCRYPTED), "the workbook is encrypted; save it without a password"),
        *((ods(table(row("a"), row(1)), before=doctype), "declares a document type") for doctype in DOCTYPES),
        (ods(table(row("a"), row(FAR, 1, more='table:number-rows-repeated="1000000"'))), "too large to be read"),
        (ods(table(row(1, more='table:number-rows-repeated="5000000000"'))), "row 5000000000"),
        (ods(table(row(cell("float", 1, more='table:number-columns-repeated="5000000000"')))), "beyond column 16384"),
        (ods(*(table(ONES, name=str(at)) for at in range(20))), "its sheets have more than"),
        (ods(table(row("a", cell("float", "abc")))), "cannot be read as a spreadsheet"),
        (ods(table(row("a"), row(f"<table:table-cell>{table(row(1))}</table:table-cell>"))), "a cell of another"),
        (ods(table(row("a")), table(row("b"))), "two sheets are called 'Feuille1'"),
        (
            ods(table(row("a", "b"), row(string(SPACY)))),
            "a cell holds more than",
        ),
        (ods(table(row())), "no sheet of the workbook has any cell"),
        (ods(table(row("a", "b"), row(1, 2)))[:-100], "cut or damaged"),
    ],
)
def test_what_is_hostile_encrypted_or_damaged_is_refused(folder, content, said):
    error = bring(folder, content)
    assert said in error
    assert "data.ods" in error


def test_an_ods_with_a_tag_a_line_is_read_as_one_without_white_space(folder, monkeypatch):
    monkeypatch.setattr(ods_reader, "_CHUNK", 7)
    cells = [row("n", "v"), row(1, string(SIGNS)), row(None, string(SPANS)), row(3, string("<text:p> a <b/></text:p>"))]
    plain = table(*cells, row(4, string("<text:p>x</text:p><text:p/>", 'table:number-columns-spanned="1"')))
    bring(folder, ods(plain))
    before = folder.rows()
    bring(folder, ods(re.sub("(?=</?table:|<text:p[ >/])", "\n\t ", plain)))
    assert folder.rows() == before
    assert [one for one, _ in before] == [1, None, 3, 4]


def test_an_ods_is_read_as_what_it_is_whatever_its_name(folder):
    content = ods(table(row("a", "b"), row(1, 2)))
    assert folder.bring(content, name="data.xls")["format"] == "ods"


@pytest.mark.parametrize("repeated", ["rows", "columns"])
def test_a_text_that_repeats_until_it_fills_the_memory_is_refused(folder, monkeypatch, repeated):
    more = f'table:number-{repeated}-repeated="20"'
    text = cell("string", "x" * 900, more=more if repeated == "columns" else "")
    names = [f"n{at}" for at in range(20 if repeated == "columns" else 1)]
    content = ods(table(row(*names, "z"), row(text, "y", more=more if repeated == "rows" else "")))
    assert bring(folder, content)["rows_in"] == (20 if repeated == "rows" else 1)
    monkeypatch.setattr(sheets, "_MAX_SIGNS", 17_999)
    assert "repeat long texts, to more than 17,999 signs" in bring(folder, content)
