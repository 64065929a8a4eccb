"""What became of one resource."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.receipt import Receipt


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one resource: its `status`, and what was counted of the bytes that came.

    `ingested`: they are served. `unchanged`: there was nothing to do. `held`: they wait for a steward, and `reasons`
    say why. `refused`: a steward has refused these very bytes. `failed`: `error` says why. But for the first, the last
    good snapshot goes on serving. `editions` are those that were built, or, where nothing was to do, those that there
    are; `repaired` says what was found damaged in the lake and made good; `notes` are the receipt's.
    """

    dataset: str
    resource: str
    status: str
    seconds: float
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    editions: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None


def counted(receipt: Receipt, status: str, editions: tuple[str, ...] = (), reasons: tuple[str, ...] = ()) -> Outcome:
    """The outcome of an ingest that has a receipt."""
    return Outcome(
        dataset=receipt.dataset,
        resource=receipt.resource,
        status=status,
        seconds=receipt.seconds,
        rows_in=receipt.rows_in,
        rows_out=receipt.rows_out,
        rejected=receipt.rejected,
        editions=editions,
        reasons=reasons,
        notes=receipt.notes,
    )


def broken_off(error: BaseException) -> str:
    """What is said of an error that nobody foresaw, with its trace, for who has to mend it."""
    told = "".join(traceback.format_exception(error)).rstrip()
    return f"the job broke off, which is an error of the DataLab's own:\n{told}"
