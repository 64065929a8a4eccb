"""`datalab convert`, side by side with a bare typed COPY of DuckDB and with peers, on the files of french_csv.py.

Writes the section of docs/benchmarks.md that stands between its two marks. Each contender runs in a process of its own,
and all take turns, so that what else the machine does hits all alike: `--runs` rounds, of which median and spread are
told. Ratios are to the bare COPY of the same round. Peers are measured on the first size alone; the slow ones on a
slice, scaled up. `--gb 1 4` needs 16 GB of disk in `--data`, or else in TMPDIR.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bench.french_csv import ROWS_PER_GB, file_name
from bench.ingest_report import Entry, Machine, Size, Small, section
from bench.measure import REPOSITORY, Failure, Run, measure
from bench.right import written

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT = REPOSITORY / "docs" / "benchmarks.md"
PEERS = REPOSITORY / ".venv-bench" / "bin" / "python"
SLICE_GB = 0.05
_MARKED = re.compile(r"(<!-- ingest -->\n).*?(\n<!-- /ingest -->)", re.DOTALL)
KINDS = {"utf8": "UTF-8", "cp1252": "cp1252", "signs": "cp1252 with € œ ’"}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who is measured: its row in the table, the kind of file it reads, and if it gets only a slice of it."""

    key: str
    title: str
    kind: str = "utf8"
    slice: bool = False

    @property
    def ours(self) -> bool:
        """DataLab itself, and not a peer."""
        return self.key.startswith("ours")

    def argv(self, source: Path, out: Path) -> list[str]:
        """The command that reads `source`, a file or a folder of small ones, and writes to the folder `out`."""
        if self.ours:
            files = [source] if source.is_file() else sorted(source.iterdir())
            return [sys.executable, "-m", "datalab", "convert", *map(str, files), "--out", str(out)]
        python = sys.executable if self.key == "bare" else str(PEERS)
        return [python, "-m", "bench.peers", self.key, str(source), str(out)]


LARGE = (
    Contender(key="bare", title="DuckDB, bare typed COPY"),
    Contender(key="ours", title="**datalab convert**"),
    Contender(key="ours-cp1252", title="**datalab convert**, cp1252", kind="cp1252"),
    Contender(key="ours-signs", title="**datalab convert**, cp1252 with € œ ’", kind="signs"),
    Contender(key="polars", title="polars"),
    Contender(key="pyarrow", title="pyarrow.csv"),
    Contender(key="pandas", title="pandas"),
    Contender(key="dlt", title="dlt from Arrow"),
    Contender(key="dlt-ids", title="dlt from Arrow, with its row ids"),
    Contender(key="dlt-dicts", title="dlt from dicts", slice=True),
    Contender(key="csv-detective", title="csv-detective (describes only)", slice=True),
    Contender(key="frictionless", title="frictionless (validates only)", slice=True),
)
SMALL = tuple(one for one in LARGE if one.key in {"ours", "polars", "pandas"})


def main() -> None:
    """Make the files, measure, and write the section."""
    asked, before = _arguments(), Machine(load=os.getloadavg()[0], squares=_squares())
    chosen = [one for one in LARGE if asked.only is None or one.key in asked.only]
    page = asked.report.read_text(encoding="utf-8")
    if len(_MARKED.findall(page)) != 1:
        sys.exit(f"{asked.report}: has not one section between <!-- ingest --> and <!-- /ingest -->")
    with _folder(asked.data) as data:
        sizes = []
        for number, gb in enumerate(asked.gb):
            mine = [one for one in chosen if number == 0 or one.ours or one.key == "bare"]
            sizes.append(_large(data, gb, mine, asked.runs))
        small = _small(data, asked.small, [one for one in SMALL if one in chosen and asked.small > 0], asked.runs)
    text = section(sizes, small, asked.runs, before, _versions())
    asked.report.write_text(_MARKED.sub(lambda marks: marks[1] + text + marks[2], page), encoding="utf-8")
    print(text)


