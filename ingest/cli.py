"""The commands of this room: `datalab ingest`, `schedule`, `review`, `accept`, `refuse`, `receipt`."""

from __future__ import annotations

import datetime as dt
import json
import os
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from catalog.grants import unknown_principals
from ingest import verdict
from ingest.board import board
from ingest.jobs import Task, dask, processes, run_all, run_job, waves
from ingest.receipts import held_receipts, receipts
from ingest.schedule import alone, due_tasks, planned, record
from ingest.settings import IngestSettings
from ingest.show import outcome_table, receipt_sheets, review_table, schedule_table
from policies.audit.origin import account
from policies.errors import DatalabError, DocumentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.lab import Lab
    from ingest.board import Board
    from ingest.held import Held
    from ingest.jobs import Done
    from ingest.outcome import Outcome

app = typer.Typer()

HELD = 3
"""The exit code when all went well but something waits for review."""
_JOBS = min(4, os.cpu_count() or 1)

Jobs = Annotated[int, typer.Option(min=1, max=64, help="How many datasets at a time, each in a process of its own.")]
DaskAddress = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler: tcp://HOST:8786."),
]
What = Annotated[str, typer.Argument(metavar="DATASET[.RESOURCE]", help="A dataset, or one of its resources.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.", show_default="your account")]


@app.command("ingest")
def ingest_command(
    ctx: typer.Context,
    *,
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets to bring in; all of them when none is named.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All datasets, as when none is named.")] = False,
    jobs: Jobs = _JOBS,
    dask_address: DaskAddress = None,
) -> None:
    """Fetch, read, type and commit datasets, and build their editions. A source that has not changed is left alone.

    A refresh that breaks what was there (see `datalab review`) is held, and the last good snapshot goes on serving;
    then the exit code is 3.
    """
    if everything and datasets:
        said = f"brings in every dataset: name {', '.join(datasets)}, or say --all"
        raise typer.BadParameter(said, param_hint="--all")
    lab: Lab = ctx.obj()
    if not lab.slugs:
        raise UsageError(f"{lab.root / 'datasets'}: no descriptor there; describe a dataset in NAME.yaml first")
    tasks = [Task(slug) for slug in dict.fromkeys(datasets or lab.slugs)]
    for task in tasks:
        _warn_of_unknown(lab, task.slug)
    over = []
    for done in _run(lab, tasks, jobs, dask_address):
        record(lab, done, dt.datetime.now(dt.UTC))
        over.append(done)
    _report(over, [])


@app.command("schedule")
def schedule_command(
    ctx: typer.Context,
    *,
    show: Annotated[bool, typer.Option("--list", help="Show what is due when, and run nothing.")] = False,
    jobs: Jobs = _JOBS,
    dask_address: DaskAddress = None,
) -> None:
    """Bring in what is due by the `refresh` of its descriptor, once; a timer calls this every few minutes.

    A source that fails is asked again after 5 minutes, then 10, 20, … up to a day.
    """
    lab: Lab = ctx.obj()
    now = dt.datetime.now(dt.UTC)
    plan, broken = planned(lab, now)
    if show:
        zone = ZoneInfo(lab.section("ingest", IngestSettings).timezone)
        if plan:
            Console().print(schedule_table(plan, now, zone))
        else:
            typer.echo("no resource has a schedule: `refresh` of its descriptor says how often it is brought in")
        _fail([*map(str, broken)], [])
        return
    with alone(lab) as free:
        if not free:
            typer.echo("another `datalab schedule` runs on this lab", err=True)
            return
        over = []
        for done in _run(lab, due_tasks(plan, now), jobs, dask_address):
            record(lab, done, dt.datetime.now(dt.UTC))
            over.append(done)
        _report(over, broken)


@app.command("review")
def review_command(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="DATASET[.RESOURCE]", help="One dataset or resource.", show_default="all")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if anything waits.")] = False,
) -> None:
    """Show what waits for a steward: refreshes that differ too much from the last good snapshot, or cannot be read."""
    waits = verdict.waiting(ctx.obj(), what)
    if not waits:
        typer.echo("nothing waits for review")
        return
    Console().print(review_table(waits))
    _warn_of_broken(ctx.obj(), waits)
    if check:
        raise typer.Exit(1)


@app.command("accept")
def accept_command(
    ctx: typer.Context,
    what: What,
    why: Annotated[str, typer.Option(help="Why; it stands in the receipt.")] = "",
    by: By = None,
) -> None:
    """Let what is held count, exactly as it was held, and build the editions from it.

    Saved queries, dashboards and notebooks that its columns would break are named first, as `review` names them.
    """
    _warn_of_broken(ctx.obj(), verdict.waiting(ctx.obj(), what))
    with board(1, "resources") as shown:
        outcomes = []
        say = partial(_at, shown, what)
        for outcome in verdict.accept(ctx.obj(), what, by=by or account(), why=why, say=say):
            _tell(shown.console, outcome)
            outcomes.append(outcome)
    Console().print(outcome_table(outcomes))
    _fail([], outcomes)


