"""Old workbooks (.xls): their records are written by hand, or by xlwt, and what they show is what the lake has."""

from __future__ import annotations

import io
import os
import struct

import pytest
import xlwt
from xlwt.CompoundDoc import XlsDoc

from ingest.readers import sheet as sheets

MERGED, FILEPASS = 0xE5, 0x2F


def record(kind: int, layout: str = "", *values: object, rest: bytes = b"") -> bytes:
    data = struct.pack("<" + layout, *values) + rest
    return struct.pack("<HH", kind, len(data)) + data


def text(said: str) -> bytes:
    return struct.pack("<HB", len(said), 1) + said.encode("utf-16-le")


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    return record(0x203, "HHHd", row, column, style, value)


def word(row: int, column: int, index: int) -> bytes:
    return record(0xFD, "HHHI", row, column, 0, index)


def formula(row: int, column: int, result: bytes, after: bytes = b"") -> bytes:
    return record(0x6, "HHH", row, column, 0, rest=result + struct.pack("<HIH", 0, 0, 0)) + after


STRINGS = ["n", "v", "un", " ", "", "été"]
STYLES = [0, 14, 164, 9, 165]
NONE, DATE, ZEROS, PERCENT, SPAN = range(5)


def ole(stream: bytes) -> bytes:
    content = io.BytesIO()
    XlsDoc().save(content, stream)
    return content.getvalue()


def stream(*cells: bytes, before: bytes = b"", strings: bytes | None = None) -> bytes:
    """A workbook of one sheet, with the names `n` and `v` above these cells."""
    bof = record(0x809, "HHHHII", 0x600, 0x5, 0, 0, 0, 0)
    formats = record(0x41E, "H", 164, rest=text("00000")) + record(0x41E, "H", 165, rest=text("[h]:mm:ss"))
    styles = b"".join(record(0xE0, "HH16s", 0, one, b"") for one in STYLES)
    shared = strings or record(0xFC, "II", len(STRINGS), len(STRINGS), rest=b"".join(map(text, STRINGS)))
    globals_ = bof + before + formats + styles
    named = text("Feuil1")[2:]
    size = len(globals_) + 4 + 7 + len(named) + len(shared) + 4
    listed = record(0x85, "IBBB", size, 0, 0, len("Feuil1"), rest=named)
    sheet = record(0x809, "HHHHII", 0x600, 0x10, 0, 0, 0, 0) + word(0, 0, 0) + word(0, 1, 1)
    return globals_ + listed + shared + record(0xA) + sheet + b"".join(cells) + record(0xA)


def xls(*cells: bytes, **more: bytes) -> bytes:
    return ole(stream(*cells, **more))


def bring(folder, content, **resource):
    return folder.bring(content, name="data.xls", **resource)


TEXT = b"\x00" + bytes(5) + b"\xff\xff"


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        (lambda row: number(row, 1, 7), 7),
        (lambda row: record(0x27E, "HHHI", row, 1, 0, (7 << 2) | 2), 7),
        (lambda row: record(0x27E, "HHHi", row, 1, 0, (-700 << 2) | 3), -7),
        (lambda row: record(0xBD, "HHHIH", row, 1, 0, (7 << 2) | 2, 1), 7),
        (lambda row: number(row, 1, 1001, ZEROS), "01001"),
        (lambda row: number(row, 1, 45292, DATE), "2024-01-01"),
        (lambda row: number(row, 1, 45292.5, DATE), "2024-01-01 12:00:00"),
        (lambda row: number(row, 1, 60, DATE), 60),
        (lambda row: number(row, 1, 0, DATE), 0),
        (lambda row: number(row, 1, 1.5, SPAN), "36:00:00"),
        (lambda row: number(row, 1, 0.1 + 0.2), 0.1 + 0.2),
        (lambda row: word(row, 1, 2), "un"),
        (lambda row: word(row, 1, 5), "été"),
        (lambda row: word(row, 1, 3), None),
        (lambda row: word(row, 1, 4), None),
        (lambda row: record(0x205, "HHHBB", row, 1, 0, 23, 1), "#REF!"),
        (lambda row: record(0x205, "HHHBB", row, 1, 0, 1, 0), True),
        (lambda row: formula(row, 1, struct.pack("<d", 7)), 7),
        (lambda row: formula(row, 1, TEXT, record(0x207, rest=text("dit"))), "dit"),
        (lambda row: formula(row, 1, b"\x02\0\x17\0\0\0\xff\xff"), "#REF!"),
        (lambda row: formula(row, 1, b"\x03\0\0\0\0\0\xff\xff"), None),
    ],
)
def test_a_cell_is_what_excel_shows(folder, cell, kept):
    receipt = bring(folder, xls(number(1, 0, 1), cell(1), number(2, 0, 2), cell(2)))
    assert (receipt["rows_in"], receipt["rows_out"], receipt["format"]) == (2, 2, "xls")
    seen = folder.rows()[0][1] if len(receipt["columns"]) > 1 else None
    assert {str(kept), str(seen)} in ({str(kept)}, {"#REF!", "None"})


