"""The command `datalab check`, and how its reports look: some lines for a person, a dict for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from catalog.check import check
from catalog.mqa import TOTAL
from policies.errors import DatalabError
from policies.wording import count_of

if TYPE_CHECKING:
    from catalog.check import Report
    from catalog.lab import Lab

app = typer.Typer()


@app.command("check")
def check_command(
    ctx: typer.Context,
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets to check; all when none is named.")] = None,
    *,
    gains: Annotated[int, typer.Option(min=0, help="How many ways to raise the score to tell of each.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, one JSON document a line.")] = False,
) -> None:
    """Say what is wrong with descriptors and policies, and score each dataset as data.europa.eu does (405 points).

    What would raise the score is told too, the cheapest first. Exits with 1 if anything is wrong.
    """
    lab: Lab = ctx.obj()
    reports = list(check(lab, tuple(datasets or lab.slugs)))
    for report in reports:
        if as_json:
            typer.echo(json.dumps(report_dict(report), ensure_ascii=False))
        else:
            Console().print(report_text(report, gains), soft_wrap=True)
    errors = sum(len(report.errors) for report in reports)
    if errors > 0:
        raise DatalabError(f"{count_of(errors, 'error')} in {count_of(len(reports), 'dataset')}: see above")
    if not as_json:
        typer.echo(f"{count_of(len(reports), 'dataset')}, nothing wrong")


def report_text(report: Report, gains: int) -> Text:
    """The dataset and its score, then what is wrong, what deserves a look, and the first `gains` ways to raise it."""
    score = report.score
    head = report.slug if score is None else f"{report.slug}  {score.points}/{TOTAL}, {score.rating}"
    lines = [Text(head, style="bold")] if head else []
    lines += [Text(f"  wrong: {error}", style="red") for error in report.errors]
    lines += [Text(f"  look: {warning}", style="yellow") for warning in report.warnings]
    missing = () if score is None else score.gains
    lines += [Text(f"  +{one.missing} {one.name}: {one.remedy}") for one in missing[:gains]]
    more = sum(one.missing for one in missing[gains:])
    if more > 0 and gains > 0:
        lines.append(Text(f"  +{more} more: --gains {len(missing)}"))
    return Text("\n").join(lines)


def report_dict(report: Report) -> dict[str, Any]:
    """All of a report; `score` is None where the dataset cannot be read."""
    score = report.score
    return {
        "dataset": report.slug or None,
        "errors": report.errors,
        "warnings": report.warnings,
        "score": None
        if score is None
        else {
            "points": score.points,
            "of": TOTAL,
            "rating": score.rating,
            "indicators": [
                {
                    "dimension": one.dimension,
                    "name": one.name,
                    "points": one.points,
                    "reached": one.reached,
                    "remedy": one.remedy if one.missing else None,
                }
                for one in score.indicators
            ],
        },
    }