@app.command("refuse")
def refuse_command(
    ctx: typer.Context,
    what: What,
    why: Annotated[str, typer.Option(help="Why: who looks at the next ingest reads it.", show_default=False)],
    by: By = None,
) -> None:
    """Drop what is held; the same bytes are not held again, and what is served stays."""
    for name in verdict.refuse(ctx.obj(), what, by=by or account(), why=why):
        typer.echo(f"refused: {what.partition('.')[0]}.{name}")


@app.command("receipt")
def receipt_command(
    ctx: typer.Context,
    what: What,
    *,
    version: Annotated[int | None, typer.Option(min=0, help="An older snapshot.", show_default="the newest")] = None,
    of_held: Annotated[bool, typer.Option("--held", help="Of what waits for review.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON; one document a resource.")] = False,
) -> None:
    """Show what an ingest did: source, proof of the rows, each column's type and why, and the first rejects."""
    if of_held and version is not None:
        raise typer.BadParameter("what is held has no version yet: leave --version out")
    lab: Lab = ctx.obj()
    for number, told in enumerate(held_receipts(lab, what) if of_held else receipts(lab, what, version)):
        if as_json:
            typer.echo(json.dumps(told.stored, ensure_ascii=False, indent=1, default=str))
            continue
        if number > 0:
            typer.echo()
        Console().print(receipt_sheets(told.receipt, told.proves, told.rejects))


def _warn_of_unknown(lab: Lab, slug: str) -> None:
    """Say to whom the dataset's policy grants something who is not there; the job tells of a policy that is wrong."""
    with suppress(DocumentError):
        for warning in unknown_principals(lab, slug) if slug in lab.slugs else ():
            typer.echo(f"warning: {warning}", err=True)


def _warn_of_broken(lab: Lab, waits: Mapping[tuple[str, str], Held]) -> None:
    """Say what of the lab's own would break if what waits were accepted."""
    for name, would in verdict.breaks(lab, waits).items():
        lines = "\n".join(f"  {one}" for one in would)
        typer.echo(f"accepting {name} breaks:\n{lines}", err=True)


def _run(lab: Lab, tasks: Sequence[Task], jobs: int, dask_address: str | None) -> Iterator[Done]:
    """Run the tasks: here if it is one at a time, else in processes or on Dask; each outcome is told at once."""
    with board(len(tasks), "datasets") as shown:
        for wave in waves(lab, tasks):
            for done in _executed(lab, wave, jobs, dask_address, shown):
                for outcome in done.outcomes:
                    _tell(shown.console, outcome)
                shown.advance()
                yield done


def _executed(lab: Lab, tasks: Sequence[Task], jobs: int, dask_address: str | None, shown: Board) -> Iterator[Done]:
    if dask_address is None and (jobs == 1 or len(tasks) <= 1):
        for task in tasks:
            yield run_job(lab.root, task, partial(_at, shown, task.slug))
        return
    beside = min(jobs, len(tasks)) if dask_address is None else 1  # a worker of Dask has a bound of its own
    with nullcontext(processes(jobs)) if dask_address is None else dask(dask_address) as executor:
        yield from run_all(lab, tasks, executor, shown.at, beside)


def _at(shown: Board, what: str, step: str) -> None:
    shown.at({what: step})


def _tell(console: Console, outcome: Outcome) -> None:
    said = f"{outcome.status:>9}  {outcome.dataset}.{outcome.resource}"
    notes = [
        *(f"repaired: {one}" for one in outcome.repaired),
        *(outcome.reasons if outcome.status == "refused" else ()),
        *(outcome.notes if outcome.status == "ingested" else ()),
    ]
    console.print(
        "\n".join([said, *(f"           {note}" for note in notes)]), highlight=False, markup=False, soft_wrap=True
    )


def _report(over: Sequence[Done], broken: Sequence[DatalabError]) -> None:
    outcomes = sorted((one for done in over for one in done.outcomes), key=lambda one: one.dataset)
    if outcomes:
        Console().print(outcome_table(outcomes))
    _fail([*map(str, broken), *(done.error for done in over if done.error is not None)], outcomes)


def _fail(errors: list[str], outcomes: Sequence[Outcome]) -> None:
    """End the command: with every error, or with the exit code that says that something is held."""
    errors += [f"{one.dataset}.{one.resource}: {one.error}" for one in outcomes if one.error is not None]
    held = [one for one in outcomes if one.status == "held"]
    for one in held:
        typer.echo(f"{one.dataset}.{one.resource} is held: {'; '.join(one.reasons)}", err=True)
    if held:
        typer.echo("what is served stays: see `datalab review`, then `datalab accept` or `datalab refuse`", err=True)
    if errors:
        raise DatalabError("\n".join(errors))
    if held:
        raise typer.Exit(HELD)
