"""Many small files side by side."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import BrokenExecutor, Future

import pyarrow.parquet as pq
import pytest

from catalog.model import Reading
from ingest import batches
from ingest.batches import convert_all
from ingest.convert import convert
from ingest.settings import IngestSettings


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Ten small files, which are worth two processes here."""
    monkeypatch.setattr(batches, "_WORTH", 4)
    monkeypatch.setattr(batches, "_BATCH", 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    made = [tmp_path / "in" / f"t{number}.csv" for number in range(10)]
    made[0].parent.mkdir()
    for number, file in enumerate(made):
        file.write_text(f"code;n\n0{number};{number}\n", encoding="utf-8")
    return made


def converted(files, out):
    return convert_all(files, out, "parquet", Reading(), IngestSettings())


def test_small_files_are_converted_in_processes_and_in_their_order(files, tmp_path):
    files[4].write_bytes(b"")
    found = converted(files, tmp_path / "out")
    first = next(found)
    assert len(multiprocessing.active_children()) == 2
    all_of_them = [first, *found]
    assert [one.file for one in all_of_them] == files
    assert [one.file for one in all_of_them if one.error is not None] == [files[4]]
    assert pq.read_table(tmp_path / "out" / "t7.parquet").to_pylist() == [{"code": "07", "n": 7}]
    assert multiprocessing.active_children() == []
    assert len(list((tmp_path / "out").iterdir())) == 18


def test_files_of_one_name_and_large_ones_are_left_to_one_process(files, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_SMALL", 100)
    twin = tmp_path / "t3.csv"
    twin.write_text("x\n1\n", encoding="utf-8")
    files[5].write_text("a;b\n" + "1;2\n" * 100, encoding="utf-8")
    found = list(converted([twin, *files], tmp_path / "out"))
    assert [one.file for one in found[-3:]] == [twin, files[3], files[5]]
    assert found[-2].error is not None
    assert "is already made of" in found[-2].error


def test_no_process_writes_where_another_reads(files, tmp_path):
    found = converted(files, files[0].parent)
    assert next(found).file == files[0]
    assert multiprocessing.active_children() == []
    assert [one.file for one in found] == files[1:]


def test_what_a_process_that_was_killed_had_not_done_is_done_again(files, tmp_path):
    found = converted(files, tmp_path / "out")
    done = [next(found)]
    for process in multiprocessing.active_children():
        process.kill()
    done += found
    assert sorted(one.file for one in done) == files
    assert [one.error for one in done] == [None] * 10


def test_a_file_that_kills_its_process_is_named_and_the_others_are_read(files, tmp_path, monkeypatch):
    class Dying:
        """A pool of one process, which dies of the fourth file; the others it converts here."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, _batch, some, *rest):
            future = Future()
            if files[3] in some:
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(list(convert(some, *rest)))
            return future

    monkeypatch.setattr(batches, "_processes", lambda _: Dying())
    found = list(converted(files, tmp_path / "out"))
    assert {one.file: one.error for one in found if one.error is not None} == {
        files[3]: f"{files[3]}: its process died, killed or out of memory"
    }
    assert sorted(one.file for one in found) == files
