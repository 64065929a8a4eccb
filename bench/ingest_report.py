"""What was measured of ingest, as Markdown: a table a size, one of small files, and what became of each promise."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.measure import Failure, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUNDS = {"ours": 1.25, "ours-cp1252": 1.6, "ours-signs": 1.6}
_PEAK_BOUND = 700
_DLT_BOUND = 5
_SMALL_BOUND = 20
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(kw_only=True)
class Entry:
    """The runs of one contender on one kind of file, or why it failed; `scale` multiplies those on a slice."""

    title: str
    kind: str
    runs: list[Run] = field(default_factory=list)
    failure: str | None = None
    scale: float = 1
    bytes: int = 0
    verdicts: dict[str, str] = field(default_factory=dict)

    def add(self, measured: Run | Failure) -> None:
        """One more run; after a failure there are no figures."""
        if isinstance(measured, Failure):
            self.failure = measured.why
        else:
            self.runs.append(measured)

    @property
    def cpu(self) -> list[float]:
        """Seconds of CPU of each run, scaled."""
        return [run.cpu * self.scale for run in self.runs]

    @property
    def wall(self) -> list[float]:
        """Seconds of wall clock of each run, scaled."""
        return [run.wall * self.scale for run in self.runs]

    @property
    def peak(self) -> float:
        """MB of the run that took most; of a slice, of the slice."""
        return max(run.peak for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Its load, and the seconds of CPU in which Python adds up ten million squares: how fast it is that day."""

    load: float
    squares: float


@dataclass(frozen=True, kw_only=True)
class Size:
    """All contenders on one large file; `gb` is the size of the UTF-8 one."""

    gb: float
    rows: int
    slice_gb: float
    entries: dict[str, Entry]

    @property
    def reference(self) -> Entry | None:
        """The bare COPY, unless it was not asked for or failed."""
        bare = self.entries.get("bare")
        return None if bare is None or bare.failure is not None else bare


@dataclass(frozen=True, kw_only=True)
class Small:
    """All contenders on `count` small files, of which each has `written` some."""

    count: int
    written: dict[str, int]
    entries: dict[str, Entry]


