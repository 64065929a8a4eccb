"""The command `datalab disclosure`, and how it looks: some lines for a person, a dict a line for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from catalog.disclosure import disclosure
from policies.wording import count_of

if TYPE_CHECKING:
    from catalog.disclosure import Disclosure
    from catalog.lab import Lab

app = typer.Typer()


@app.command("disclosure")
def disclosure_command(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The dataset whose editions to look at.")],
    *,
    over: Annotated[
        str,
        typer.Option(metavar="COLUMNS", help="Quasi-identifiers, as a,b: instead of those that the policy declares."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="All of it, one JSON document a line.")] = False,
) -> None:
    """Tell how well each edition hides its persons: k, l, rows that are alone, and the risk to be found again.

    Counts alone are printed, never a value.
    """
    lab: Lab = ctx.obj()
    columns = tuple(dict.fromkeys(one.strip() for one in over.split(",") if one.strip()))
    found = list(disclosure(lab, dataset, columns))
    for one in found:
        if as_json:
            typer.echo(json.dumps(disclosure_dict(one), ensure_ascii=False))
        else:
            Console().print(disclosure_text(one), soft_wrap=True)
    if not found and not as_json:
        typer.echo(f"{dataset}: no edition is served")


def disclosure_text(one: Disclosure) -> Text:
    """Two or three lines: the table and its columns, its classes and the risk, and what was suppressed."""
    classes = one.classes
    lines = [Text(f"{one.edition}.{one.resource}  {count_of(one.rows, 'row')}", style="bold")]
    if classes is None or classes.smallest is None:
        lines.append(Text(f"  {one.note or 'no row, so no class'}"))
    else:
        diverse = "" if classes.least_diverse is None else f", l={classes.least_diverse} of {one.of}"
        counted = "" if one.person is None else f" persons by {one.person}"
        lines.append(Text(f"  k={classes.smallest}{counted}{diverse} over {', '.join(one.over)}"))
        noun = "row" if one.person is None else "person"
        alone = f"{count_of(classes.uniques, noun)} alone ({classes.unique_share:.1%})"
        found = f"found again: {1 / classes.smallest:.1%} at worst, {classes.expected:.1%} expected"
        lines.append(Text(f"  {count_of(classes.classes, 'class', 'classes')}, {alone}; {found}"))
        lines += [] if one.note is None else [Text(f"  {one.note}")]
    hidden = [
        *([] if one.suppressed is None else [count_of(one.suppressed, "row")]),
        *([] if one.cells is None else [count_of(one.cells, "cell")]),
    ]
    if hidden:
        lines.append(Text(f"  suppressed: {', '.join(hidden)}"))
    return Text("\n").join(lines)


def disclosure_dict(one: Disclosure) -> dict[str, Any]:
    """All that is known of a table; what is unknown or was not asked for is None."""
    classes = one.classes
    return {
        "edition": one.edition,
        "resource": one.resource,
        "rows": one.rows,
        "over": one.over,
        "sensitive": one.of,
        "person": one.person,
        "k": None if classes is None else classes.smallest,
        "l": None if classes is None else classes.least_diverse,
        "classes": None if classes is None else classes.classes,
        "persons": None if classes is None else classes.persons,
        "uniques": None if classes is None else classes.uniques,
        "unique_share": None if classes is None else classes.unique_share,
        "expected": None if classes is None else classes.expected,
        "suppressed": one.suppressed,
        "cells": one.cells,
        "note": one.note,
    }
