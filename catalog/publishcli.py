"""The command `datalab publish`."""

from __future__ import annotations

import datetime as dt
import gc
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from catalog.ckan.publish import publish, settings_for
from catalog.ckan.remote import Ckan
from catalog.ckan.watch import watch
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.ckan.plan import Plan
    from catalog.entries import Readings
    from catalog.lab import Lab

app = typer.Typer()

_GARBAGE = 100_000
"""Objects made before Python looks for garbage: of thousands of descriptors, which are kept, that took a fifth."""


@app.command("publish")
def publish_command(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and write nothing.")] = False,
    allow_deletions: Annotated[
        bool, typer.Option("--allow-deletions", help="Delete even more than a tenth of the lab's datasets there.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="The CKAN to publish to.", envvar="DATALAB_CKAN_URL", show_default="url of [ckan]"),
    ] = None,
    watching: Annotated[
        bool, typer.Option("--watch", help="Stay, and publish after each ingest, until Ctrl-C.")
    ] = False,
) -> None:
    """Publish to CKAN what everyone may see: shows the plan, then carries it out.

    The token, a sysadmin's, is read from $DATALAB_CKAN_TOKEN, or the variable that datalab.toml names instead. With
    --watch it goes on until Ctrl-C, and publishes after each ingest and each change of a descriptor or a policy.
    """
    gc.set_threshold(_GARBAGE)
    if watching and (dry_run or allow_deletions):
        other = "--dry-run" if dry_run else "--allow-deletions"
        raise typer.BadParameter(f"{other} is for one run: leave out one of the two", param_hint="--watch")
    if watching:
        _watch(ctx.obj, url)
        return
    lab: Lab = ctx.obj()
    settings = settings_for(lab, url)
    console = Console(stderr=True)
    with console.status("reading the lab and CKAN") as status:
        made, left_out = publish(
            lab,
            settings,
            _show,
            lambda action, done, total: status.update(f"{done} of {total}: {action.kind} {action.name}"),
            dry_run=dry_run,
            allow_deletions=allow_deletions,
        )
    typer.echo(f"nothing written; it would be: {made.summary}" if dry_run else made.summary)
    if left_out:
        raise DatalabError("\n".join([*map(str, left_out), "these were left as they are in CKAN, and none deleted"]))


def _watch(open_lab: Callable[[], Lab], url: str | None) -> None:
    """Publish until Ctrl-C, or SIGTERM, which a service is stopped by; both end it well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    told: frozenset[str] = frozenset()

    def publish_now(lab: Lab, readings: Readings) -> None:
        nonlocal told
        made, left_out = publish(lab, settings_for(lab, url), _show, readings=readings)
        if made.todo:
            _say(made.summary)
        wrong = frozenset(map(str, left_out))
        for text in sorted(wrong - told):  # each is told once, until it is put right
            _say(f"left as it is in CKAN: {text}", err=True)
        told = wrong

    lab = open_lab()
    settings = settings_for(lab, url)
    Ckan(settings).close()  # without an address or a token there is nothing to wait for
    try:
        _say(f"watching {lab.root} for {settings.url}  (Ctrl-C stops)")
        watch(open_lab, publish_now, lambda error: _say(f"error: {error}", err=True), threading.Event().wait)
    except KeyboardInterrupt:
        _say("stopped")


def _say(text: str, *, err: bool = False) -> None:
    typer.echo(f"{dt.datetime.now().astimezone():%H:%M:%S} {text}", err=err)


def _show(plan: Plan) -> None:
    if plan.todo:
        Console().print(plan_table(plan))


def plan_table(plan: Plan) -> Sheet:
    """One line a thing that changes: its kind, its name, what becomes of it, and what changes in it."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("kind", "name", "action"):
        sheet.add_column(heading, no_wrap=True)
    sheet.add_column("what changes", overflow="fold")
    for action in plan.todo:
        sheet.add_row(action.kind, Text(action.name), action.what, Text(", ".join(action.changes)))
    return sheet