def test_numbers_shown_as_percentages_are_told_in_the_receipt(folder):
    receipt = bring(folder, xls(number(1, 0, 1), number(1, 1, 0.25, PERCENT)))
    assert receipt["dialect"]["percent"] == "0.25 is 25 % in v"


def test_a_formula_that_was_saved_without_its_value_rejects_its_row(folder):
    receipt = bring(folder, xls(number(1, 0, 1), formula(1, 1, TEXT), number(2, 0, 2), number(2, 1, 3)))
    assert (receipt["rows_in"], receipt["rows_out"]) == (2, 1)
    assert receipt["rejects"][0]["reason"].startswith("B2: a formula that was saved without its value")


def test_a_cell_merged_over_rows_stands_in_each(folder):
    merged = record(MERGED, "HHHHH", 1, 1, 2, 1, 1)
    bring(folder, xls(number(1, 0, 1), word(1, 1, 2), number(2, 0, 2), merged))
    assert folder.rows() == [(1, "un"), (2, "un")]


def test_shared_strings_go_on_in_the_next_record(folder):
    first = struct.pack("<II", 4, 4) + text("n") + text("v") + struct.pack("<HB", 4, 0) + b"ab"
    strings = record(0xFC, rest=first) + record(0x3C, rest=b"\x01" + "cé".encode("utf-16-le") + text("  "))
    cells = [number(1, 0, 1), word(1, 1, 2), number(2, 0, 2), word(2, 1, 3)]
    bring(folder, xls(*cells, strings=strings))
    assert folder.rows() == [(1, "abcé"), (2, None)]


def test_what_xlwt_writes_is_read_sheet_by_sheet(folder):
    book = xlwt.Workbook()
    for name in ("un", "vide", "deux"):
        sheet = book.add_sheet(name)
        for at, value in enumerate(["a", "b"] if name != "vide" else []):
            sheet.write(2, at + 1, value)
            sheet.write(3, at + 1, at)
    book.add_sheet("Notice").write(5, 1, "Source : Insee")
    content = io.BytesIO()
    book.save(content)
    assert "the file holds 2 tables: 'un', 'deux'" in bring(folder, content.getvalue())
    receipt = bring(folder, content.getvalue(), read={"table": "deux"})
    assert (receipt["dialect"]["header_row"], folder.rows()) == (3, [(0, 1)])
    assert receipt["dialect"]["left_out"] == "Notice (one cell)"


def renamed(content: bytes, name: str) -> bytes:
    old, new = "Workbook".encode("utf-16-le"), name.encode("utf-16-le")
    at = content.index(old)
    entry = new.ljust(64, b"\0") + struct.pack("<H", len(new) + 2)
    return content[:at] + entry + content[at + 66 :]


def looped(content: bytes) -> bytes:
    """The first chain of sectors goes round: its second sector is followed by its first."""
    (at,) = struct.unpack_from("<I", content, 76)
    place = (at + 1) * 512 + 4
    return content[:place] + struct.pack("<I", 0) + content[place + 4 :]


