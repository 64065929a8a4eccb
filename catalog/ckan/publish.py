"""Publish a lab: read what it grants to everyone, read what CKAN holds, plan, show the plan, apply it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog.ckan.apply import WAITS, apply
from catalog.ckan.datastore import records, tables
from catalog.ckan.listing import listings
from catalog.ckan.names import package_name
from catalog.ckan.package import catalogue
from catalog.ckan.plan import Plan, plan
from catalog.ckan.pool import Pool, held, marked, schema_of
from catalog.settings import CatalogSettings, CkanSettings
from policies.audit.event import MOST, Event, Opened
from policies.audit.origin import account, terminal
from policies.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from catalog.ckan.listing import Listing
    from catalog.ckan.merge import Action
    from catalog.entries import Readings
    from catalog.lab import Lab
    from policies.errors import DatalabError

DATASTORE = "datastore"


def settings_for(lab: Lab, url: str | None) -> CkanSettings:
    """The lab's [ckan], with this address instead of its own unless it is None; raises UsageError if it is none."""
    settings = lab.section("ckan", CkanSettings)
    if url is None:
        return settings
    try:
        return CkanSettings.model_validate({**settings.model_dump(), "url": url})
    except ValidationError:
        raise UsageError(
            "--url or DATALAB_CKAN_URL: expected the address of a CKAN, like https://ckan.example.org"
        ) from None


def publish(
    lab: Lab,
    settings: CkanSettings,
    show: Callable[[Plan], None],
    step: Callable[[Action, int, int], None] = lambda *_: None,
    *,
    dry_run: bool = False,
    allow_deletions: bool = False,
    waits: Sequence[float] = WAITS,
    readings: Readings | None = None,
) -> tuple[Plan, tuple[DatalabError, ...]]:
    """Make CKAN hold what the lab grants to everyone today; returns the plan that was carried out, and what is amiss.

    `show` gets the plan before anything is written, and `step` each action that was taken, how many they are by then,
    and of how many. A plan without changes writes nothing; neither does a dry run. What fails in passing is tried again
    after each of `waits`, in seconds; a second run goes on where one was stopped. `readings` are those of `watch`.

    A dataset whose descriptor, policy or edition is not in order is left as it is in CKAN, and why is in the second
    part of the answer; as nobody knows then what the lab grants, no dataset at all is deleted. Raises UsageError when
    too many would be deleted, and RemoteError naming CKAN's address.
    """
    left_out: list[DatalabError] = []
    with Pool(settings) as pool:
        extensions = frozenset(pool.first.call("status_show", {}).get("extensions", []))
        if settings.datastore_rows and DATASTORE not in extensions:
            raise UsageError(f"{pool.url}: has no DataStore; enable its plugin, or take datastore_rows out of [ckan]")
        theirs = pool.begin(lambda ckan: marked(ckan, settings.organisation))  # while the lab is read
        shown = listings(lab, left_out.append, readings, private=settings.private)
        ours = catalogue(
            settings, lab.section("catalog", CatalogSettings).base, shown, schema_of(pool.first, extensions)
        )
        pushed = tables(settings, shown)
        made = plan(ours, held(pool, ours, theirs.result()), pushed, delete=not left_out)
        show(made)
        if made.deletes_too_many and not allow_deletions:
            raise UsageError(
                f"{pool.url}: this would delete more than a tenth of the lab's datasets there, so nothing was written. "
                "Check that the lab is the right one and was ingested; if it is meant, add --allow-deletions"
            )
        if not dry_run and made.todo:
            lab.audit.write(_published(settings, made, shown))
        if not dry_run:
            apply(pool, made, pushed, partial(records, lab), step, waits)
    return made, tuple(left_out)


def _published(settings: CkanSettings, made: Plan, shown: Sequence[Listing]) -> Event:
    """What the audit log is told before anything is written: which editions CKAN is to tell of anew, to whom."""
    told = {action.name for action in made.todo if action.kind == "dataset" and action.what != "delete"}
    editions = tuple(
        Opened(dataset=one.entry.slug, edition=one.entry.edition, resource=name, version=served.version)
        for one in shown
        if package_name(one.entry) in told
        for name, (_, served) in one.entry.resources.items()
    )
    return Event(
        what="publish",
        door="ckan",
        who=account(),
        editions=editions[:MOST],
        origin=terminal(),
        reason=f"{settings.url}: {made.summary}",
    )
