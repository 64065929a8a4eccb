"""A hostile file, or a hostile server, in the place of a good one: refused by `datalab ingest`, and nothing else moves.

For each: the exit code, a message with the place and the cause, the rows of before still served, and every byte of the
lake as it was.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import stat
import struct
import sys
import tarfile
import warnings
import zipfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from fixtures_files import CODES, CSV, good_files, members, shapefile, tarred, zipped
from fixtures_web import certificate, reply, serving_raw, to

import datalab
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELD = 3
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
XXE = b'<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'
BOUNDS = '[ingest]\nmax_bytes = 3000000\nmax_files = 50\nretries = 1\nallow_hosts = ["127.0.0.1"]\ntimeout = 20\n'


@dataclass(frozen=True)
class Lab:
    """The lab with a good snapshot of `jeu.t`, and what it was."""

    folder: object
    run: Callable[[], tuple[int, str]]

    def state(self) -> tuple[dict[str, str], list[tuple]]:
        """Every file of the lake with the hash of its bytes, and the rows that a steward sees."""
        lake = self.folder.root / "var/lake"
        files = {
            str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in lake.rglob("*")
            if path.is_file()
        }
        return files, self.folder.rows()

    def hurry(self) -> None:
        """Give sources hardly any time from now on."""
        settings = self.folder.root / "datalab.toml"
        settings.write_text(settings.read_text().replace("timeout = 20", "timeout = 0.3"))

    def passing(self) -> list[Path]:
        """What is left where an ingest puts its passing files."""
        return [one for one in (self.folder.root / "var/tmp").rglob("*") if one.is_file()]


@pytest.fixture
def lab(folder, monkeypatch, capsys) -> Lab:
    folder.write("datalab.toml", (folder.root / "datalab.toml").read_text() + BOUNDS)
    folder.grant("jeu", {}, {"to": "user:steward", "edition": RAW, "until": "2999-01-01"})
    monkeypatch.setattr(sys, "argv", ["datalab", "--lab", str(folder.root), "ingest", "jeu"])

    def run() -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            datalab.main()
        return ended.value.code or 0, capsys.readouterr().err

    return Lab(folder, run)


def refused(lab: Lab, place: str, causes: tuple[str, ...], code: int = 1) -> None:
    """The good snapshot is there; what stands at its source now must change nothing but the answer."""
    before = lab.state()
    assert before[1], "a good snapshot comes first"
    said = lab.run()
    assert said[0] == code, said[1]
    for words in (place, *causes):
        assert words in said[1]
    assert "broke off" not in said[1]
    assert lab.state() == before
    assert lab.passing() == []


# Files and archives


def changed(name: str, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The good file of this name with one of the files in it changed."""
    files = members(good_files()[name])
    return zipped({**files, part: change(files[part])})


def after_prolog(said: bytes) -> Callable[[bytes], bytes]:
    return lambda text: re.sub(rb"^(<\?xml[^>]*>)", lambda found: found[1] + said, text, count=1)


def far_cell(text: bytes) -> bytes:
    return text.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')


def encrypted() -> bytes:
    """What an encrypted .xlsx is: an OLE file with a stream of that name."""
    content = good_files()["villes.xls"]
    name, new = ("\0".join(text) + "\0" for text in ("Workbook", "EncryptedPackage"))
    at = content.index(name.encode())
    entry = bytearray(content[at : at + 128])
    entry[: len(new)] = new.encode()
    struct.pack_into("<H", entry, 64, len(new) + 2)
    return content[:at] + bytes(entry) + content[at + 128 :]


def flipped(at: bytes) -> bytes:
    """A Parquet with checksums whose data have one bit flipped."""
    content = bytearray(good_files()["plain.parquet"])
    content[content.index(at)] ^= 1
    return bytes(content)


def crafted() -> bytes:
    """A Parquet whose footer says that the file has 2**31 - 1 bytes of footer."""
    return good_files()["villes.parquet"][:-8] + struct.pack("<L", 2**31 - 1) + b"PAR1"


def damaged_footer() -> bytes:
    content = good_files()["villes.parquet"]
    (size,) = struct.unpack("<L", content[-8:-4])
    return content[: -8 - size] + bytes(size) + content[-8:]


def link() -> bytes:
    info = zipfile.ZipInfo("villes.csv")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return made.getvalue()


