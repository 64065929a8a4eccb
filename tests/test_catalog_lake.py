"""A snapshot counts when it is whole and on disk; until then the one before it serves."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pydantic import ValidationError

from catalog import upkeep
from catalog.lake import Current, Lake, ServedColumn
from catalog.receipt import Receipt
from catalog.settings import LakeSettings
from policies.errors import LakeError

COLUMNS = (ServedColumn(name="a", type="BIGINT"),)
RULE = LakeSettings()


def put(lake: Lake, *values: int, edition: str = "open", **receipt: str) -> None:
    staged = lake.stage("jeu", edition, "t", lambda path: pq.write_table(pa.table({"a": list(values)}), path))
    lake.commit("jeu", edition, {"t": (staged, COLUMNS, {"rows_out": len(values), **receipt})})


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
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    put(lake, 3)
    assert values(lake) == [3]
    assert [entry["rows_out"] for entry in lake.history("jeu", "open", "t")] == [1, 1]


def test_a_disk_that_refuses_once_the_snapshot_counts_is_told_as_that(tmp_path):
    asked = []

    def broken_at_last(_: Path) -> None:
        asked.append(1)
        if len(asked) == 2:
            raise OSError(errno.EIO, "Input/output error")

    lake = Lake(tmp_path)
    put(lake, 1)
    with pytest.raises(LakeError, match="current.json: counts, but the disk does not confirm that it is durable"):
        put(Lake(tmp_path, sync=broken_at_last), 1, 2)
    assert values(lake) == [1, 2]
    put(lake, 3)
    assert [entry["rows_out"] for entry in lake.history("jeu", "open", "t")] == [1, 2, 1]


REFUSED = """
import errno, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq, pyseccomp
from catalog.lake import Lake, ServedColumn, sync_filesystem

def refuse(names):
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in names:
        rules.add_rule(pyseccomp.ERRNO(errno.EDQUOT), name)
    rules.load()

def last_moment(path):
    "All but the pointer is written: from here on the kernel refuses the call."
    if sys.argv[2] != "syncfs":
        sync_filesystem(path)
        refuse(sys.argv[2:])

if sys.argv[2] == "syncfs":
    refuse(["syncfs"])
    lake = Lake(Path(sys.argv[1]))
else:
    lake = Lake(Path(sys.argv[1]), sync=last_moment)
staged = lake.stage("jeu", "open", "t", lambda path: pq.write_table(pa.table({"a": [1, 2]}), path))
try:
    lake.commit("jeu", "open", {"t": (staged, (ServedColumn(name="a", type="BIGINT"),), {"rows_out": 2})})
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@pytest.mark.parametrize("calls", [["syncfs"], ["fsync", "fdatasync"], ["rename", "renameat", "renameat2"]])
def test_no_commit_counts_when_the_kernel_refuses_a_call_that_its_durability_stands_on(tmp_path, calls):
    lake = Lake(tmp_path)
    put(lake, 1)
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(tmp_path), *calls],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("EDQUOT\n", "")
    assert values(lake) == [1]


class Killed(BaseException):
    """Nothing in the product catches it."""


def test_a_death_after_delta_rs_wrote_its_checkpoint_does_not_stop_later_commits(tmp_path):
    def die(_: Path) -> None:
        raise Killed

    lake = Lake(tmp_path, sync=lambda _: None)
    for number in range(99):
        put(lake, number)
    with pytest.raises(Killed):
        put(Lake(tmp_path, sync=die), 99)
    log = lake.edition_path("jeu", "open") / "t" / "_delta_log"
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 99
    for number in range(100, 103):
        put(lake, number)
    assert values(lake) == [102]
    assert len(lake.history("jeu", "open", "t")) == 102
    # The checkpoint that counts, of the second try, is kept: a long log stays quick to open
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 99
    assert DeltaTable(log.parent).to_pyarrow_table()["a"].to_pylist() == [102]


@pytest.mark.parametrize("harm", [b"", b"{", b'{"version": 7}'])
def test_a_damaged_hint_at_a_checkpoint_is_taken_away(tmp_path, harm):
    lake = Lake(tmp_path)
    put(lake, 1)
    (lake.edition_path("jeu", "open") / "t" / "_delta_log" / "_last_checkpoint").write_bytes(harm)
    put(lake, 2)
    assert values(lake) == [2]


