"""The example lab, timed: first ingest with editions and catalogue, then again with nothing changed.

Writes the section of docs/benchmarks.md that stands between its two marks. Each figure is the median of RUNS runs, each
in a fresh copy of the lab and a process of its own; the spread is from the fastest to the slowest.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LAB = REPOSITORY / "examples" / "normandie"
REPORT = REPOSITORY / "docs" / "benchmarks.md"
RUNS = 5
STEPS = {
    "first ingest, with editions": ("ingest",),
    "catalogue (DCAT-AP)": ("dcat",),
    "ingest again, all unchanged": ("ingest",),
}


def measure(lab: Path, command: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of wall clock and peak resident MB of one `datalab` command."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "datalab", "--lab", str(lab), *command],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"datalab {' '.join(command)} failed with {child.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def run() -> dict[str, list[tuple[float, float]]]:
    """All steps, RUNS times."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
    for number in range(RUNS):
        print(f"run {number + 1} of {RUNS}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            lab = Path(folder) / "lab"
            shutil.copytree(LAB, lab, ignore=shutil.ignore_patterns("var"))
            for name, command in STEPS.items():
                figures[name].append(measure(lab, command))
    return figures


def table(figures: dict[str, list[tuple[float, float]]]) -> str:
    """The section for docs/benchmarks.md."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "deltalake", "pyarrow"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        f"{RUNS} runs; {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, {packages}.",
        "",
        "| step | seconds, median | fastest to slowest | peak memory, MB |",
        "|---|---|---|---|",
    ]
    for name, runs in figures.items():
        seconds = [one for one, _ in runs]
        peak = max(megabytes for _, megabytes in runs)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        lines.append(f"| {name} | {statistics.median(seconds):.2f} | {spread} | {peak:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    section = table(run())
    marked = re.compile(r"(<!-- example -->\n).*?(\n<!-- /example -->)", re.DOTALL)
    text = REPORT.read_text(encoding="utf-8")
    REPORT.write_text(marked.sub(lambda found: found[1] + section + found[2], text), encoding="utf-8")
    print(section)
