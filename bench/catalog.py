"""The catalogue of two thousand datasets: published to a real CKAN, searched, and told as DCAT.

Writes the section of docs/benchmarks.md that stands between its two marks. The datasets are those of the example lab,
again and again (many.py). A bound that compares is on figures of this one run. Needs what `make ckan-setup` installs,
and some ten minutes, for CKAN creates ten datasets a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.path[0] == str(Path(__file__).parent):  # run as a script: then `catalog` would be this file, and not the room
    sys.path[0] = str(Path(__file__).parents[1])

from bench.feeding import FeedTimes
from bench.many import communes, multiply
from bench.measure import REPOSITORY
from bench.publishing import PublishTimes, publish_times
from bench.searching import SearchTimes
from catalog.lab import Lab
from deploy.ckan.stack import CkanStack

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = REPOSITORY / "examples" / "normandie"
REPORT = REPOSITORY / "docs" / "benchmarks.md"
_MARKED = re.compile(r"(<!-- catalog -->\n).*?(\n<!-- /catalog -->)", re.DOTALL)
_SHARE, _TWENTIETH, _SEARCH_MS, _FEED_MB = 0.8, 1 / 20, 50, 20


def main() -> None:
    """Make the lab, measure, and write the section."""
    asked = _arguments()
    page = asked.report.read_text(encoding="utf-8")
    if len(_MARKED.findall(page)) != 1:
        sys.exit(f"{asked.report}: has not one section between <!-- catalog --> and <!-- /catalog -->")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as folder:
        lab = _made(Path(folder), asked.datasets)
        searched = SearchTimes(**_apart("bench.searching", lab, "--json"))
        told = FeedTimes(**_apart("bench.feeding", lab))
        with CkanStack(lambda text: print(text, file=sys.stderr)) as ckan:
            published = publish_times(lab, ckan, asked.sample)
    text = section(published, searched, told, load)
    asked.report.write_text(_MARKED.sub(lambda marks: marks[1] + text + marks[2], page), encoding="utf-8")
    print(text)


def _made(folder: Path, count: int) -> Lab:
    """The example lab, ingested, then so many datasets of it."""
    example, many = folder / "example", folder / "many"
    shutil.copytree(EXAMPLE, example, ignore=shutil.ignore_patterns("var"))
    print("ingesting the example lab", file=sys.stderr)
    command = [sys.executable, "-m", "datalab", "--lab", str(example), "ingest"]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    print(f"making {count} datasets of it", file=sys.stderr)
    many.mkdir()
    lab = Lab.open(example)
    multiply(lab, many, count, communes(lab))
    return Lab.open(many)


def _apart(module: str, lab: Lab, *options: str) -> dict[str, Any]:
    """What a module measures in a process of its own, whose memory is that of nothing else."""
    print(f"running {module}", file=sys.stderr)
    command = [sys.executable, "-m", module, str(lab.root), *options]
    found: dict[str, Any] = json.loads(subprocess.check_output(command, cwd=REPOSITORY))
    return found


def section(published: PublishTimes, searched: SearchTimes, told: FeedTimes, load: float) -> str:
    """The section for docs/benchmarks.md; `load` is the machine's before."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("ckanapi", "tantivy", "rdflib"))
    rate = published.datasets / published.first
    machine = f"{os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, {packages}"
    bare = f"{published.before:.1f} and {published.after:.1f} datasets a second"
    lines = [
        f"{machine}; load before {load:.1f}.",
        "",
        f"| publishing {published.datasets} datasets | |",
        "|---|---|",
        f"| bare `package_create`, one after the other, before and after | {bare} |",
        f"| bare `package_create`, {published.at_once} side by side | {published.side_by_side:.1f} datasets a second |",
        f"| **datalab publish**, first | {published.first:.0f} s, {rate:.1f} datasets a second |",
        f"| **datalab publish**, again | {published.again:.1f} s, {published.written} writes |",
        "",
        f"| searching {searched.datasets} datasets | |",
        "|---|---|",
        f"| reading the lab; looking whether it has changed | {searched.read:.1f} s; {searched.look * 1000:.0f} ms |",
        f"| the index; after one dataset has changed | {searched.build:.1f} s; {searched.update * 1000:.0f} ms |",
        f"| a search: median, 95 of 100, slowest | {searched.p50:.1f}, {searched.p95:.1f}, {searched.slowest:.1f} ms |",
        f"| similar datasets: 95 of 100 | {searched.similar_p95:.1f} ms |",
        f"| memory of all of it | {searched.memory:.0f} MB |",
        "",
        f"| telling {told.datasets} datasets as DCAT, in Turtle | |",
        "|---|---|",
        f"| the first piece; all of it | {told.first * 1000:.0f} ms; {told.whole:.1f} s, {told.size:.1f} MB |",
        f"| a page of {told.per_page} | {told.page:.2f} s |",
        f"| memory that telling it takes | {told.memory:.0f} MB |",
        "",
        "| promise | measured | |",
        "|---|---|---|",
    ]
    lines += [
        f"| {what} | {found} | {'held' if held else '**not held**'} |"
        for what, found, held in promises(published, searched, told)
    ]
    return "\n".join(lines)


def promises(published: PublishTimes, searched: SearchTimes, told: FeedTimes) -> Iterator[tuple[str, str, bool]]:
    """Each promise, what was measured of it, and whether it held."""
    share = published.datasets / published.first / published.bare
    yield "first publication at 80 % of the bare rate or more", f"{share:.0%}", share >= _SHARE
    part = published.again / published.first
    what = "without changes in a twentieth of that, and no writes"
    found = f"1/{1 / part:.0f}, {published.written} writes"
    yield what, found, part <= _TWENTIETH and published.written == 0
    yield f"95 of 100 searches under {_SEARCH_MS} ms", f"{searched.p95:.1f} ms", searched.p95 < _SEARCH_MS
    what = f"the feed streamed, in less than {_FEED_MB} MB of memory"
    yield what, f"{told.memory:.0f} MB for {told.size:.1f} MB", told.memory < _FEED_MB


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=2000)
    parser.add_argument("--sample", type=int, default=200, help="how many bare calls a turn; there are three")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
