"""The command `datalab disclosure`, and how it looks: a table for a person, a dict a line for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet

from catalog.disclosure import disclosure

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if as_json:
        for one in found:
            typer.echo(json.dumps(disclosure_dict(one), ensure_ascii=False))
    else:
        Console().print(disclosure_table(found) if found else f"{dataset}: no edition is served")


def disclosure_table(found: Sequence[Disclosure]) -> Sheet:
    """One line a table: rows, k, l, rows that are alone, the risk at worst and on average, and what is suppressed."""
    sheet = Sheet(box=SIMPLE_HEAD, pad_edge=False)
    sheet.add_column("edition")
    sheet.add_column("resource")
    for heading in ("rows", "k", "l", "unique", "at worst", "expected", "suppressed"):
        sheet.add_column(heading, justify="right", no_wrap=True)
    sheet.add_column("over", overflow="fold")
    for one in found:
        classes = one.classes
        told = ["", "", "", "", ""]
        if classes is not None:
            worst = None if classes.smallest is None else 1 / classes.smallest
            told = [
                _count(classes.smallest),
                _count(classes.least_diverse),
                f"{_count(classes.uniques)} ({_share(classes.unique_share)})",
                _share(worst),
                _share(classes.expected),
            ]
        hidden = _count(one.suppressed) if one.cells is None else f"{_count(one.cells)} cells"
        sheet.add_row(one.edition, one.resource, _count(one.rows), *told, hidden, one.note or ", ".join(one.over))
    return sheet


def disclosure_dict(one: Disclosure) -> dict[str, Any]:
    """All that is known of a table; what is unknown or was not asked for is None."""
    classes = one.classes
    return {
        "edition": one.edition,
        "resource": one.resource,
        "rows": one.rows,
        "over": one.over,
        "sensitive": one.of,
        "k": None if classes is None else classes.smallest,
        "l": None if classes is None else classes.least_diverse,
        "classes": None if classes is None else classes.classes,
        "uniques": None if classes is None else classes.uniques,
        "unique_share": None if classes is None else classes.unique_share,
        "expected": None if classes is None else classes.expected,
        "suppressed": one.suppressed,
        "cells": one.cells,
        "note": one.note,
    }


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}".replace(",", " ")


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
