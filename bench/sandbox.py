"""Sandboxes beside plain JupyterLab: starts, the first cell, reading, grants while they run, and many at once.

Writes the section of docs/benchmarks.md that stands between its two marks. A bound that compares is on figures of this
one run, taken turn by turn. As root; `--many 0` leaves out the thirty.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb

if sys.path[0] == str(Path(__file__).parent):
    sys.path[0] = str(Path(__file__).parents[1])

from bench import doors
from bench.boxes import Box, jailed, kept, memory, plain
from bench.measure import REPOSITORY
from sandbox.hub.early import Pool
from sandbox.limits import Limits
from sandbox.live.watch import watching
from sandbox.process import start
from sandbox.profile import profile_of, warm_profile
from sandbox.python import PYTHON
from sandbox.settings import SandboxSettings
from sandbox.warm import Warm

if TYPE_CHECKING:
    from catalog.lab import Lab

REPORT = REPOSITORY / "docs" / "benchmarks.md"
_MARKED = re.compile(r"(<!-- sandbox -->\n).*?(\n<!-- /sandbox -->)", re.DOTALL)
_COLD, _WARM, _CELL, _READ, _LIVE, _MEMORY, _ANSWERS = 1.1, 0.5, 1.0, 1.05, 0.1, 1.1, 1

SUMS = "SELECT commune, count(*) AS n, sum(montant) AS total FROM {table} GROUP BY commune ORDER BY total DESC LIMIT 20"
CELL = f'import lab; print(len(lab.sql("{SUMS.format(table="mesure.lignes")}").fetchall()))'
READ = """
import glob, sys, time, duckdb
con = duckdb.connect()
con.execute("SET threads = 2")
files = glob.glob(sys.argv[1])
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    con.sql(f"SELECT sum(hash(COLUMNS(*))) FROM read_parquet({files})").fetchall()
    print(time.perf_counter() - begun, flush=True)
"""
SEE = """
import os, sys, time
for line in sys.stdin:
    there = line.strip() == "come"
    while os.path.exists("/data/mesure/raw/lignes") != there:
        time.sleep(0.0005)
    print(time.monotonic(), flush=True)
