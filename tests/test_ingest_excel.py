"""Spreadsheets: what Excel shows is what the lake has, or it is refused. The workbooks are written by hand."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

import pytest

SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet {SPACE}><numFmts count="1"><numFmt numFmtId="164" formatCode="00000"/></numFmts>'
    '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)
DATE, ZEROS = 1, 2


def cell(place: str, value: object) -> str:
    """One cell: text, a number, a (number, style), or the XML itself when it starts with `<`."""
    if isinstance(value, str) and value.startswith("<"):
        return value.replace("<c", f'<c r="{place}"', 1)
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    number, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


def workbook(*rows: list[object]) -> bytes:
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(cell(f"{'ABCDEFGH'[at]}{number}", value) for at, value in enumerate(row) if value is not None)
        lines.append(f'<row r="{number}">{cells}</row>')
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships {PACKAGE}><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {SPACE} xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="Feuil1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships {PACKAGE}>"
        f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/worksheets/sheet1.xml": f"<worksheet {SPACE}><sheetData>{''.join(lines)}</sheetData></worksheet>",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return content.getvalue()


def bring(folder, content, **resource):
    return folder.bring(content, name="data.xlsx", **resource)


def column(folder, *values: object) -> tuple[str, list]:
    receipt = bring(folder, workbook(["n", "v"], *([at, value] for at, value in enumerate(values))))
    return receipt["columns"][1]["type"], [row[1] for row in folder.rows()]


@pytest.mark.parametrize(
    ("values", "proven", "kept"),
    [
        ([1, 2], "integer", [1, 2]),
        ([1.5, 2], "decimal(18,1)", ["1.5", "2.0"]),
        (["01", "02"], "text", ["01", "02"]),
        (["1", "2"], "text", ["1", "2"]),
        ([(1001, ZEROS), (75056, ZEROS)], "text", ["01001", "75056"]),
        ([(45292, DATE), (45293, DATE)], "date", ["2024-01-01", "2024-01-02"]),
        ([(45292, DATE), (45293.5, DATE)], "timestamp", ["2024-01-01 00:00:00", "2024-01-02 12:00:00"]),
        ([1, '<c t="e"><v>#N/A</v></c>'], "text", ["1", "#N/A"]),
        (['<c t="b"><v>1</v></c>', '<c t="b"><v>0</v></c>'], "boolean", ["True", "False"]),
        ([1, "  "], "integer", [1, None]),
        (["<c><v>12345678901234567</v></c>", 2], "integer", [12345678901234567, 2]),
    ],
)
def test_a_column_is_what_excel_shows(folder, values, proven, kept):
    found, seen = column(folder, *values)
    assert found == proven
    assert [value if isinstance(value, int | None) and proven == "integer" else str(value) for value in seen] == kept


def test_a_formula_that_was_saved_without_its_value_rejects_its_row(folder):
    formula = "<c><f>A2*2</f></c>"
    receipt = bring(folder, workbook(["n", "v"], [1, 2], [2, formula], [3, 4]))
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)
    assert receipt["rejects"][0]["line"] == 3
    assert "B3: a formula that was saved without its value" in receipt["rejects"][0]["reason"]


def test_titles_are_passed_over_and_rejects_have_the_sheets_row(folder):
    content = workbook(["Subventions 2024"], [], ["n", "nom", "an"], [1, "a", 2024], ["x", "b", 2024], [3, "c", 2024])
    receipt = bring(folder, content, columns={"n": {"type": "integer"}})
    assert receipt["dialect"]["header_row"] == 3
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (5, "n: expected integer, found x")
    ]


def test_years_in_a_header_are_names(folder):
    receipt = bring(folder, workbook(["commune", "code", 2019, 2020], ["Paris", "75056", "a", "b"]))
    assert [one["name"] for one in receipt["columns"]] == ["commune", "code", "2019", "2020"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (workbook(["id", "nom", None, None, None], [1, "a", 2, 3, 4], [2, "b", 3, 4, 5]), "declare header_row"),
        (workbook([1, 2], [3, 4]), "row 1 has no text, so it is no header"),
        (workbook(["a", "b"], [1, 2]).replace(b"Feuil1", b"Feuil2"), "cannot be read as a spreadsheet"),
        (b"a;b\n1;2\n", "cannot be read as a spreadsheet"),
        (workbook(["a", "b"], [1, '<c></c><c r="A2"><v>2</v></c>']), "stands twice"),
    ],
)
def test_a_sheet_whose_header_or_form_is_in_doubt_is_refused(folder, content, said):
    assert said in bring(folder, content)


def test_a_cell_far_from_the_table_is_refused_before_it_fills_the_memory(folder):
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    content = io.BytesIO(workbook(["a", "b"], [1, 2]))
    changed = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", f"{far}</sheetData>".encode()))
    assert "1048576 rows by 16384 columns, too large" in bring(folder, changed.getvalue())


def test_a_declared_sheet_that_is_not_there_is_named_with_those_that_are(folder):
    assert "no table 'Feuille' in the file; did you mean 'Feuil1'" in bring(
        folder, workbook(["a", "b"], [1, 2]), read={"table": "Feuille"}
    )
