"""One harvest: ask the portal, draft what is new, bring what stands in step, mark what is gone, report.

Nothing is kept in silence and nothing is dropped: a draft is made once, a descriptor that a steward adopted is changed
only where she left it as it was harvested, and what the portal no longer lists is marked with the day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.harvest.asking import Asking
from ingest.harvest.memory import remembered
from ingest.harvest.portals.kinds import portal_at
from ingest.harvest.reading import Reading
from ingest.harvest.report import Entry, Report
from ingest.harvest.settle import Settling
from ingest.harvest.shelf import shelf_of
from ingest.settings import IngestSettings
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.lab import Lab
    from ingest.harvest.kind import Kind
    from ingest.harvest.reading import Say

_GONE_WITHOUT_ASKING = 0.1


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a harvest is to be made.

    `kind` of portal, found if None; at most `limit` datasets; `dry_run` writes nothing; `allow_gone` marks as gone even
    more than a tenth of the portal's datasets in the lab.
    """

    kind: Kind | None = None
    limit: int | None = None
    dry_run: bool = False
    allow_gone: bool = False


def harvest(lab: Lab, url: str, wishes: Wishes, say: Say, today: dt.date | None = None) -> Report:
    """Harvest the catalogue at `url` into the lab's drafts and descriptors. `today` is UTC's if None.

    Raises UsageError for what is no address, SourceError if there is no portal of a known kind, LakeError if the same
    portal is being harvested. What fails on the way is in the report.
    """
    settings = lab.section("ingest", IngestSettings)
    portal = portal_at(url, Asking(settings, lab.var / "locks" / "hosts"), wishes.kind)
    with remembered(lab, portal.address, dry=wishes.dry_run) as memory:
        settling = Settling(portal, memory, shelf_of(lab.root, portal.address, memory), dry=wishes.dry_run)
        reading = Reading(portal, wishes.limit, settings.max_records, say)
        entries = [one if isinstance(one, Entry) else settling.settle(one) for one in reading.entries()]
        vanished = [] if reading.incomplete else settling.vanished(reading.seen)
        refused = "" if wishes.allow_gone else _too_many(settling, vanished)
        entries += _gone(settling, vanished, today or dt.datetime.now(dt.UTC).date(), mark=not refused)
    return Report(
        portal=portal.address,
        kind=portal.kind,
        scope=portal.scope,
        dry_run=wishes.dry_run,
        entries=tuple(entries),
        incomplete=reading.incomplete,
        refused=refused,
    )


def _too_many(settling: Settling, vanished: list[str]) -> str:
    """Why what vanished is not marked: so it looks when a portal is half broken, or moved; "" if it may be."""
    new = [one for one in vanished if settling.gone_since(one) is None]
    there = settling.in_scope()
    if len(new) <= max(1, _GONE_WITHOUT_ASKING * there):
        return ""
    return (
        f"{len(new)} of the {there} datasets that the lab has of this portal are not listed any more; none was marked "
        "as gone. If that is right, say --allow-gone"
    )


def _gone(settling: Settling, vanished: list[str], day: dt.date, *, mark: bool) -> Iterator[Entry]:
    for identifier in vanished:
        try:
            since = settling.gone_since(identifier)
            if since is not None:
                yield settling.gone_before(identifier, since)
            elif mark:
                yield settling.mark(identifier, day)
        except (DatalabError, OSError) as error:
            yield Entry(what="failed", identifier=identifier, why=str(error))