"""
GRANT = '\n  - {to: "user:ana", edition: raw, purposes: any, until: 2999-01-01, why: "bench"}\n'


@dataclass(frozen=True, kw_only=True)
class Found:
    """Seconds, each a median, but for `many`: MB a JupyterLab takes, plain and jailed, and seconds to an answer."""

    plain: float
    cold: float
    warm: float
    cell_plain: float
    cell_warm: float
    outside: float
    inside: float
    given: float
    taken: float
    many: Many | None


@dataclass(frozen=True, kw_only=True)
class Many:
    """So many at once: MB each, and the slowest of `rounds` answers while a CPU hog and a disk hog are among them."""

    number: int
    plain: float
    jailed: float
    quiet: float
    hogs: float


def main() -> None:
    """Make a lab with one table, measure, and write the section."""
    asked = _arguments()
    page = asked.report.read_text(encoding="utf-8")
    if len(_MARKED.findall(page)) != 1:
        sys.exit(f"{asked.report}: has not one section between <!-- sandbox --> and <!-- /sandbox -->")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as name:
        folder = Path(name)
        parquet = folder / "mesure.parquet"
        duckdb.connect().execute(f"COPY ({doors.TABLE.format(rows=asked.rows)}) TO '{parquet}' (COMPRESSION zstd)")
        lab = _with_users(doors.make_lab(folder / "lab", parquet), asked.many)
        found = _measured(lab, folder, asked.rounds, asked.many)
    text = section(found, asked.rows, asked.rounds, load)
    asked.report.write_text(_MARKED.sub(lambda marks: marks[1] + text + marks[2], page), encoding="utf-8")
    print(text)


def _with_users(lab: Lab, number: int) -> Lab:
    path = lab.root / "datalab.toml"
    users = "".join(f"u{one} = []\n" for one in range(number))
    path.write_text(path.read_text(encoding="utf-8").replace("ana = []\n", f"ana = []\n{users}"), encoding="utf-8")
    return type(lab).open(lab.root)


def _measured(lab: Lab, folder: Path, rounds: int, number: int) -> Found:
    settings = lab.section("sandbox", SandboxSettings)
    limits = Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus)
    starts: dict[str, list[float]] = {"plain": [], "cold": [], "warm": [], "cell plain": [], "cell warm": []}
    for turn in range(rounds):
        print(f"starts, turn {turn + 1}", file=sys.stderr)
        with plain(folder / "plain") as box:
            starts["plain"].append(box.seconds)
            starts["cell plain"].append(_cell(box, "print(20)"))
        with jailed(lab, "ana") as box:
            starts["cold"].append(box.seconds)
        with Warm(warm_profile(lab, settings), limits) as warm:
            warm.wait()
            with jailed(lab, "ana", warm) as box:
                starts["warm"].append(box.seconds)
                starts["cell warm"].append(_cell(box, CELL))
    outside, inside = _reading(lab, settings, rounds)
    given, taken = _live(lab, settings, rounds)
    return Found(
        plain=median(starts["plain"]),
        cold=median(starts["cold"]),
        warm=median(starts["warm"]),
        cell_plain=median(starts["cell plain"]),
        cell_warm=median(starts["cell warm"]),
        outside=outside,
        inside=inside,
        given=given,
        taken=taken,
        many=_many(lab, folder, number) if number else None,
    )


def _cell(box: Box, code: str) -> float:
    seconds, said = box.first_cell(code)
    if said.strip() != "20":
        sys.exit(f"the first cell answers {said}")
    return seconds


def _reading(lab: Lab, settings: SandboxSettings, rounds: int) -> tuple[float, float]:
    """Every value of the table, hashed, by the same Python outside and inside, turn by turn."""
    print("reading", file=sys.stderr)
    (path,) = (lab.lake.edition_path("mesure", "open") / "lignes").glob("*.parquet")
    python = str(REPOSITORY / ".venv-sandbox" / "bin" / "python")
    limits = Limits(memory=settings.memory, pids=settings.pids, cpus=2)
    outside, inside = [], []
    for _ in range(rounds):
        told = subprocess.run([python, "-c", READ, str(path), "3"], check=True, capture_output=True, text=True).stdout
        outside.append(min(map(float, told.split())))
        command = (PYTHON, "-c", READ, "/data/mesure/open/lignes/*.parquet", "3")
        profile = profile_of(lab, "ana", settings, purpose=None, command=command, warn=lambda _: None)
        with start(profile, limits) as box:
            out, _ = box.bwrap.communicate()
        inside.append(min(map(float, out.decode().split())))
    return median(outside), median(inside)


def _live(lab: Lab, settings: SandboxSettings, rounds: int) -> tuple[float, float]:
    """From the write of a policy to the moment when a process inside sees the folder come, or go."""
    print("grants", file=sys.stderr)
    raw = lab.lake.stage(
        "mesure",
        "raw",
        "lignes",
        lambda path: duckdb.connect().execute(f"COPY (SELECT 1 AS id) TO '{path}' (FORMAT parquet)"),
    )
    lab.lake.commit("mesure", "raw", {"lignes": (raw, (), {"source": "bench"})})
    policy = lab.root / "policies" / "mesure.yaml"
    before = policy.read_text(encoding="utf-8")
    bare = before.replace("grants: [{", "grants:\n  - {").replace("}]", "}")
    policy.write_text(bare, encoding="utf-8")
    profile = profile_of(
        lab, "ana", settings, purpose=None, command=("/usr/bin/python3", "-c", SEE), warn=lambda _: None
    )
    times: dict[str, list[float]] = {"come": [], "go": []}
    limits = Limits(memory=settings.memory, pids=settings.pids, cpus=2)
    with start(profile, limits, stdin=subprocess.PIPE) as box:
        stdin, stdout = box.bwrap.stdin, box.bwrap.stdout
        if stdin is None or stdout is None:
            raise RuntimeError
        stdin.write(b"go\n")
        stdin.flush()
        stdout.readline()
        with watching(lab, "ana", None, box, warn=lambda said: print(said, file=sys.stderr), end=sys.exit):
            time.sleep(3)
            for word, text in (("come", bare + GRANT), ("go", bare)) * max(rounds, 5):
                stdin.write(f"{word}\n".encode())
                stdin.flush()
                time.sleep(0.5)
                begun = time.monotonic()
                policy.write_text(text, encoding="utf-8")
                times[word].append(float(stdout.readline()) - begun)
    policy.write_text(before, encoding="utf-8")
    return median(times["come"]), median(times["go"])


def _many(lab: Lab, folder: Path, number: int) -> Many:
    """So many plain ones, then so many of the Hub's, each of another user; then a hog of each kind among them."""
    print(f"{number} at once", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(plain(folder / f"plain{one}")) for one in range(number)]
        of_plain = sum(memory(box.pid) for box in boxes) / number
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(contextlib.closing(Pool(lab, 0)))
        boxes = [stack.enter_context(kept(lab, pool, f"u{one}")) for one in range(number)]
        of_jailed = sum(memory(box.pid) for box in boxes) / number
        quiet = max(_answer(box) for box in boxes[2:])
        settings = lab.section("sandbox", SandboxSettings)
        limits = Limits(memory=settings.memory, pids=settings.pids, cpus=settings.cpus)
        for user, hog in (("u0", "while :; do :; done"), ("u1", "while :; do cat /dev/zero >~/big; rm ~/big; done")):
            profile = profile_of(lab, user, settings, purpose=None, command=("/bin/sh", "-c", hog), warn=lambda _: None)
            stack.enter_context(start(profile, limits, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(5)
        hogs = max(_answer(box) for box in boxes[2:])
    return Many(number=number, plain=of_plain, jailed=of_jailed, quiet=quiet, hogs=hogs)


def _answer(box: Box) -> float:
    begun = time.perf_counter()
    box.get("/api/contents")
    return time.perf_counter() - begun


def section(found: Found, rows: int, rounds: int, load: float) -> str:
    """The tables, as Markdown. Pure, but for the names of this machine."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    machine = (
        f"{os.cpu_count()} cores, {memory_gb:.0f} GB, Python {platform.python_version()}, duckdb {duckdb.__version__}"
    )
    lines = [
        f"{rows} rows, {rounds} rounds, medians; {machine}; load before {load:.1f}.",
        "",
        "| | plain JupyterLab | sandbox, cold | sandbox, warm |",
        "|---|---|---|---|",
        f"| start to the first answer of `/api` | {found.plain:.2f} s | {found.cold:.2f} s | {found.warm:.2f} s |",
        f"| a kernel, its first cell | {found.cell_plain:.2f} s, `print` | – | {found.cell_warm:.2f} s, `lab.sql` |",
    ]
    many = found.many
    if many is not None:
        lines += [
            f"| {many.number} at once, memory of each | {many.plain:.0f} MB | {many.jailed:.0f} MB | – |",
            f"| the slowest answer of the others | – | {many.quiet * 1000:.0f} ms | – |",
            f"| the same with a CPU hog and a disk hog among them | – | {many.hogs * 1000:.0f} ms | – |",
        ]
    ratio, read = found.cold / found.plain, found.inside / found.outside
    promises = [
        (f"a cold start at most {_COLD} x plain JupyterLab's", f"{ratio:.2f} x", ratio <= _COLD),
        (f"a warm start under {_WARM} s", f"{found.warm:.2f} s", found.warm < _WARM),
        (f"the first cell of `lab.sql` under {_CELL:.0f} s warm", f"{found.cell_warm:.2f} s", found.cell_warm < _CELL),
        (f"reading inside at most {_READ} x outside", f"{read:.2f} x", read <= _READ),
        ("a grant appears in less than 100 ms", f"{found.given * 1000:.0f} ms", found.given < _LIVE),
        ("a grant that is revoked is gone in less than 100 ms", f"{found.taken * 1000:.0f} ms", found.taken < _LIVE),
    ]
    if many is not None:
        share = many.jailed / many.plain
        promises.append(
            (f"{many.number} within the memory of as many plain ones + 10%", f"{share:.2f} x", share <= _MEMORY)
        )
        promises.append(
            (f"each answers within {_ANSWERS} s beside the hogs", f"{many.hogs * 1000:.0f} ms", many.hogs < _ANSWERS)
        )
    lines += ["", "| promise | measured | |", "|---|---|---|"]
    lines += [f"| {what} | {said} | {'held' if held else '**not held**'} |" for what, said, held in promises]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=6_000_000)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--many", type=int, default=30)
    asked.add_argument("--report", type=Path, default=REPORT)
    return asked.parse_args()


if __name__ == "__main__":
    main()
