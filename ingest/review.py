"""What an ingest asks: have these bytes been dealt with, and must a steward see what was made of them first."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from catalog.quality import results
from ingest import again, held
from ingest.before import receipt_of
from ingest.commit import write_rejects
from ingest.differences import Shape, differences, retyped
from ingest.held import Held
from ingest.outcome import Outcome, counted
from ingest.parts import hashed
from policies.errors import LakeError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from catalog.lake import Served
    from catalog.model import Resource
    from catalog.receipt import ReadFile, Receipt
    from ingest.before import Before, Job
    from ingest.commit import Made
    from ingest.sources import Fetched
    from policies.errors import ReadingError


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One resource whose bytes have come; `reading` names how they are read.

    `files` are those of a folder or a glob; of them `fetched` has those that are to be read.
    """

    job: Job
    name: str
    before: Before
    fetched: Fetched
    reading: str
    files: tuple[ReadFile, ...] = ()

    @property
    def resource(self) -> Resource:
        """What the descriptor says of it."""
        return self.job.resources[self.name]

    @property
    def adds(self) -> bool:
        """Whether new rows are added to what there is."""
        return self.resource.mode != "snapshot"

    @property
    def shelf(self) -> Path:
        """Where what waits for a steward lies."""
        return held.shelf(self.job.lab, self.job.slug, self.name)

    @property
    def last(self) -> tuple[Served, Receipt | None] | None:
        """The last good snapshot, as its pointer names it, and its receipt if that can be read."""
        served = self.before.served
        return None if served is None else (served, receipt_of(served))

    @property
    def max_drop(self) -> float | None:
        """The share by which the rows may fall; None where new rows are added to what there is."""
        if self.adds:
            return None
        return self.job.settings.max_drop if self.resource.max_drop is None else self.resource.max_drop


def visited(job: Job, name: str, before: Before, fetched: Fetched, reading: str) -> Visit:
    """The visit. Where rows are added, the files of a folder whose rows are in the table already are not read again."""
    visit = Visit(job=job, name=name, before=before, fetched=fetched, reading=reading)
    files = hashed(fetched)
    known = _files_before(visit) if visit.adds and visit.last is not None else set()
    if not files or not known:
        return replace(visit, files=files)
    new = tuple(part for part, file in zip(fetched.parts, files, strict=True) if file.sha256 not in known)
    return replace(visit, files=files, fetched=replace(fetched, parts=new))


def dealt_with(visit: Visit) -> Outcome | None:
    """The outcome if nothing is to be read: the bytes are served, refused, or wait already; else None.

    Where rows are added, what waits comes first: what comes after it waits at its source.
    """
    job, before, waiting = visit.job, visit.before, held.held_of(visit.shelf)
    adds = visit.adds
    if before.raw is not None and _is_served(visit, before.raw[1]):
        if before.error is not None:
            raise before.error
        if waiting is not None and (not adds or waiting.table is None or waiting.sha256 == before.raw[1].sha256):
            held.drop(visit.shelf)
        status = "ingested" if before.rebuilt or before.repaired else "unchanged"
        return counted(before.raw[1], status, before.rebuilt or job.editions(visit.name))
    refusal = held.refusal_of(visit.shelf, visit.fetched.sha256, visit.reading)
    if refusal is not None:
        said = f"{refusal.by} refused these bytes on {refusal.when:%Y-%m-%d}: {refusal.why}"
        return Outcome(
            dataset=job.slug,
            resource=visit.name,
            status="refused",
            seconds=0,
            editions=before.rebuilt,
            reasons=(said, *refusal.reasons, f"to have them held again, take this out of {held.refusals(visit.shelf)}"),
        )
    if waiting is None or waiting.receipt is None:
        return None
    same = (waiting.sha256, waiting.reading, waiting.max_drop, waiting.receipt.mode)
    if same == (visit.fetched.sha256, visit.reading, visit.max_drop, visit.resource.mode):
        return _held(waiting, waiting.reasons, before)
    if adds:
        return _held(waiting, ("newer bytes came: accept or refuse those that wait, first", *waiting.reasons), before)
    return None


def judged_by_quality(visit: Visit, made: Made) -> tuple[Made, tuple[str, ...]]:
    """What was made, with what the descriptor's quality checks found in it in its receipt, and each rule it breaks.

    Under append and merge, what came is judged, and not what it is added to. Raises DocumentError for a rule that is
    none; nothing is left staged then.
    """
    place = f"datasets/{visit.job.slug}.yaml: {visit.name}"
    try:
        found = results(visit.resource.quality, [made.staged.path], [one.name for one in made.columns], place)
    except BaseException:
        made.staged.discard()
        raise
    receipt = made.receipt.model_copy(update={"quality": found})
    return replace(made, receipt=receipt), tuple(f"quality: {one}" for one in found if one.broken > 0)


