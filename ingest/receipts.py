"""The receipts of what was ingested, as they lie in the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from catalog.receipt import Receipt
from ingest.verdict import named
from policies.errors import LakeError, UsageError
from policies.model import RAW

if TYPE_CHECKING:
    import datetime as dt

    from catalog.lab import Lab


@dataclass(frozen=True, kw_only=True)
class Told:
    """A receipt, with the version that it proves and when that was committed (UTC); `stored` is all that was kept."""

    receipt: Receipt
    version: int
    committed: dt.datetime
    stored: dict[str, Any]


def receipts(lab: Lab, what: str, version: int | None) -> list[Told]:
    """The receipts of `DATASET`, one a resource, or of `DATASET.RESOURCE`: of the newest snapshot, or that version.

    Raises UsageError if there is none, LakeError if the log is damaged.
    """
    slug, wanted = named(lab, what)
    found = []
    for name in lab.dataset(slug).resources if wanted is None else (wanted,):
        history = lab.lake.history(slug, RAW, name)
        asked = history[:1] if version is None else [stored for stored in history if stored["version"] == version]
        found += [_told(f"{slug}.{name}", stored) for stored in asked]
        if wanted is not None and not found:
            known = ", ".join(str(stored["version"]) for stored in history)
            raise UsageError(f"{what}: {f'no such version; there are {known}' if known else 'it was never ingested'}")
    if not found:
        raise UsageError(f"{what}: no receipt{'' if version is None else f' of version {version}'}; ingest it first")
    return found


def _told(place: str, stored: dict[str, Any]) -> Told:
    try:
        receipt = Receipt.model_validate(stored)
    except ValidationError as error:
        message = f"{place}: the receipt of version {stored['version']} is damaged ({error.error_count()} errors)"
        raise LakeError(message) from None
    return Told(receipt=receipt, version=stored["version"], committed=stored["committed"], stored=stored)