BOF = struct.pack("<HH", 0x809, 16)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (xls(before=record(FILEPASS, "HHH", 1, 1, 1)), "the workbook is encrypted; save it without a password"),
        (renamed(xls(), "EncryptedPackage"), "the workbook is encrypted; save it without a password"),
        (renamed(xls(), "WordDocument"), "an old document of Office, but no workbook"),
        (xls(), "no row of data"),
        (xls(number(1, 0, 1), number(1, 0, 2)), "row 2: 2 cells have a value, but 1 was read"),
        (xls(word(1, 0, 77), number(1, 1, 1)), "2 cells have a value, but 1 was read"),
        (xls(number(1, 0, 1))[:1500], "cannot be read as a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "cannot be read as a spreadsheet"),
        (xls(formula(1, 0, bytes(8))[:-2] + b"\x81\0"), "cannot be read as a spreadsheet"),
        (xls(before=record(0x85, "IBBB", stream().rindex(BOF), 0, 0, 1, rest=b"\0a")), "lie in the same place"),
        (looped(xls(number(1, 0, 1))), "a chain of its sectors is broken, or has no end"),
        (xls(strings=record(0xFC, "II", 1, 0xFFFFFFFF, rest=text("n"))), "a shared string is cut"),
        (ole(stream().replace(struct.pack("<H", 0x600), struct.pack("<H", 0x300))), "of before 1993"),
        (xls(record(0x200, "IIHHH", 152, 6, 0, 4, 0)), "a sheet says that it goes from row 152, column 0 to row 6"),
        (xls(record(0x200, "IIHHH", 0, 65536, 0, 65535, 0)), "to row 65536, column 65535"),
        (xls(record(0x200, "IHH", 0, 6, 4)), "cannot be read as a spreadsheet"),
    ],
)
def test_what_is_encrypted_damaged_or_no_workbook_is_refused(folder, content, said):
    error = bring(folder, content)
    assert said in error
    assert "data.xls" in error


@pytest.mark.parametrize("size", [(0, 0, 0, 0), (0, 2, 0, 2), (5, 0, 0, 4), (0, 65536, 0, 256)])
def test_what_a_sheet_says_of_its_size_changes_nothing(folder, size):
    bring(folder, xls(record(0x200, "IIHHH", *size, 0), number(1, 0, 7), number(1, 1, 8)))
    assert folder.rows() == [(7, 8)]


def test_the_panic_of_a_reader_is_a_refusal_and_not_said_on_stderr_besides(folder, capfd):
    content = xls(number(1, 0, 1))
    within_an_entry = content.index("Root Entry".encode("utf-16-le")) + 2 * 128 + 39
    assert "data.xls: cannot be read as a spreadsheet: range" in bring(folder, content[:within_an_entry])
    os.write(2, b"and stderr is itself again")
    assert capfd.readouterr().err == "and stderr is itself again"


def test_an_encrypted_xlsx_says_that_it_is(folder):
    content = renamed(xls(), "EncryptedPackage")
    assert "data.xlsx: the workbook is encrypted" in folder.bring(content, name="data.xlsx")


def test_many_sheets_with_a_cell_far_away_are_refused_before_they_fill_the_memory(folder):
    book = xlwt.Workbook()
    for at in range(4):
        sheet = book.add_sheet(f"s{at}")
        sheet.write(0, 0, "n")
        sheet.write(65535, 255, 1)
    content = io.BytesIO()
    book.save(content)
    assert "65536 rows by 256 columns, too large" in bring(folder, content.getvalue())


def test_a_text_named_xls_is_read_as_a_text(folder):
    assert bring(folder, "a;b\n1;2\n")["format"] == "csv"


def test_a_shared_text_that_repeats_until_it_fills_the_memory_is_refused(folder, monkeypatch):
    book = xlwt.Workbook()
    sheet = book.add_sheet("un")
    for at in range(21):
        sheet.write(at, 0, at or "n")
        sheet.write(at, 1, "x" * 900 if at else "texte")
    content = io.BytesIO()
    book.save(content)
    assert bring(folder, content.getvalue())["rows_out"] == 20
    monkeypatch.setattr(sheets, "_MAX_SIGNS", 17_999)
    assert "repeat long texts, to more than 17,999 signs" in bring(folder, content.getvalue())