def compared(visit: Visit, made: Made) -> tuple[tuple[str, ...], Made]:
    """Why a steward must see what was made before it counts, empty if it may count, and what was made, noted down:
    its receipt says what changed since the last good snapshot and breaks nothing.
    """
    if visit.last is None:
        return (), made
    served, receipt = visit.last
    before, after = _shapes(visit, served, made)
    # Who changed how the bytes are read has changed the types on purpose
    types = receipt is None or receipt.reading == visit.reading
    reasons = differences(before, after, max_drop=visit.max_drop, types=types)
    notes = retyped(before, after, only_wider=types)
    if visit.resource.mode == "append":
        twice, few = again.standing(before, after, visit.job.workshop.spill)
        reasons += (*again.corrected(visit.files, _names_before(visit)), *twice)
        notes += few
    receipt = made.receipt.model_copy(update={"notes": (*made.receipt.notes, *notes)})
    return reasons, replace(made, receipt=receipt)


def _shapes(visit: Visit, served: Served, made: Made) -> tuple[Shape, Shape]:
    files: list[Path] = []
    with contextlib.suppress(LakeError):
        files = visit.job.lab.lake.files(visit.job.slug, RAW, visit.name, served)
    return (
        Shape(columns=served.columns, rows=served.rows, files=tuple(files)),
        Shape(
            columns=made.columns,
            rows=made.staged.rows,
            files=(made.staged.path,),
            whys={column.name: column.why for column in made.receipt.columns},
        ),
    )


def hold(visit: Visit, made: Made, why: tuple[str, ...]) -> Outcome:
    """Put what was made on the shelf, instead of what waited there; what is served stays as it is."""
    scratch = visit.job.scratch / f"{visit.name}-rejects.parquet"
    try:
        write_rejects(made.rejects, scratch)
        waiting = held.put(
            visit.shelf,
            _described(visit, why).model_copy(
                update={"columns": made.columns, "receipt": made.receipt, "max_drop": visit.max_drop}
            ),
            {"table": made.staged.path, "rejects": scratch},
        )
    except BaseException:
        made.staged.discard()
        raise
    return _held(waiting, why, visit.before)


def note(visit: Visit, error: ReadingError) -> None:
    """Note on the shelf that the new bytes cannot be read, if there are good data that they would have replaced.

    What waits and can be read is left there: a steward may still accept it.
    """
    waiting, why = held.held_of(visit.shelf), (str(error),)
    if visit.last is None or (
        waiting is not None
        and (waiting.table is not None or (waiting.sha256, waiting.reasons) == (visit.fetched.sha256, why))
    ):
        return
    held.put(visit.shelf, _described(visit, why), {})


def _described(visit: Visit, why: tuple[str, ...]) -> Held:
    served = visit.before.served
    return Held(
        source=visit.fetched.place,
        sha256=visit.fetched.sha256,
        reading=visit.reading,
        since=visit.fetched.when,
        reasons=why,
        rows_before=0 if served is None else served.rows,
        columns_before=() if served is None else served.columns,
    )


def _held(waiting: Held, why: tuple[str, ...], before: Before) -> Outcome:
    assert waiting.receipt is not None  # noqa: S101  what was read has a receipt
    return counted(waiting.receipt, "held", before.rebuilt, why)


def _is_served(visit: Visit, receipt: Receipt) -> bool:
    """Whether what is served holds these bytes, read in this way; appended bytes are in for good, however read."""
    mode, sha256 = visit.resource.mode, visit.fetched.sha256
    if not visit.fetched.parts:
        return True
    if mode == "append":
        return sha256 in _appended(visit)
    return (receipt.sha256, receipt.reading) == (sha256, visit.reading) and (mode != "snapshot" or receipt.mode == mode)


def _files_before(visit: Visit) -> set[str]:
    """The hashes of the files whose rows are in the table: of a merge, those that lay there when it was made."""
    if visit.resource.mode == "append":
        return _appended(visit)
    receipt = None if visit.last is None else visit.last[1]
    return set() if receipt is None or receipt.reading != visit.reading else {file.sha256 for file in receipt.files}


def _appended(visit: Visit) -> set[str]:
    """The hashes of all bytes that the table was made of, since the last snapshot of a whole."""
    found = set()
    for receipt in _added(visit):
        found |= {receipt["sha256"], *(file["sha256"] for file in receipt.get("files", ()))}
    return found


def _names_before(visit: Visit) -> dict[str, set[str]]:
    """The files of a folder that the table was made of, each with the hashes of all bytes it had, since then too."""
    names: dict[str, set[str]] = {}
    for receipt in _added(visit):
        for file in receipt.get("files", ()):
            names.setdefault(file["name"], set()).add(file["sha256"])
    return names


def _added(visit: Visit) -> Iterator[dict[str, Any]]:
    """The receipts of what was added to the table, back to the last snapshot of a whole, which is the last of them."""
    for receipt in visit.job.lab.lake.history(visit.job.slug, RAW, visit.name):
        yield receipt
        if receipt.get("mode") != "append":
            return
