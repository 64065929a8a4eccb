"""The command of this room: `datalab ingest`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table as Sheet

from ingest.convert import Format, convert
from ingest.run import Outcome, ingest
from ingest.settings import IngestSettings
from policies.errors import DatalabError, UsageError

if TYPE_CHECKING:
    from catalog.lab import Lab

app = typer.Typer()


@app.command("ingest")
def ingest_command(
    ctx: typer.Context,
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets to bring in; all of them when none is named.")
    ] = None,
) -> None:
    """Fetch, read, type and commit datasets, and build their editions. A source that has not changed is left alone."""
    lab: Lab = ctx.obj()
    if not lab.slugs:
        raise UsageError(f"{lab.root / 'datasets'}: no descriptor there; describe a dataset in NAME.yaml first")
    outcomes: list[Outcome] = []
    broken: list[DatalabError] = []
    console = Console(stderr=True)
    with console.status("") as status:
        for slug in datasets or lab.slugs:
            try:
                for outcome in ingest(lab, slug, status.update):
                    outcomes.append(outcome)
                    console.print(f"{outcome.status:>9}  {slug}.{outcome.resource}", highlight=False)
                    for repair in outcome.repaired:
                        console.print(f"           repaired: {repair}", highlight=False, markup=False)
            except DatalabError as error:
                broken.append(error)
    Console().print(outcome_table(outcomes))
    failed = [f"{one.dataset}.{one.resource}: {one.error}" for one in outcomes if one.error is not None]
    if broken or failed:
        raise DatalabError("\n".join([*map(str, broken), *failed]))


@app.command("convert")
def convert_command(
    files: Annotated[list[Path], typer.Argument(help="The files to convert.", metavar="FILE…", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder to write to.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = "parquet",
) -> None:
    """Make clean Parquet or CSV of any file, with a receipt that proves it. Needs no lab.

    x.csv becomes OUT/x.parquet and OUT/x.receipt.json; a file of several tables a folder OUT/x/ with one file a table.
    A file that fails is named on stderr and stops no other; then the exit code is 1.
    """
    failed = 0
    columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(files))
        done = set()
        for converted in convert(files, out, form, IngestSettings()):
            done.add(converted.file)
            progress.update(task, completed=len(done), description=converted.file.name)
            if converted.error is not None:
                failed += 1
                progress.console.print(f"failed: {converted.error}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def outcome_table(outcomes: list[Outcome]) -> Sheet:
    """One line a resource: rows in, out and rejected, its editions, the seconds it took or that it is unchanged."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for heading in ("dataset", "resource"):
        sheet.add_column(heading, no_wrap=True)
    for heading in ("rows in", "out", "rejects"):
        sheet.add_column(heading, justify="right", no_wrap=True)
    sheet.add_column("editions", min_width=7)
    sheet.add_column("seconds", justify="right", no_wrap=True)
    for outcome in outcomes:
        failed = outcome.error is not None
        counts = (outcome.rows_in, outcome.rows_out, outcome.rejected)
        sheet.add_row(
            outcome.dataset,
            outcome.resource,
            *("" if failed else f"{count:,}".replace(",", " ") for count in counts),
            ", ".join(outcome.editions),
            f"{outcome.seconds:.2f}" if outcome.status == "ingested" else outcome.status,
            style="red" if failed else None,
        )
    return sheet
