"""The command of this room: `datalab ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet

from ingest.run import Outcome, ingest
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