def section(sizes: list[Size], small: Small, runs: int, before: Machine, versions: dict[str, str]) -> str:
    """The section for docs/benchmarks.md; `before` is what was seen of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        f"{runs} rounds; {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, {packages}.",
        f"Median (least to most); load before {before.load:.1f}, ten million squares in Python {before.squares:.1f} s.",
    ]
    for size in sizes:
        lines += ["", f"**{size.gb:.2f} GB, {size.rows} rows, 12 columns**", "", *_table(size)]
    lines += ["", f"**{small.count} small files in one process**", "", *_small_table(small)]
    lines += ["", "**The promises**", "", "| promise | measured | |", "|---|---|---|"]
    lines += [
        f"| {what} | {found} | {'held' if held else '**not held**'} |" for what, found, held in promises(sizes, small)
    ]
    return "\n".join(lines)


def _table(size: Size) -> list[str]:
    lines = [
        f"| | CPU, s | {_TIMES} bare | wall, s | {_TIMES} bare | peak, MB | Parquet, MB | typed / text / changed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    bare = size.reference
    for entry in size.entries.values():
        if entry.failure is not None:
            lines.append(f"| {entry.title} | failed: {entry.failure} | | | | | | |")
            continue
        cells = [
            _spread(entry.cpu),
            _spread(_ratios(entry.cpu, bare.cpu), 2) if bare else "",
            _spread(entry.wall),
            _spread(_ratios(entry.wall, bare.wall), 2) if bare else "",
            f"{entry.peak:.0f}",
            "–" if entry.bytes == 0 else f"{entry.bytes * entry.scale / 1e6:.0f}",
            _judged(entry.verdicts),
        ]
        title = entry.title if entry.scale == 1 else f"{entry.title}, scaled from {size.slice_gb:.2f} GB"
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _small_table(small: Small) -> list[str]:
    lines = ["| | wall, ms a file | CPU, ms a file | peak, MB | files written |", "|---|---|---|---|---|"]
    for key, entry in small.entries.items():
        if entry.failure is not None:
            lines.append(f"| {entry.title} | failed: {entry.failure} | | | |")
            continue
        wall, cpu = (_spread(_each(seconds, small.count)) for seconds in (entry.wall, entry.cpu))
        lines.append(f"| {entry.title} | {wall} | {cpu} | {entry.peak:.0f} | {small.written[key]} |")
    return lines


def promises(sizes: list[Size], small: Small) -> list[tuple[str, str, bool]]:
    """Each promise, what was measured of it, and whether it held; of who was not asked to run, nothing."""
    told = [promise for size in sizes for promise in _of_large(size)]
    return [*told, _of_small(small.entries["ours"], small)] if "ours" in small.entries else told


def _of_large(size: Size) -> Iterator[tuple[str, str, bool]]:
    label, bare = f"{size.gb:.2g} GB", size.reference
    ours = {key: size.entries[key] for key in _BOUNDS if key in size.entries}
    for entry in ours.values():
        if entry.failure is not None:
            yield f"{label}, {entry.kind}", f"failed: {entry.failure}", False
    ours = {key: entry for key, entry in ours.items() if entry.failure is None}
    if not ours:
        return
    if bare is not None:
        for key, entry in ours.items():
            cpu, wall = median(_ratios(entry.cpu, bare.cpu)), median(_ratios(entry.wall, bare.wall))
            bound = _BOUNDS[key]
            what = f"{label}, {entry.kind}: CPU and wall at most {bound} {_TIMES} bare"
            yield what, f"{cpu:.2f} and {wall:.2f} {_TIMES}", max(cpu, wall) <= bound
        sizes = [entry.bytes for entry in (*ours.values(), bare)]
        megabytes = ", ".join(f"{one / 1e6:.0f}" for one in sizes)
        yield f"{label}: Parquet no larger than DuckDB's, the last", f"{megabytes} MB", max(sizes[:-1]) <= sizes[-1]
    peaks = [entry.peak for entry in ours.values()]
    told = ", ".join(f"{peak:.0f}" for peak in peaks)
    yield f"{label}: peak memory under {_PEAK_BOUND} MB", f"{told} MB", max(peaks) < _PEAK_BOUND
    wrong = [verdict for entry in ours.values() for verdict in entry.verdicts.values() if verdict != "typed"]
    yield f"{label}: every column typed, every value right", "not so" if wrong else "so", not wrong
    dlt = size.entries.get("dlt")
    if dlt is not None and dlt.failure is None and "ours" in ours:
        ratio = median(_ratios(dlt.cpu, ours["ours"].cpu))
        yield (
            f"{label}: {_DLT_BOUND} {_TIMES} less CPU than dlt from Arrow",
            f"{ratio:.2f} {_TIMES}",
            ratio >= _DLT_BOUND,
        )


def _of_small(ours: Entry, small: Small) -> tuple[str, str, bool]:
    what = f"{small.count} small files in one run: at most {_SMALL_BOUND} ms each"
    if ours.failure is not None:
        return what, f"failed: {ours.failure}", False
    each, made = median(_each(ours.wall, small.count)), small.written["ours"]
    return what, f"{each:.1f} ms, {made} written", each <= _SMALL_BOUND and made == small.count


def _ratios(seconds: list[float], others: list[float]) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(seconds, others, strict=True)]


def _each(seconds: list[float], count: int) -> list[float]:
    """Milliseconds for one of `count`."""
    return [1000 * one / count for one in seconds]


def _spread(figures: list[float], digits: int = 1) -> str:
    middle, least, most = (f"{figure:.{digits}f}" for figure in (median(figures), min(figures), max(figures)))
    return f"{middle} ({least} to {most})"


def _judged(verdicts: dict[str, str]) -> str:
    kinds = list(verdicts.values())
    changed = [name for name, kind in verdicts.items() if kind == "changed"]
    counts = " / ".join(str(kinds.count(kind)) for kind in ("typed", "text", "changed"))
    return f"{counts}: {', '.join(changed)}" if changed else counts
