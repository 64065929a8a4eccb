"""Good files of every format, damaged at random: each is a table whose rows add up, or is refused, and nothing else.

The damage is the same in each run. It is read in a process of its own, so that a reader that ends it, or never comes
back, fails its test and no more; the file that did it lies in the test's folder.
"""

from __future__ import annotations

import gzip
import random
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
from fixtures_files import good_files, members, zipped

from catalog.lake import StagedTable
from catalog.model import Reading
from ingest.desk import open_desk
from ingest.formats import tables_in
from ingest.prove import prove
from ingest.settings import IngestSettings
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingest.desk import Desk

CASES = 40
PATIENCE = 300
"""Seconds after which the files of one format are never coming back."""
_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?|"[^"]*"|<[^>]*>|[A-Za-z_:]+|[{}\[\],;:=<>/]')
_ODD = (
    *(b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\xed\xa0\x80", b"\\ud800", b"\r", b"\n", b"\t"),
    *(
        b'"',
        b"'",
        b"<",
        b">",
        b"&",
        b"{",
        b"[",
        b"]",
        b"}",
        b",",
        b";",
        b"-",
        b".",
        b"/",
        b"../",
        b"<!--",
        b"<![CDATA[",
    ),
    *(b"-1", b"0", b"1e999", b"NaN", b"null", b"99999999999999999999"),
)
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def flip(rng: random.Random, content: bytearray, at: int, _: int) -> None:
    content[at] ^= 1 << rng.randrange(8)


def cut(_: random.Random, content: bytearray, at: int, _end: int) -> None:
    del content[at:]


def leave_out(_: random.Random, content: bytearray, at: int, end: int) -> None:
    del content[at:end]


def repeat(rng: random.Random, content: bytearray, at: int, end: int) -> None:
    content[at:at] = content[at:end][:4096] * rng.choice((1, 2, 20))


def insert(rng: random.Random, content: bytearray, at: int, _: int) -> None:
    content[at:at] = rng.choice(_ODD)


def swap(rng: random.Random, content: bytearray, at: int, end: int) -> None:
    other = rng.randrange(len(content))
    one, two = content[at:end], content[other : other + end - at]
    content[at:end] = two
    content[other : other + len(one)] = one


def count_otherwise(rng: random.Random, content: bytearray, at: int, _: int) -> None:
    size = rng.choice((1, 2, 4))
    content[at : at + size] = (rng.choice(_NUMBERS) % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))


def say_otherwise(rng: random.Random, content: bytearray, _at: int, _end: int) -> None:
    """Another word, number or element in the place of one."""
    tokens = list(_TOKEN.finditer(bytes(content[:20_000])))
    if tokens:
        one, two = rng.choice(tokens), rng.choice(tokens)[0]
        content[one.start() : one.end()] = rng.choice((two, b"", one[0] * 2, one[0] + two, rng.choice(_ODD)))


HARMS: tuple[Callable[[random.Random, bytearray, int, int], None], ...] = (
    *(flip, cut, leave_out, repeat, insert, swap, count_otherwise),
    *(say_otherwise,) * 4,
)


def harmed(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if changed:
            at = rng.randrange(len(changed))
            rng.choice(HARMS)(rng, changed, at, at + rng.choice((1, 2, 8, 32, len(changed))))
    return bytes(changed)


def damaged(rng: random.Random, name: str, content: bytes) -> bytes:
    """The file with some harm done to it, or to what is packed in it."""
    if rng.random() < 0.25 or not name.endswith((".zip", ".kmz", ".xlsx", ".ods", ".gz")):
        return harmed(rng, content)
    if name.endswith(".gz"):
        return gzip.compress(harmed(rng, gzip.decompress(content)), mtime=0)
    files = members(content)
    names = list(files)
    one = rng.choice(names)
    how = rng.randrange(10)
    if how == 0:
        del files[one]
    else:
        files[one] = files[rng.choice(names)] if how == 1 else harmed(rng, files[one])
    return zipped(files)


def outcome(path: Path, desk: Desk) -> str:
    """What became of the file. Raises whatever a reader raises that is no refusal."""
    try:
        tables = tables_in(path, path.name, Reading(), desk)
    except ReadingError:
        return "refused"
    said = "refused"
    for opened in tables.values():
        target = desk.path("out.parquet")

        def stage(write: Callable[[Path], object], to: Path = target) -> StagedTable:
            write(to)
            return StagedTable(to)

        try:
            proven = prove(opened(), {}, stage, may_be_empty=True)
        except ReadingError:
            continue
        assert proven.rows_in == proven.staged.rows + len(proven.rejects)
        said = "read"
    return said


def outcomes(name: str, folder: Path) -> list[str]:
    """What became of each damaged file, and in the end of the good one; the one that is being read lies in `folder`."""
    good, found = good_files()[name], []
    every = [damaged(random.Random(f"{name} {case}"), name, good) for case in range(CASES)]  # noqa: S311
    scratch = folder / "desk"
    scratch.mkdir()
    with open_desk(scratch, IngestSettings()) as desk:
        for content in (*every, good):
            path = folder / name
            path.write_bytes(content)
            found.append(outcome(path, desk))
            desk.clear()
    return found


@pytest.fixture(scope="module")
def apart() -> Iterator[Callable[[str, Path], list[str]]]:
    """Run `outcomes` in a process, which is another after one that ended."""
    pools: list[ProcessPoolExecutor] = []

    def run(name: str, folder: Path) -> list[str]:
        if not pools:
            pools.append(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
        try:
            return pools[0].submit(outcomes, name, folder).result(PATIENCE)
        except (OSError, RuntimeError, TimeoutError):
            for process in (pools.pop()._processes or {}).values():  # noqa: SLF001  one that hangs has no other end
                process.kill()
            raise

    yield run
    for pool in pools:
        pool.shutdown()


@pytest.mark.parametrize("name", good_files())
def test_a_damaged_file_is_a_table_that_adds_up_or_is_refused_and_a_good_one_is_read_after_it(apart, tmp_path, name):
    said = apart(name, tmp_path)
    assert "refused" in said
    assert (len(said), said[-1]) == (CASES + 1, "read")
