"""The receipts of what was ingested, as they lie in the lake, and of what waits, as they lie on the shelf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from catalog.receipt import Receipt
from ingest.before import rejects_of
from ingest.held import shelf
from ingest.verdict import named, waiting
from policies.errors import LakeError, UsageError
from policies.model import RAW
from policies.wording import count_of

if TYPE_CHECKING:
    from catalog.lab import Lab


@dataclass(frozen=True, kw_only=True)
class Told:
    """A receipt, what it proves, where the rejects are, and all that was kept of it."""

    receipt: Receipt
    proves: str
    rejects: str
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
        message = (
            f"{place}: the receipt of version {stored['version']} is damaged ({count_of(error.error_count(), 'error')})"
        )
        raise LakeError(message) from None
    proves = f"{place}, version {stored['version']}, committed {stored['committed']:%Y-%m-%d %H:%M} UTC"
    return Told(receipt=receipt, proves=proves, rejects=f"the table {rejects_of(place)}", stored=stored)


def held_receipts(lab: Lab, what: str) -> list[Told]:
    """The receipts of what waits for review of `DATASET` or `DATASET.RESOURCE`, as they will be if it is accepted.

    Raises UsageError if nothing waits there that could be read, LakeError if what is held is damaged.
    """
    found = []
    for (slug, name), one in waiting(lab, what).items():
        if one.receipt is None or one.table is None or one.rejects is None:
            continue
        folder = shelf(lab, slug, name).relative_to(lab.root)
        proves = f"{slug}.{name}, held since {one.since:%Y-%m-%d %H:%M} UTC\nrows in {folder / one.table.name}"
        stored = one.receipt.model_dump(mode="json")
        found.append(Told(receipt=one.receipt, proves=proves, rejects=str(folder / one.rejects.name), stored=stored))
    if not found:
        raise UsageError(f"{what}: nothing waits for review that could be read; `datalab review` lists what waits")
    return found
