"""Publish a lab: read what it grants to everyone, read what CKAN holds, plan, show the plan, apply it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from catalog.ckan.package import catalogue
from catalog.ckan.plan import Action, Plan, plan
from catalog.ckan.remote import Ckan, RefusedError
from catalog.dcat import base_url
from catalog.entries import EVERYONE, entries
from catalog.settings import CatalogSettings, CkanSettings
from policies.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from policies.errors import DatalabError


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
    step: Callable[[Action], None] = lambda _: None,
    *,
    dry_run: bool = False,
    allow_deletions: bool = False,
) -> tuple[Plan, tuple[DatalabError, ...]]:
    """Make CKAN hold what the lab grants to everyone today; returns the plan that was carried out, and what is amiss.

    `show` gets the plan before anything is written, and `step` each action before it is taken. A plan without changes
    writes nothing; neither does a dry run. A second run goes on where one was stopped.

    A dataset whose descriptor, policy or edition is not in order is left as it is in CKAN, and why is in the second
    part of the answer; as nobody knows then what the lab grants, no dataset at all is deleted. Raises UsageError when
    too many would be deleted, and RemoteError naming CKAN's address.
    """
    left_out: list[DatalabError] = []
    ours = catalogue(
        settings, base_url(lab.section("catalog", CatalogSettings)), entries(lab, EVERYONE, left_out.append)
    )
    with Ckan(settings) as ckan:
        made = plan(ours, ckan.read(ours), delete=not left_out)
        show(made)
        if made.deletes_too_many and not allow_deletions:
            raise UsageError(
                f"{ckan.url}: this would delete more than a tenth of the lab's datasets there, so nothing was written. "
                "Check that the lab is the right one and was ingested; if it is meant, add --allow-deletions"
            )
        if not dry_run:
            _apply(ckan, made, step)
    return made, tuple(left_out)


def _apply(ckan: Ckan, made: Plan, step: Callable[[Action], None]) -> None:
    """Take the actions in their order. One dataset that CKAN refuses keeps no other from being published."""
    refused: list[str] = []
    for done, action in enumerate(made.todo):
        step(action)
        try:
            ckan.call(action.call, action.data)
        except RemoteError as error:
            if isinstance(error, RefusedError) and action.kind == "dataset":
                refused.append(f"{action.name}: {error}")
                continue
            raise RemoteError(
                f"{error}\nstopped at {action.kind} {action.name}, after {done - len(refused)} of {len(made.todo)} "
                "changes; the next run makes the others"
            ) from None
    if refused:
        raise RemoteError("\n".join([*refused, f"the {len(made.todo) - len(refused)} other changes were made"]))