def twice() -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("villes.csv", CSV)
        archive.writestr("villes.csv", CSV[:100])
    return made.getvalue()


def overlapping() -> bytes:
    """Two entries of the list of files that share their bytes (Fifield, A better zip bomb, 2019)."""
    one = zipped({"a.csv": CSV})
    at = one.index(b"PK\x01\x02")
    entry = one[at : one.index(b"PK\x05\x06")]
    listing = entry + entry.replace(b"a.csv", b"b.csv")
    return one[:at] + listing + struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 2, 2, len(listing), at, 0)


def device() -> bytes:
    info = tarfile.TarInfo("villes.csv")
    info.type = tarfile.CHRTYPE
    return tarred(info)


def projected() -> bytes:
    """A GeoJSON, which is in degrees by its standard, with metres in it."""
    return re.sub(rb'"coordinates": \[[^\]]*\]', b'"coordinates": [562000, 6928000]', good_files()["villes.geojson"])


BOMB = bytes(4_000_000)
FILES: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    "billion laughs in xlsx": (
        "villes.xlsx",
        partial(changed, "villes.xlsx", "xl/worksheets/sheet1.xml", after_prolog(LAUGHS)),
        ("declares a document type",),
    ),
    "a file named in xlsx": (
        "villes.xlsx",
        partial(changed, "villes.xlsx", "xl/sharedStrings.xml", after_prolog(XXE)),
        ("declares a document type",),
    ),
    "billion laughs in gml": ("villes.gml", lambda: after_prolog(LAUGHS)(good_files()["villes.gml"]), ("DTD",)),
    "a file named in gml": ("villes.gml", lambda: after_prolog(XXE)(good_files()["villes.gml"]), ("DTD",)),
    "a sheet of 1M by 16k cells": (
        "villes.xlsx",
        partial(changed, "villes.xlsx", "xl/worksheets/sheet1.xml", far_cell),
        ("1048576 rows by 16384 columns, too large",),
    ),
    "an encrypted xlsx": ("villes.xlsx", encrypted, ("the workbook is encrypted",)),
    "an xls that is HTML": (
        "villes.xls",
        lambda: b"<html><table><tr><td>code</td></tr></table></html>",
        ("this is an HTML page, whatever its name",),
    ),
    "a crafted Parquet footer": ("villes.parquet", crafted, ("cannot be read as Parquet",)),
    "a damaged Parquet footer": ("villes.parquet", damaged_footer, ("cannot be read as Parquet",)),
    "a flipped bit in Parquet": ("plain.parquet", lambda: flipped(CODES[1].encode()), ("CRC checksum",)),
    "JSON 100,000 deep": ("villes.json", lambda: b'{"a":' * 100_000, ("nested more than",)),
    "a zip with ../": ("villes.zip", lambda: zipped({"../villes.csv": CSV}), ("'../villes.csv'", "leaves its folder")),
    "a zip with a link": ("villes.zip", link, ("'villes.csv' is a link or a device",)),
    "a zip with a name twice": ("villes.zip", twice, ("'villes.csv' stands twice",)),
    "a bomb": ("villes.zip", lambda: zipped({"villes.csv": BOMB}), ("larger than [ingest] max_bytes",)),
    "a nested bomb": (
        "villes.zip",
        lambda: zipped({"un.zip": zipped({"villes.csv": BOMB})}),
        ("un.zip: unpacked it is larger than [ingest] max_bytes",),
    ),
    "an overlapping bomb": ("villes.zip", overlapping, ("'b.csv' overlaps another file",)),
    "a zip of too many files": (
        "villes.zip",
        lambda: zipped({f"{one}.csv": CSV for one in range(60)}),
        ("more files than [ingest] max_files",),
    ),
    "a tar with a device": ("villes.tar", device, ("'villes.csv' is a link or a device",)),
    "a gzip bomb": ("villes.csv.gz", lambda: gzip.compress(BOMB), ("larger than [ingest] max_bytes",)),
    "a shapefile without .prj": (
        "villes.shp.zip",
        lambda: zipped({name: one for name, one in shapefile().items() if not name.endswith(".prj")}),
        ("nothing says in what system",),
    ),
    "a shapefile without .dbf": (
        "villes.shp.zip",
        lambda: zipped({name: one for name, one in shapefile().items() if not name.endswith(".dbf")}),
        ("without villes.dbf",),
    ),
    "a shapefile of a wrong system": (
        "villes.shp.zip",
        lambda: zipped({**shapefile(), "villes.prj": shapefile("EPSG:4326")["villes.prj"]}),
        ("expected longitude and latitude in degrees",),
    ),
    "a GeoJSON in metres": ("villes.geojson", projected, ("expected longitude and latitude in degrees",)),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_file_over_good_data_is_refused_with_its_cause_and_the_good_data_stay(lab, kind):
    name, hostile, causes = FILES[kind]
    lab.folder.table("jeu", good_files()[name], name=name)
    code, said = lab.run()
    assert code == 0, said
    lab.folder.write(f"sources/{name}", hostile())
    refused(lab, f"sources/{name}", causes)


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("villes.xls", lambda: good_files()["villes.ods"], "ods"),
        ("villes.json", lambda: good_files()["villes.ndjson"], "ndjson"),
    ],
)
def test_what_is_of_another_kind_than_its_name_says_is_read_as_what_it_is(lab, name, content, form):
    lab.folder.table("jeu", content(), name=name)
    code, said = lab.run()
    assert code == 0, said
    assert len(lab.folder.rows()) == len(CODES)
    assert lab.folder.lab.lake.current("jeu", RAW).resources["t"].receipt["format"] == form


