"""The command `datalab harvest`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from ingest.harvest.kind import Kind  # noqa: TC001  typer reads it

if TYPE_CHECKING:
    from catalog.lab import Lab
    from ingest.harvest.report import Entry, Report

app = typer.Typer()


@app.command("harvest")
def harvest_command(
    ctx: typer.Context,
    url: Annotated[
        str,
        typer.Argument(
            help="A portal, its API or its feed; an organisation's page or a search harvests that part alone.",
            show_default=False,
        ),
    ],
    *,
    kind: Annotated[
        Kind | None, typer.Option(help="What is there.", show_default="found by what answers", case_sensitive=False)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take N datasets at most.", show_default="all")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and write nothing.")] = False,
    allow_gone: Annotated[
        bool, typer.Option("--allow-gone", help="Mark as gone even more than a tenth of the portal's datasets here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Draft descriptors from another portal's catalogue in drafts/, and keep in step those that were harvested before.

    CKAN, udata (data.gouv.fr), Opendatasoft, DCAT feeds and CSW. Move a draft that is good to datasets/: it is known
    again by its identifier there, and what you change in it stays. What the portal no longer lists is marked, in
    `harvested: {gone: DATE}`. Exits with 1 if anything failed.
    """
    from ingest.harvest.run import Wishes, harvest  # noqa: PLC0415  it takes a second to load, and each command looks here

    lab: Lab = ctx.obj()
    wishes = Wishes(kind=kind, limit=limit, dry_run=dry_run, allow_gone=allow_gone)
    console = Console(stderr=True)
    with console.status(f"asking {url}") as status:

        def say(done: int, total: int | None, what: str) -> None:
            status.update(Text(f"{done}{'' if total is None else f' of {total}'}: {what[:100]}"))

        report = harvest(lab, url, wishes, say)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(report)
    if report.failed:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    shown = [entry for entry in report.entries if entry.shown]
    if shown:
        Console().print(report_table(shown))
    said = [f"{report.portal} ({report.kind}{f', {report.scope}' if report.scope else ''}): {report.summary}"]
    if report.dry_run:
        said[0] = f"nothing written; it would be: {said[0]}"
    if report.incomplete:
        said.append(f"not all of the catalogue came ({report.incomplete}), so nothing counts as gone")
    if report.refused:
        said.append(report.refused)
    typer.echo("\n".join(said))


def report_table(entries: list[Entry]) -> Sheet:
    """One line a dataset: what became of it, which it is, its file, and what a steward should know."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    sheet.add_column("", no_wrap=True)
    sheet.add_column("dataset", overflow="fold", ratio=2)
    sheet.add_column("file", overflow="fold", ratio=2)
    sheet.add_column("what", overflow="fold", ratio=3)
    for entry in entries:
        told = [*entry.changes, *(f"conflict: {one}" for one in entry.conflicts)]
        told += [f"to do: {', '.join(entry.missing)}"] if entry.missing else []
        told += [entry.why] if entry.why else []
        sheet.add_row(
            entry.what, Text(entry.title or entry.identifier or ""), Text(entry.file or ""), Text("\n".join(told))
        )
    return sheet