def test_a_damaged_log_is_named_and_starts_anew_once_it_is_taken_away(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    put(lake, 2)
    log = lake.edition_path("jeu", "open") / "t" / "_delta_log"
    (log / f"{1:020}.json").unlink()
    with pytest.raises(LakeError, match=f"{log.parent}: its Delta log is damaged .*take _delta_log away"):
        put(lake, 3)
    with pytest.raises(LakeError, match="its Delta log is damaged"):
        lake.history("jeu", "open", "t")
    assert values(lake) == [2]
    shutil.rmtree(log)
    put(lake, 3)
    assert values(lake) == [3]
    assert len(lake.history("jeu", "open", "t")) == 1


def test_a_type_that_delta_lacks_is_refused_by_name(tmp_path):
    lake = Lake(tmp_path)
    table = pa.table({"a": pa.array([1], pa.time64("us"))})
    staged = lake.stage("jeu", "open", "t", lambda path: pq.write_table(table, path))
    with pytest.raises(LakeError, match="jeu/open/t: Delta has no such type: .*Time64"):
        lake.commit("jeu", "open", {"t": (staged, COLUMNS, {})})
    assert lake.current("jeu", "open") is None


def test_what_is_no_parquet_file_is_not_staged(tmp_path):
    with pytest.raises(LakeError, match="no whole Parquet file"):
        Lake(tmp_path).stage("jeu", "open", "t", lambda path: path.write_bytes(b"PAR1"))
    assert list(tmp_path.rglob("*.parquet")) == []


POINTER_1 = """{
 "layout": 1,
 "resources": {
  "t": {
   "version": 3,
   "files": {"part-0.parquet": 484},
   "rows": 1,
   "committed": "2026-05-04T03:02:01Z",
   "columns": [{"name": "a", "type": "BIGINT"}],
   "receipt": {
    "layout": 1, "dataset": "jeu", "resource": "t", "source": "sources/data.csv", "origin": "essai", "etag": null,
    "last_modified": null, "sha256": "ab", "bytes": 4, "fetched": "2026-05-04T03:02:00Z", "format": "csv",
    "dialect": {"delimiter": ";", "header_row": 1}, "rows_in": 2, "rows_out": 1, "rejected": 1,
    "rejects": [{"line": 3, "reason": "'x' is no integer", "text": "x"}],
    "columns": [{"name": "a", "source_name": "A", "type": "integer", "nulls": 0, "why": "declared"}],
    "reading": "cd", "seconds": 0.1
   }
  }
 }
}"""


@pytest.mark.parametrize("added", ["", '"of_a_later_release": [1], '])
def test_what_release_1_stored_is_read_with_and_without_fields_of_later_ones(tmp_path, added):
    lake = Lake(tmp_path)
    folder = lake.edition_path("jeu", "raw")
    folder.mkdir(parents=True)
    text = POINTER_1
    for field in ('"layout": 1', '"version"', '"name": "a", "type"', '"line"', '"name": "a", "source_name"'):
        assert field in text
        text = text.replace(field, added + field)
    (folder / "current.json").write_text(text)
    current = lake.current("jeu", "raw")
    (known,) = Current.model_validate_json(POINTER_1).resources.values()
    served = current.resources["t"]
    assert served.model_copy(update={"receipt": known.receipt}) == known
    receipt = Receipt.model_validate(served.receipt)
    assert (receipt.layout, receipt.rows_in, receipt.rejects[0].line, receipt.columns[0].nulls) == (1, 2, 3, 0)


def test_a_receipt_needs_its_proof_and_may_lack_the_rest():
    needed = {"dataset", "resource", "source", "sha256", "fetched", "rows_in", "rows_out", "rejected", "reading"}
    stored = json.loads(POINTER_1)["resources"]["t"]["receipt"]
    least = {name: value for name, value in stored.items() if name in needed}
    assert Receipt.model_validate(least).rejects == ()
    for name in needed:
        with pytest.raises(ValidationError):
            Receipt.model_validate({key: value for key, value in least.items() if key != name})


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


def test_a_mended_pointer_serves_the_newest_snapshot_that_is_whole(tmp_path):
    lake = Lake(tmp_path)
    for number in range(4):
        put(lake, number)
    folder = lake.edition_path("jeu", "open")
    log = folder / "t" / "_delta_log"
    (log / f"{3:020}.json").write_text("{")
    (newest,) = [name for name in DeltaTable(folder / "t", version=2).file_uris() if name.endswith(".parquet")]
    Path(newest).write_bytes(b"PAR1")
    (folder / "current.json").write_text("{")
    assert upkeep.mend(lake, "jeu") == [
        f"{folder}/current.json: was damaged; made again from the Delta logs, with t version 1"
    ]
    assert values(lake) == [1]
    assert upkeep.mend(lake, "jeu") == []
    put(lake, 9)
    assert len(lake.history("jeu", "open", "t")) == 3


def test_a_pointer_that_no_log_can_mend_serves_nothing_until_data_come(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1)
    folder = lake.edition_path("jeu", "open")
    (folder / "t" / "_delta_log" / f"{0:020}.json").write_text("{")
    (folder / "current.json").write_bytes(b"\xff")
    assert upkeep.mend(lake, "jeu") == [
        f"{folder}/current.json: was damaged; made again from the Delta logs, with no table"
    ]
    assert lake.current("jeu", "open").resources == {}
    put(lake, 2)
    assert values(lake) == [2]


def test_a_sweep_keeps_what_counted_under_todays_definition_and_takes_the_rest(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1, definition="old")
    put(lake, 2, definition="new")
    put(lake, 3, definition="new")
    put(lake, 1, edition="dropped", definition="new")
    table = lake.edition_path("jeu", "open") / "t"
    lake.stage("jeu", "open", "t", lambda path: pq.write_table(pa.table({"a": [4]}), path))
    lake.stage("jeu", "open", "never_counted", lambda path: pq.write_table(pa.table({"a": [4]}), path))
    (table / "_delta_log" / f"{3:020}.json").write_text("{")
    assert len(list(table.glob("*.parquet"))) == 4
    upkeep.sweep(lake, "jeu", {"open": {"t": "new", "never_counted": "new"}}, RULE)
    assert sorted(pq.read_table(path)["a"].to_pylist() for path in table.glob("*.parquet")) == [[2], [3]]
    assert lake.editions("jeu") == ["open"]
    assert [path.name for path in table.parent.iterdir() if path.is_dir()] == ["t"]
    assert [entry["definition"] for entry in lake.history("jeu", "open", "t")] == ["new", "new", "old"]
    assert DeltaTable(table).version() == 2


def test_a_sweep_leaves_no_file_of_an_edition_that_is_still_of_the_old_definition(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1, definition="old")
    upkeep.sweep(lake, "jeu", {"open": {"t": "new"}}, RULE)
    assert list(tmp_path.rglob("*.parquet")) == []
    put(lake, 2, definition="new")
    assert len(lake.history("jeu", "open", "t")) == 2


def test_a_sweep_takes_from_raw_only_what_never_counted_and_nothing_where_the_log_does_not_tell(tmp_path):
    lake = Lake(tmp_path)
    put(lake, 1, edition="raw")
    put(lake, 2, edition="raw")
    table = lake.edition_path("jeu", "raw") / "t"
    staged = lake.stage("jeu", "raw", "t", lambda path: pq.write_table(pa.table({"a": [3]}), path))
    (table / "_delta_log" / f"{0:020}.json").rename(tmp_path / "kept")
    upkeep.sweep(lake, "jeu", {}, RULE)
    assert len(list(table.glob("*.parquet"))) == 3
    (tmp_path / "kept").rename(table / "_delta_log" / f"{0:020}.json")
    upkeep.sweep(lake, "jeu", {}, RULE)
    assert len(list(table.glob("*.parquet"))) == 2
    assert not staged.path.exists()
    (table.parent / "current.json").unlink()
    upkeep.sweep(lake, "jeu", {}, RULE)
    assert len(list(table.glob("*.parquet"))) == 2


def aged(lake: Lake, edition: str, days: int) -> None:
    """Let every snapshot that is there be so many days older."""
    for path in (lake.edition_path("jeu", edition) / "t" / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] -= days * 86_400_000
        path.write_text("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize("edition", ["raw", "open"])
def test_files_of_old_snapshots_go_once_they_are_old_by_both_rules_and_their_receipts_stay(tmp_path, edition):
    lake = Lake(tmp_path)
    wanted = {"open": {"t": "d"}}
    for number in range(4):
        put(lake, number, edition=edition, definition="d")
    table = lake.edition_path("jeu", edition) / "t"
    aged(lake, edition, 3)
    put(lake, 4, edition=edition, definition="d")

    def left() -> list[int]:
        return sorted(pq.read_table(path)["a"].to_pylist()[0] for path in table.glob("*.parquet"))

    upkeep.sweep(lake, "jeu", wanted, LakeSettings(keep_versions=1, keep_days=4))
    assert left() == [0, 1, 2, 3, 4]
    upkeep.sweep(lake, "jeu", wanted, LakeSettings(keep_versions=3, keep_days=1))
    assert left() == [2, 3, 4]
    upkeep.sweep(lake, "jeu", wanted, LakeSettings(keep_versions=1, keep_days=0))
    assert left() == [4]
    assert len(lake.history("jeu", edition, "t")) == 5
    assert DeltaTable(table).to_pyarrow_table()["a"].to_pylist() == [4]
    put(lake, 5, edition=edition, definition="d")
    assert DeltaTable(table).version() == 5


def test_a_sweep_takes_what_a_killed_first_ingest_staged(tmp_path):
    lake = Lake(tmp_path)
    lake.stage("jeu", "raw", "t", lambda path: pq.write_table(pa.table({"a": [1]}), path))
    upkeep.sweep(lake, "jeu", {}, RULE)
    assert list(tmp_path.rglob("*.parquet")) == []


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
WATCHED = (
    "catalog/deltalog.py", "catalog/lake.py", "catalog/upkeep.py", "ingest/before.py", "ingest/commit.py",
    "ingest/editions.py", "ingest/held.py", "ingest/review.py", "ingest/run.py",
)

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
        if name.endswith(WATCHED):
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