# CSV

LINES = CSV.splitlines(keepends=True)
WIDE = 100
TEXTS: dict[str, tuple[bytes, tuple[str, ...], int]] = {
    "a NUL byte": (CSV.replace("Caen", "Ca\0en").encode(), ("line 5", "NUL"), 1),
    "an unclosed quote and 17 MB": (
        CSV.encode() + b'14999;"' + b"x" * 17_000_000 + b"\n1;2;3;4\n",
        ("line 7", "a quote is opened here and never closed"),
        1,
    ),
    "50,000 columns": (
        (";".join(f"c{at}" for at in range(50_000)) + "\n" + ";" * 49_999 + "\n").encode(),
        ("50000 columns; at most",),
        1,
    ),
    "more ragged rows than rows": (
        ("".join(LINES[:2]) + "14118;Caen\n" * 3).encode(),
        ("cells",),
        1,
    ),
    "an empty file": (b"", ("empty",), 1),
    "a header alone": (LINES[0].encode(), ("no row of data",), 1),
    "-90 % of the rows": ("".join(LINES[:2]).encode(), ("the rows fell from 5 to 1, by 80%",), HELD),
    "a column gone": (
        "".join(line.rpartition(";")[0] + "\n" for line in LINES).encode(),
        ("the column 'part' is gone",),
        HELD,
    ),
    "a column new": (
        "".join(line.replace("\n", ";neuf\n") for line in LINES).encode(),
        ("the column 'neuf' is new",),
        HELD,
    ),
    "a column renamed": (
        CSV.replace("nom;", "ville;").encode(),
        ("the column 'nom' is gone and 'ville' is new: probably renamed",),
        HELD,
    ),
    "a column retyped": (
        CSV.replace("4721", "4721 env.").encode(),
        ("the column 'habitants' was integer and is text (no other type fits every value, '4721 env.' for one)",),
        HELD,
    ),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_hostile_csv_over_good_data_is_refused_or_held_with_its_cause_and_the_good_data_stay(lab, kind):
    content, causes, code = TEXTS[kind]
    settings = (lab.folder.root / "datalab.toml").read_text()
    lab.folder.write("datalab.toml", settings.replace("max_bytes = 3000000", "max_bytes = 30000000"))
    lab.folder.table("jeu", CSV)
    assert lab.run()[0] == 0
    lab.folder.write("sources/data.csv", content)
    refused(lab, "jeu.t" if code == HELD else "sources/data.csv", causes, code)


# The network

BODY = CSV.encode()
PACKED = gzip.compress(BODY)
CHUNKS = {"transfer_encoding": "chunked", "content_length": None}
ANSWERS: dict[str, tuple[bytes, str]] = {
    "a Content-Length too long": (reply(BODY, content_length=len(BODY) + 9), "without sending complete message body"),
    "a Content-Length too short": (reply(BODY, content_length=9), "more comes than the 9 bytes"),
    "a chunked body cut": (reply(b"e\r\n" + BODY[:9], **CHUNKS), "incomplete chunked read"),
    "gzip truncated": (reply(PACKED[:-9], content_encoding="gzip"), "the gzip body is cut off"),
    "a gzip bomb": (reply(gzip.compress(BOMB), content_encoding="gzip"), "more than 3000000 bytes"),
    "chained encodings": (reply(gzip.compress(PACKED), content_encoding="gzip, gzip"), "as 'gzip, gzip'"),
    "503 for ever": (reply(status=503), "answered 503"),
    "429 that asks for a day": (reply(status=429, retry_after=86400), "asks to wait 86400 s"),
    "a redirect loop": (to("/data.csv"), "more than 5 redirects"),
    "a redirect to a file": (to("file:///etc/passwd"), "only http and https addresses are fetched"),
    "a redirect inside": (to("http://[::ffff:127.0.0.1]/"), "an inner address"),
    "a redirect to a decimal address": (to("http://2130706433/"), "an inner address"),
    "a login page": (reply(b"<!DOCTYPE html>\n<title>Login</title>", content_type="text/csv"), "an HTML page"),
    "a 304 that was not asked for": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304"),
}


@pytest.fixture
def raw():
    with serving_raw() as made:
        yield made


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_hostile_answer_after_a_good_one_is_refused_with_its_cause_and_the_good_data_stay(lab, raw, kind):
    answer, cause = ANSWERS[kind]
    refuse_after_good(lab, raw, answer, cause)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", reply(BODY)[:-5]], ids=["answer", "headers", "body"])
def test_a_server_that_stalls_after_a_good_answer_is_left_and_the_good_data_stay(lab, raw, start):
    refuse_after_good(lab, raw, raw.stall(start), "not here in time; raise timeout", lab.hurry)


def test_a_server_that_drips_after_a_good_answer_is_left_and_the_good_data_stay(lab, raw):
    def drip(sock, _asked) -> None:
        sock.sendall(reply(content_length=10_000))
        while not raw.over.wait(0.02):
            sock.sendall(b"1")

    refuse_after_good(lab, raw, drip, "not here in time; raise timeout", lab.hurry)


def test_a_certificate_that_expires_after_a_good_answer_is_refused_and_the_good_data_stay(lab, tmp_path, monkeypatch):
    settings = lab.folder.root / "datalab.toml"
    settings.write_text(settings.read_text().replace("127.0.0.1", "localhost"))
    authority, context = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving_raw(context) as safe:
        safe.answers = [reply(BODY)]
        url = f"https://localhost:{safe.port}/data.csv"
        lab.folder.describe("jeu", {"t": {"source": {"url": url}}})
        assert lab.run()[0] == 0
        certificate(tmp_path, "localhost", days=-1)
        context.load_cert_chain(authority, tmp_path / "key.pem")
        refused(lab, url, ("certificate has expired",))


def refuse_after_good(lab: Lab, raw, answer: object, cause: str, then: Callable[[], object] = lambda: None) -> None:
    raw.answers = [reply(BODY), answer]
    lab.folder.describe("jeu", {"t": {"source": {"url": raw.url}}})
    code, said = lab.run()
    assert code == 0, said
    then()
    refused(lab, raw.url, (cause,))
    assert (lab.folder.root / "var/sources/jeu/t/body").read_bytes() == BODY


def test_pages_that_change_while_they_are_read_are_refused_and_the_good_data_stay(lab, raw):
    def page(first: int, total: int) -> bytes:
        records = [{"n": first + at, "nom": f"v{first + at}"} for at in range(2)]
        return reply(json.dumps({"total": total, "items": records}).encode(), content_type="application/json")

    good = [page(0, 4), page(2, 4)]
    turn = iter(range(1_000_000))

    def never_the_same(sock, _asked) -> None:
        sock.sendall(page(0, 100 + next(turn)))

    raw.answers = [*good, never_the_same]
    source = {"pages": raw.url, "records": "items", "next": "offset", "size": 2}
    lab.folder.describe("jeu", {"t": {"source": source}})
    code, said = lab.run()
    assert code == 0, said
    assert len(raw.asked) == len(good)
    refused(lab, raw.url, ("the pages change while they are read",))
