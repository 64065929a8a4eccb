"""A snapshot counts when it is whole and on disk; until then the one before it serves."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from catalog.lake import Lake, ServedColumn
from policies.errors import LakeError

COLUMNS = (ServedColumn(name="a", type="BIGINT"),)


def put(lake: Lake, *values: int) -> None:
    staged = lake.stage("jeu", "open", "t", lambda path: pq.write_table(pa.table({"a": list(values)}), path))
    lake.commit("jeu", "open", {"t": (staged, COLUMNS, {"rows_out": len(values)})})


def values(lake: Lake) -> list[int]:
    served = lake.current("jeu", "open").resources["t"]
    return pq.read_table(lake.files("jeu", "open", "t", served)[0])["a"].to_pylist()


def test_a_commit_serves_the_new_snapshot_and_keeps_the_old_version_readable(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    put(lake, 1, 2)
    assert values(lake) == [1, 2]
    assert [entry["rows_out"] for entry in lake.history("jeu", "open", "t")] == [2, 1]
    table = lake.edition_path("jeu", "open") / "t"
    assert DeltaTable(table, version=0).to_pyarrow_table()["a"].to_pylist() == [1]
    assert DeltaTable(table).to_pyarrow_table()["a"].to_pylist() == [1, 2]


def test_nothing_counts_before_it_is_synced(tmp_path):
    seen = []
    lake = Lake(tmp_path)
    put(lake, 1)
    watched = Lake(tmp_path, sync=lambda _: seen.append(values(lake)))
    put(watched, 1, 2)
    # Data and log are synced while the old snapshot still serves; then the pointer's own rename
    assert seen == [[1], [1, 2]]


def test_a_disk_that_refuses_to_sync_leaves_the_last_good_snapshot(tmp_path):
    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    lake = Lake(tmp_path)
    put(lake, 1)
    with pytest.raises(OSError, match="Input/output"):
        put(Lake(tmp_path, sync=broken), 1, 2)
    assert values(lake) == [1]
    put(lake, 3)
    assert values(lake) == [3]
    assert [entry["rows_out"] for entry in lake.history("jeu", "open", "t")] == [1, 1]


@pytest.mark.parametrize("torn", [b"", b'{"commitInfo":{"timest'])
def test_a_torn_log_entry_that_never_counted_is_neither_read_nor_built_upon(tmp_path, torn):
    lake = Lake(tmp_path)
    put(lake, 1)
    log = lake.edition_path("jeu", "open") / "t" / "_delta_log"
    (log / f"{1:020}.json").write_bytes(torn)
    assert values(lake) == [1]
    assert len(lake.history("jeu", "open", "t")) == 1
    put(lake, 1, 2)
    assert values(lake) == [1, 2]
    assert DeltaTable(log.parent).to_pyarrow_table()["a"].to_pylist() == [1, 2]


def test_a_first_commit_that_was_killed_does_not_stand_in_the_way(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    (lake.edition_path("jeu", "open") / "current.json").unlink()
    assert lake.current("jeu", "open") is None
    put(lake, 7)
    assert values(lake) == [7]


def test_a_truncated_file_and_a_missing_file_are_named(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    served = lake.current("jeu", "open").resources["t"]
    (path,) = lake.files("jeu", "open", "t", served)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LakeError, match=path.name):
        lake.files("jeu", "open", "t", served)
    path.unlink()
    with pytest.raises(LakeError, match="gone or damaged"):
        lake.files("jeu", "open", "t", served)


def test_a_damaged_pointer_is_an_error_and_not_an_empty_edition(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    pointer = lake.edition_path("jeu", "open") / "current.json"
    pointer.write_text(pointer.read_text()[:40])
    with pytest.raises(LakeError, match="current.json: damaged"):
        lake.current("jeu", "open")


def test_a_write_that_fails_leaves_no_file(tmp_path):
    def write(path: Path) -> None:
        path.write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    lake = Lake(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        lake.stage("jeu", "open", "t", write)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_table_may_change_its_columns_and_gain_a_timestamp(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    table = pa.table({"b": pa.array([0], pa.timestamp("us")), "g": [b"x"]})
    staged = lake.stage("jeu", "open", "t", lambda path: pq.write_table(table, path))
    columns = (ServedColumn(name="b", type="TIMESTAMP"), ServedColumn(name="g", type="BLOB"))
    lake.commit("jeu", "open", {"t": (staged, columns, {"rows_out": 1})})
    assert DeltaTable(lake.edition_path("jeu", "open") / "t").to_pyarrow_table().column_names == ["b", "g"]
    assert len(lake.history("jeu", "open", "t")) == 2


HOLDER = """
import sys
from pathlib import Path
from catalog.lake import Lake
with Lake(Path(sys.argv[1])).hold("jeu"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_jobs_never_hold_one_dataset_and_a_killed_job_lets_go(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(tmp_path),
        ],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    lake = Lake(tmp_path)
    with pytest.raises(LakeError, match="another job is writing"), lake.hold("jeu"):
        pass
    with lake.hold("other"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with lake.hold("jeu"):
        pass


KILLER = """
import json, os, signal, sys
from pathlib import Path
import catalog.lake, ingest.run
from catalog.lab import Lab
from catalog.query import connect

root, source = Path(sys.argv[1]), Path(sys.argv[2])
STEWARD = frozenset({"everyone", "user:steward", "group:stewards"})

def in_child(job):
    child = os.fork()
    if child == 0:
        try:
            job()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]

def repair():
    (outcome,) = ingest_once()
    assert outcome.error is None, outcome.error

def ingest_once():
    return list(ingest.run.ingest(Lab.open(root), "jeu", lambda _: None))

def killed_at(step, count):
    def profile(frame, event, argument):
        name = frame.f_code.co_filename
        if name.endswith(("catalog/lake.py", "ingest/run.py")):
            count[0] += 1
            if count[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)
    def job():
        sys.setprofile(profile)
        ingest_once()
        sys.setprofile(None)
        (root / "steps").write_text(str(count[0]))
    return job

def check():
    con = connect(Lab.open(root), STEWARD)
    seen = {edition: con.execute(f'SELECT list(n ORDER BY n) FROM "jeu@{edition}".t').fetchall()[0][0]
            for edition in ("open", "raw")}
    (root / "seen").write_text(json.dumps(seen))

def main():
    source.write_text("n;nom\\n1;a\\n")
    assert in_child(lambda: ingest_once()) == 0
    source.write_text("n;nom\\n1;a\\n2;b\\n")
    assert in_child(killed_at(0, [0])) == 0
    steps = int((root / "steps").read_text())
    results = []
    for step in sorted({*range(1, steps, max(1, steps // 40)), steps - 1, steps}):
        source.write_text(f"n;nom\\n{step};a\\n")
        assert in_child(repair) == 0
        source.write_text(f"n;nom\\n{step};a\\n-1;b\\n")
        status = in_child(killed_at(step, [0]))
        assert in_child(check) == 0
        after = json.loads((root / "seen").read_text())
        assert in_child(repair) == 0
        assert in_child(check) == 0
        results.append([step, status, after, json.loads((root / "seen").read_text())])
    print(json.dumps(results))

main()
"""


def test_kill_9_at_any_step_of_an_ingest_leaves_a_good_snapshot_and_the_next_run_repairs(folder):
    folder.table("jeu", "n;nom\n1;a\n")
    folder.grant(
        "jeu",
        {"open": {"t": {"keep": ["n"]}}},
        {"to": "everyone", "edition": "open"},
        {"to": "user:steward", "edition": "raw", "until": "2999-01-01"},
    )
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(folder.root), str(folder.root / "sources/data.csv")],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},  # Python warns of fork beside threads
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) > 30
    for step, status, after, repaired in results:
        assert os.WIFSIGNALED(status), step
        old, new = [step], [-1, step]
        assert after["raw"] in (old, new), step
        assert after["open"] in (old, new), step
        assert repaired == {"open": new, "raw": new}, step