def _large(data: Path, gb: float, contenders: list[Contender], runs: int) -> Size:
    rows, part = round(gb * ROWS_PER_GB), round(min(gb, SLICE_GB) * ROWS_PER_GB)
    _make(data, "--rows", str(rows), *(("--rows", str(part)) if any(one.slice for one in contenders) else ()))
    entries = {one.key: Entry(title=one.title, kind=KINDS[one.kind]) for one in contenders}
    full = (data / file_name(rows, "utf8")).stat().st_size
    for number, one in _rounds(contenders, runs):
        source = data / file_name(part if one.slice else rows, one.kind)
        entry = entries[one.key]
        if entry.failure is not None:
            continue
        with tempfile.TemporaryDirectory(dir=data) as folder:
            out = Path(folder)
            entry.add(_run(one, source, out))
            if number == 0 and entry.failure is None:
                entry.scale = full / source.stat().st_size if one.slice else 1
                entry.bytes = sum(file.stat().st_size for file in written(out))
                entry.verdicts = _verdicts(out, part if one.slice else rows, one.kind)
    return Size(gb=full / 1e9, rows=rows, slice_gb=part / ROWS_PER_GB, entries=entries)


def _small(data: Path, count: int, contenders: list[Contender], runs: int) -> Small:
    _make(data, "--small", str(count))
    entries = {one.key: Entry(title=one.title, kind="UTF-8 and cp1252") for one in contenders}
    files = {one.key: 0 for one in contenders}
    for _, one in _rounds(contenders, runs):
        if entries[one.key].failure is None:
            with tempfile.TemporaryDirectory(dir=data) as folder:
                entries[one.key].add(_run(one, data / f"small-{count}", Path(folder)))
                files[one.key] = len(written(Path(folder)))
    return Small(count=count, written=files, entries=entries)


def _rounds(contenders: list[Contender], runs: int) -> Iterator[tuple[int, Contender]]:
    for number in range(runs):
        for one in contenders:
            print(f"round {number + 1} of {runs}: {one.key}", file=sys.stderr)
            yield number, one


def _run(one: Contender, source: Path, out: Path) -> Run | Failure:
    if not one.ours and one.key != "bare" and not PEERS.exists():
        return Failure(why="not installed: make .venv-bench/.made")
    return measure(one.argv(source, out))


def _make(data: Path, *what: str) -> None:
    # In a process of its own, as the memory that this one takes would count in what it starts.
    subprocess.run([sys.executable, "-m", "bench.french_csv", str(data), *what], cwd=REPOSITORY, check=True)


def _verdicts(out: Path, rows: int, kind: str) -> dict[str, str]:
    signs = ["--signs"] if kind == "signs" else []
    command = [sys.executable, "-m", "bench.right", str(out), str(rows), *signs]
    found: dict[str, str] = json.loads(subprocess.check_output(command, cwd=REPOSITORY))
    return found


def _squares() -> float:
    start = time.process_time()
    sum(number * number for number in range(10_000_000))
    return time.process_time() - start


def _versions() -> dict[str, str]:
    """Those of the engine that DataLab and the bare COPY share, then of the peers."""
    found = {name: version(name) for name in ("duckdb", "pyarrow")}
    if PEERS.exists():
        names = ["polars", "pandas", "dlt", "csv-detective", "frictionless"]
        asking = "import sys, importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
        found |= json.loads(subprocess.check_output([str(PEERS), "-c", asking, *names]))
    return found


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as folder:
        yield Path(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, nargs="+", default=[1.0], help="sizes of the large file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--small", type=int, default=2000, help="how many small files")
    parser.add_argument("--only", nargs="+", choices=[one.key for one in LARGE], help="all, if not given")
    parser.add_argument("--data", type=Path, help="a folder that is kept, with the files, for the next time")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
