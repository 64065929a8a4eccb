"""Spreadsheets: what Excel shows is what the lake has, or it is refused. The workbooks are written by hand."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.readers import sheet as sheets
from ingest.readers.xlsx import Workbook

SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CODES = {
    164: "00000",
    165: "[h]:mm:ss",
    166: "h:mm",
    167: '[$-40C]dd" de "mmmm yyyy',
    168: '#,##0.00" day"',
    169: '0#" "##" "##" "##" "##',
}
IDS = [0, 14, 164, 165, 166, 167, 9, 168, 169]
NONE, DATE, ZEROS, SPAN, CLOCK, LONG_DATE, PERCENT, MONEY, PHONE = range(9)
STYLES = (
    f'<styleSheet {SPACE}><numFmts count="{len(CODES)}">'
    + "".join(
        f'<numFmt numFmtId="{one}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>' for one, code in CODES.items()
    )
    + f'</numFmts><cellXfs count="{len(IDS)}">'
    + "".join(f'<xf numFmtId="{one}"/>' for one in IDS)
    + "</cellXfs></styleSheet>"
)
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
XXE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def cell(place: str, value: object) -> str:
    """One cell: text, a number, a (number, style), or the XML itself when it starts with `<`."""
    if isinstance(value, str) and value.startswith("<"):
        return value.replace("<c", f'<c r="{place}"', 1)
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    number, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


def sheet(*rows: list[object], merges: tuple[str, ...] = ()) -> str:
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(cell(f"{'ABCDEFGH'[at]}{number}", value) for at, value in enumerate(row) if value is not None)
        lines.append(f'<row r="{number}">{cells}</row>')
    merged = "".join(f'<mergeCell ref="{one}"/>' for one in merges)
    after = f'<mergeCells count="{len(merges)}">{merged}</mergeCells>' if merges else ""
    return f"<worksheet {SPACE}><sheetData>{''.join(lines)}</sheetData>{after}</worksheet>"


def package(sheets: dict[str, str], changes: dict[str, tuple[str, str]] | None = None, **more: str) -> bytes:
    """A workbook of these sheets (their XML by name); `changes` replaces in a part, `more` are attributes of sheets."""
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}" {more.get(name, "")}/>'
        for at, name in enumerate(sheets, start=1)
    )
    related = "".join(
        f'<Relationship Id="rId{at}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships {PACKAGE}><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {SPACE} xmlns:r="{RELATIONS}"><workbookPr/><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships {PACKAGE}>{related}</Relationships>",
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f"<sst {SPACE}><si><t>un</t></si><si><t> </t></si><si><t/></si></sst>",
        **{f"xl/worksheets/sheet{at}.xml": text for at, text in enumerate(sheets.values(), start=1)},
    }
    for part, (old, new) in (changes or {}).items():
        assert old in parts[part]
        parts[part] = parts[part].replace(old, new, 1)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return content.getvalue()


def workbook(*rows: list[object], merges: tuple[str, ...] = ()) -> bytes:
    return package({"Feuil1": sheet(*rows, merges=merges)})


def bring(folder, content, name="data.xlsx", **resource):
    return folder.bring(content, name=name, **resource)


def column(folder, *values: object) -> tuple[str, list]:
    receipt = bring(folder, workbook(["n", "v"], *([at, value] for at, value in enumerate(values))))
    return receipt["columns"][1]["type"], [row[1] for row in folder.rows()]


def test_a_second_row_of_names_is_refused_with_how_to_declare_it(folder):
    rows = [[f"7600{at}", f"Ville {at}", 800 + at, 0.5] for at in range(4)]
    content = workbook(["Code géographique", "Libellé", "Population", "Part"], ["CODGEO", "NOM", "P20_POP", "T"], *rows)
    assert "line 2 has words above columns of figures" in bring(folder, content)
    assert bring(folder, content, read={"data_row": 3})["rows_out"] == 4
    assert folder.rows()[0] == ("76000", "Ville 0", 800, Decimal("0.5"))
    joined = bring(folder, content, read={"header_row": 1, "header_rows": 2})
    assert joined["columns"][2]["source_name"] == "Population P20_POP"
    assert bring(folder, content, read={"data_row": 2})["rows_out"] == 5


@pytest.mark.parametrize(
    ("values", "proven", "kept"),
    [
        ([1, 2], "integer", [1, 2]),
        ([1.5, 2], "decimal(18,1)", ["1.5", "2.0"]),
        (["01", "02"], "text", ["01", "02"]),
        (["1", "2"], "text", ["1", "2"]),
        ([(1001, ZEROS), (75056, ZEROS)], "text", ["01001", "75056"]),
        ([(235194545, PHONE), (3939, PHONE)], "text", ["0235194545", "0000003939"]),
        ([(45292, DATE), (45293, DATE)], "date", ["2024-01-01", "2024-01-02"]),
        ([(45292, LONG_DATE), (45293, LONG_DATE)], "date", ["2024-01-01", "2024-01-02"]),
        ([(45292, MONEY), (3, MONEY)], "integer", [45292, 3]),
        ([(45292, DATE), (45293.5, DATE)], "timestamp", ["2024-01-01 00:00:00", "2024-01-02 12:00:00"]),
        ([(45292, DATE), (0, DATE)], "text", ["2024-01-01", "0"]),
        ([(45292, DATE), (60, DATE)], "text", ["2024-01-01", "60"]),
        ([(45292, DATE), (-1, DATE)], "text", ["2024-01-01", "-1"]),
        ([(45292, DATE), (0.5, DATE)], "text", ["2024-01-01", "0.5"]),
        ([(0.5, CLOCK), (0, CLOCK)], "time", ["12:00:00", "00:00:00"]),
        ([(0.5, CLOCK), (-0.5, CLOCK)], "text", ["12:00:00", "-0.5"]),
        ([(1.5, SPAN), (-0.5, SPAN)], "text", ["36:00:00", "-12:00:00"]),
        ([(0.25, PERCENT), (1, PERCENT)], "decimal(18,2)", ["0.25", "1.00"]),
        (["a", '<c t="e"><v>#REF!</v></c>'], "text", ["a", "#REF!"]),
        (['<c t="b"><v>1</v></c>', '<c t="b"><v>0</v></c>'], "boolean", ["True", "False"]),
        ([1, "  "], "integer", [1, None]),
        ([1, '<c t="s"><v>1</v></c>', '<c t="s"><v>2</v></c>'], "integer", [1, None, None]),
        (["<c><v>12345678901234567</v></c>", 2], "integer", [12345678901234567, 2]),
        (["<c><v>0.10000000000000001</v></c>"] * 2, "decimal(18,1)", ["0.1", "0.1"]),
        (
            ["<c><v>0.12345678901234568901</v></c>", 2],
            "decimal(38,20)",
            ["0.12345678901234568901", "2.00000000000000000000"],
        ),
        (["<c><v>1E+21</v></c>", 2], "float", ["1e+21", "2.0"]),
        (["<c><v>1E+400</v></c>", 2], "text", ["1E+400", "2"]),
        ([1, "<c><f>A1</f><v>7</v></c>"], "integer", [1, 7]),
        (['<c t="str"><f>A1</f><v>a&amp;b</v></c>', '<c t="s"><v>0</v></c>'], "text", ["a&b", "un"]),
    ],
)
def test_a_column_is_what_excel_shows(folder, values, proven, kept):
    found, seen = column(folder, *values)
    assert found == proven
    assert [value if isinstance(value, int | None) and proven == "integer" else str(value) for value in seen] == kept


def test_numbers_shown_as_percentages_are_told_in_the_receipt(folder):
    receipt = bring(folder, workbook(["n", "part"], [1, (0.25, PERCENT)], [2, (0.5, PERCENT)]))
    assert receipt["dialect"]["percent"] == "0.25 is 25 % in part"


def test_dates_that_count_from_1904_are_the_days_that_excel_shows(folder):
    text = sheet(["n", "v"], [1, (43830, DATE)], [2, (43831, DATE)])
    content = package({"a": text}, {"xl/workbook.xml": ("<workbookPr/>", '<workbookPr date1904="1"/>')})
    bring(folder, content)
    assert [str(row[1]) for row in folder.rows()] == ["2024-01-01", "2024-01-02"]


def test_a_formula_that_was_saved_without_its_value_rejects_its_row(folder):
    formula = "<c><f>A2*2</f></c>"
    receipt = bring(folder, workbook(["n", "v"], [1, 2], [2, formula], [3, 4]))
    assert (receipt["rows_in"], receipt["rows_out"]) == (3, 2)
    assert receipt["rejects"][0]["line"] == 3
    assert "B3: a formula that was saved without its value" in receipt["rejects"][0]["reason"]


def test_titles_are_passed_over_and_rejects_have_the_sheets_row(folder):
    content = workbook(["Subventions 2024"], [], ["n", "nom", "an"], [1, "a", 2024], ["x", "b", 2024], [3, "c", 2024])
    receipt = bring(folder, content, columns={"n": {"type": "integer"}})
    assert (receipt["dialect"]["header_row"], receipt["dialect"]["above"]) == (3, "Subventions 2024")
    assert [(reject["line"], reject["reason"]) for reject in receipt["rejects"]] == [
        (5, "n: expected integer, found x")
    ]


def test_empty_rows_and_columns_around_and_in_the_table_say_nothing(folder):
    rows = [[], [], [None, "n", None, "nom"], [None, 1, None, "a"], [], [None, 2, None, "b"]]
    receipt = bring(folder, workbook(*rows))
    assert [one["name"] for one in receipt["columns"]] == ["n", "nom"]
    assert (receipt["rows_in"], folder.rows()) == (2, [(1, "a"), (2, "b")])


def test_a_value_far_below_or_beside_is_of_the_table_still(folder):
    rows = [["n", "nom"], *([at, "a"] for at in range(300)), [7, "b", None, "tard"]]
    receipt = bring(folder, workbook(*rows))
    assert [one["name"] for one in receipt["columns"]] == ["n", "nom", "column_3"]
    assert folder.rows()[-1] == (7, "b", "tard")


def test_a_row_of_units_is_passed_over_and_told(folder):
    receipt = bring(folder, workbook(["nom", "prix"], [None, "en €"], ["a", 1], ["b", 2], ["c", 3]))
    assert (receipt["dialect"]["units"], receipt["rows_in"]) == (" | en €", 3)


def test_notes_below_the_table_are_rejected_and_counted(folder):
    rows = [["n", "nom"], [1, "a"], [], ["x"], [3, "b"], [], ["Source : Insee"], [], ["(1) estimé"]]
    receipt = bring(folder, workbook(*rows))
    assert (receipt["rows_in"], receipt["rows_out"]) == (5, 3)
    assert [(one["line"], one["text"].strip(" |")) for one in receipt["rejects"]] == [
        (7, "Source : Insee"),
        (9, "(1) estimé"),
    ]
    assert folder.rows()[1] == ("x", None)


def test_years_in_a_header_are_names(folder):
    receipt = bring(folder, workbook(["commune", "code", 2019, 2020], ["Paris", "75056", "a", "b"]))
    assert [one["name"] for one in receipt["columns"]] == ["commune", "code", "2019", "2020"]


GROUPED = [
    ["code", "Population", None, "Emploi", None],
    [None, 2019, 2020, 2019, 2020],
    ["a", 1, 2, 3, 4],
    ["b", 5, 6, 7, 8],
]


def test_a_header_of_two_rows_is_joined_when_it_is_declared(folder):
    content = workbook(*GROUPED, merges=("A1:A2", "B1:C1", "D1:E1"))
    receipt = bring(folder, content, read={"header_row": 1, "header_rows": 2})
    assert [one["source_name"] for one in receipt["columns"]] == [
        "code",
        "Population 2019",
        "Population 2020",
        "Emploi 2019",
        "Emploi 2020",
    ]
    assert (receipt["rows_in"], receipt["dialect"]["header_rows"]) == (2, 2)


def test_no_header_gives_numbered_columns_when_it_is_declared(folder):
    receipt = bring(folder, workbook(["x", 1], ["y", 2]), read={"header_row": 0})
    assert [one["name"] for one in receipt["columns"]] == ["column_1", "column_2"]
    assert (receipt["rows_in"], receipt["dialect"]["header_row"]) == (2, 0)


def test_a_cell_merged_over_rows_stands_in_each(folder):
    rows = [["region", "n"], ["Normandie", 1], [None, 2], [None, 3], ["Bretagne", 4], [None, 5]]
    receipt = bring(folder, workbook(*rows, merges=("A2:A4",)))
    assert folder.rows() == [("Normandie", 1), ("Normandie", 2), ("Normandie", 3), ("Bretagne", 4), (None, 5)]
    assert receipt["dialect"]["merged"] == "1 cell that spans rows stands in each"


RELS = "xl/_rels/workbook.xml.rels"
WIDE = [["n", "a", "b", "c", None], [None, None, None, "x", "y"], [1, 2, 3, 4, 5], [6, 7, 8, 9, 0], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (workbook(["id", "nom", None, None, None], [1, "a", 2, 3, 4], [2, "b", 3, 4, 5]), "declare header_row"),
        (workbook(*WIDE, merges=("A1:A2", "D1:E1")), "header_row: 1, header_rows: 2"),
        (workbook(*GROUPED), "header_rows: 2"),
        (workbook([1, 2], [3, 4]), "row 1 has no text, so it is no header"),
        (workbook(["a", "b"], [1, '<c></c><c r="A2"><v>2</v></c>']), "stands twice"),
        (workbook(["a", "b"], [1, '<c><v>1</v></c><c r="B2"><v>2</v></c>']), "a cell of row 2 stands twice"),
        (workbook(["a", "b"], [1, '<c t="str"><v><![CDATA[x]]></v></c>']), "row 2: 2 cells have a value, but 1 was"),
        (workbook(["a", "b"], [1, '<c t="s"><v>7</v></c>']), "cannot be read as a spreadsheet"),
        (workbook(["a", "b"], [1, '<c t="s"><v>-7</v></c>']), "asks for the shared string -7, but there are 3"),
        (workbook(["a", "b"], [1, (1e21, SPAN)]), "cannot be read as a spreadsheet"),
        (workbook(["a", "b"], [1, "<c><v>deux</v></c>"]), "cannot be read as a spreadsheet"),
        (package({"a": sheet(["a", "b"])}, {"xl/workbook.xml": ('r:id="rId1"', 'r:id="rId9"')}), "spreadsheet"),
        (package({"a": sheet(["a"]), "b": sheet(["a"])}, {RELS: ("sheet2.xml", "sheet1.xml")}), "in the same place"),
        (package({"a": sheet([]), "b": sheet([None])}), "no sheet of the workbook has any cell"),
        (workbook(["a", "b"], [1, 2])[:-300], "cut or damaged"),
    ],
)
def test_a_sheet_whose_header_or_form_is_in_doubt_is_refused(folder, content, said):
    error = bring(folder, content)
    assert said in error
    assert "data.xlsx" in error


@pytest.mark.parametrize("doctype", [BOMB, XXE])
@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"]
)
def test_entities_are_refused_before_they_are_read(folder, doctype, part):
    content = package({"a": sheet(["a", "b"], [1, 2])}, {part: ("<", f"{doctype}<")})
    assert "declares a document type" in bring(folder, content)


@pytest.mark.parametrize(
    "far",
    [
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1048576"><c r="XFD1048576" t="str"><v></v></c></row>',
        '<row r="1048576"><c r="XFD1048576"><f>A1</f></c></row>',
    ],
)
def test_a_cell_far_from_the_table_is_refused_before_it_fills_the_memory(folder, far):
    text = sheet(["a", "b"], [1, 2]).replace("</sheetData>", f"{far}</sheetData>")
    assert "1048576 rows by 16384 columns, too large" in bring(folder, package({"a": text}))


@pytest.mark.parametrize("place", ["XFE1", "A1048577", "A9999999", "ZZZ1"])
def test_a_cell_beyond_what_a_sheet_can_be_is_refused(folder, place):
    row = re.sub("[A-Z]", "", place)
    text = sheet().replace("</sheetData>", f'<row r="{row}"><c r="{place}"><v>1</v></c></row></sheetData>')
    assert "cannot be read as a spreadsheet" in bring(folder, package({"a": text}))


def test_a_sheet_that_only_says_to_be_huge_is_read(folder):
    text = sheet(["a", "b"], [1, 2]).replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    text = text.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>')
    bring(folder, package({"a": text}))
    assert folder.rows() == [(1, 2)]


@pytest.mark.parametrize("said", ["4294967295", "999999999999999999999"])
def test_a_count_of_shared_texts_that_is_no_count_is_refused_and_ends_no_process(folder, datalab, tmp_path, said):
    counted = {"xl/sharedStrings.xml": ("<sst ", f'<sst uniqueCount="{said}" ')}
    path = folder.write("x.xlsx", package({"a": sheet(["a", "b"], [1, '<c t="s"><v>0</v></c>'])}, counted))
    ran = datalab("convert", str(path), "--out", str(tmp_path / "out"))
    assert (ran.code, f"x.xlsx: cannot be read as a spreadsheet: it says that its sheets share {said}" in ran.err) == (
        1,
        True,
    ), ran.err


@pytest.mark.parametrize("said", ["count='9' uniqueCount='1000000'", "uniqueCount='0'", "uniqueCount='many'"])
def test_a_count_of_shared_texts_that_is_wrong_changes_nothing(folder, said):
    counted = {"xl/sharedStrings.xml": ("<sst ", f"<sst {said} ")}
    bring(folder, package({"a": sheet(["a", "b"], [1, '<c t="s"><v>0</v></c>'])}, counted))
    assert folder.rows() == [(1, "un")]


@pytest.mark.parametrize("style", [DATE, CLOCK, SPAN])
def test_a_date_before_all_days_is_refused_and_said_on_stderr_by_nobody(folder, capfd, style):
    assert "-1e300 is shown as a " in bring(folder, workbook(["a", "b"], [1, ("-1e300", style)]))
    assert capfd.readouterr().err == ""


def test_a_workbook_that_unpacks_to_more_than_is_allowed_is_refused(folder):
    folder.write("datalab.toml", "[ingest]\nmax_bytes = 100000\n[policies.users]\nsteward = ['stewards']\n")
    text = sheet(["a", "b"], [1, 2]).replace("</worksheet>", " " * 200_000 + "</worksheet>")
    assert "larger than [ingest] max_bytes" in bring(folder, package({"a": text}))


def test_a_part_that_lies_about_its_size_is_refused(folder):
    text = sheet(["a", "b"], [1, 2])
    content = bytearray(package({"a": text + " " * 100_000}))
    at = content.rfind(b"PK\x01\x02", 0, content.rfind(b"xl/worksheets/sheet1.xml"))
    content[at + 24 : at + 28] = len(text).to_bytes(4, "little")
    assert "cannot be read as a spreadsheet" in bring(folder, bytes(content))


def test_every_sheet_is_a_table_but_the_empty_ones_are_not(folder):
    sheets = {"un": sheet(["a", "b"], [1, 2]), "vide": sheet(), "deux": sheet(["a", "b"], [3, 4])}
    content = package(sheets, deux='state="hidden"')
    assert "the file holds 2 tables: 'un', 'deux'" in bring(folder, content)
    receipt = bring(folder, content, read={"table": "deux"})
    assert (receipt["dialect"]["sheets"], receipt["dialect"]["hidden"]) == (3, "yes")
    assert folder.rows() == [(3, 4)]


def test_a_sheet_of_one_cell_is_a_note_and_no_table_unless_it_is_asked_for(folder):
    note, styled = sheet([], [None, "Source : Insee"]), sheet([(45292, DATE)])
    content = package({"Notice": note, "un": sheet(["a", "b"], [1, 2]), "vide": sheet(), "le": styled})
    receipt = bring(folder, content)
    assert (receipt["dialect"]["sheet"], receipt["dialect"]["left_out"]) == ("un", "Notice (one cell), le (one cell)")
    assert folder.rows() == [(1, 2)]
    bring(folder, content, read={"table": "Notice", "header_row": 0})
    assert folder.rows() == [("Source : Insee",)]
    assert "no row of data" in bring(folder, package({"Notice": note, "vide": sheet()}))


def test_a_declared_sheet_that_is_not_there_is_named_with_those_that_are(folder):
    assert "no table 'Feuille' in the file; did you mean 'Feuil1'" in bring(
        folder, workbook(["a", "b"], [1, 2]), read={"table": "Feuille"}
    )


@pytest.mark.parametrize("resource", [{}, {"read": {"format": "xls"}}])
def test_an_xlsx_is_read_as_what_it_is_whatever_its_name(folder, resource):
    receipt = bring(folder, workbook(["a", "b"], [1, 2]), name="data.xls", **resource)
    assert receipt["format"] == "xlsx"


@pytest.mark.parametrize("resource", [{}, {"read": {"format": "xls"}}])
def test_a_page_of_the_web_named_xls_is_refused(folder, resource):
    assert "HTML" in bring(folder, "<html><body><table></table></body></html>", name="data.xls", **resource)


CELLS = st.sampled_from(
    [
        None,
        1,
        -2.5,
        "a",
        " ",
        "é & <",
        (0.25, PERCENT),
        (1001, ZEROS),
        (45292, DATE),
        (45292.5, DATE),
        (0, DATE),
        '<c t="s"><v>0</v></c>',
        '<c t="s"><v>1</v></c>',
        '<c t="str"><f>A1</f><v>x</v></c>',
        "<c><f>A1</f></c>",
        '<c t="e"><v>#N/A</v></c>',
        "<c><v>0.30000000000000004</v></c>",
        '<c s="1"/>',
    ]
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(CELLS, max_size=4), max_size=6))
def test_the_pattern_of_plain_rows_finds_what_the_parser_finds(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("plain") / "data.xlsx"
    path.write_bytes(workbook(*rows, merges=("A1:B2",)))
    fast, slow = Workbook(path), Workbook(path)
    slow.rows = re.compile(rb"(?!)")
    quick, sure = fast.sheet("Feuil1"), slow.sheet("Feuil1")
    assert list(quick.counts) == list(sure.counts)
    assert (quick.marks, quick.clocks, quick.percent, quick.merges, quick.width, quick.values) == (
        sure.marks,
        sure.clocks,
        sure.percent,
        sure.merges,
        sure.width,
        sure.values,
    )


@pytest.mark.parametrize("shared", ["<si><t>{text}</t></si>", "<si><r><t>{text}</t></r></si><si><t> </t></si>"])
def test_a_shared_text_that_repeats_until_it_fills_the_memory_is_refused(folder, monkeypatch, shared):
    rows = [["a", "b"], *([at, '<c t="s"><v>0</v></c>'] for at in range(20))]
    ours = "<si><t>un</t></si><si><t> </t></si><si><t/></si>"
    content = package({"Feuil1": sheet(*rows)}, {"xl/sharedStrings.xml": (ours, shared.format(text="x" * 900))})
    assert bring(folder, content)["rows_out"] == 20
    monkeypatch.setattr(sheets, "_MAX_SIGNS", 17_999)
    assert "repeat long texts, to more than 17,999 signs" in bring(folder, content)
