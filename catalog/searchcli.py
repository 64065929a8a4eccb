"""The commands `datalab search` and `datalab joins`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from catalog.entries import entries
from catalog.joins.coded import coded
from catalog.joins.join import joins
from catalog.metadata import said
from catalog.search.facets import FACETS
from catalog.search.find import QUERY_LIMIT, search
from catalog.search.index import indexed
from catalog.search.synonyms import synonyms
from catalog.search.uses import FILE, Uses
from catalog.web.joined import percent
from policies.document import suggest
from policies.errors import DatalabError, UsageError
from policies.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.entries import Entry
    from catalog.joins.join import Join
    from catalog.lab import Lab
    from catalog.search.facets import Facet
    from catalog.search.index import Index

app = typer.Typer()

As = Annotated[
    str, typer.Option("--as", metavar="PRINCIPAL", help="everyone, user:NAME, group:NAME, or a user's NAME.")
]
Values = Annotated[list[str] | None, typer.Option(metavar="VALUE", help="Several times: any of them.")]


@app.command("search")
def search_command(  # noqa: PLR0913  an option a facet
    ctx: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="What a dataset must say; all datasets without it.")] = None,
    *,
    theme: Values = None,
    publisher: Values = None,
    licence: Values = None,
    form: Annotated[
        list[str] | None, typer.Option("--format", metavar="VALUE", help="csv, parquet, geoparquet.")
    ] = None,
    territory: Values = None,
    freshness: Annotated[
        list[str] | None, typer.Option(metavar="VALUE", help="current, late, irregular, fixed.")
    ] = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="How many datasets to tell.")] = 20,
    as_: As = "everyone",
) -> None:
    """Find datasets by words: titles, keywords, columns and what they mean; the most telling come first.

    Accents, plurals and stems do not matter, synonyms are known (synonyms.txt); "words in quotes" are a phrase.
    """
    lab: Lab = ctx.obj()
    left_out: list[DatalabError] = []
    index = indexed(entries(lab, lab.principals(as_), left_out.append), dt.datetime.now(dt.UTC).date())
    chosen: dict[Facet, frozenset[str]] = {
        facet: frozenset(values or ())
        for facet, values in zip(FACETS, (theme, publisher, licence, form, territory, freshness), strict=True)
    }
    _check(index, chosen)
    asked = " ".join(words or [])
    if len(asked) > QUERY_LIMIT:
        raise UsageError(f"a search has at most {QUERY_LIMIT} signs, and this one has {len(asked)}: say fewer words")
    found = search(index, asked, chosen, synonyms(lab), Uses(lab.var / FILE).downloads())
    for entry in found.entries[:most]:
        Console().print(_dataset(entry), soft_wrap=True)
    typer.echo(f"{count_of(len(found.entries), 'dataset')} of {len(index.listed)}", nl=False)
    typer.echo(f"; --limit {len(found.entries)} tells all" if len(found.entries) > most else "")
    if found.suggestion is not None:
        typer.echo(f"did you mean: {found.suggestion}")
    _tell(left_out)


@app.command("joins")
def joins_command(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="DATASET[.RESOURCE]", help="The dataset whose tables are to be joined, or one table."),
    ],
    *,
    sql: Annotated[bool, typer.Option("--sql", help="The SELECT of each join instead.")] = False,
    as_: As = "everyone",
) -> None:
    """Tell with which tables a dataset's tables join, and on which columns, by the codes that stand in them.

    What a table's codes are is kept in var/sketches; the first time, each table is read once.
    """
    lab: Lab = ctx.obj()
    left_out: list[DatalabError] = []
    shown = entries(lab, lab.principals(as_), left_out.append)
    known = sorted({entry.slug for entry in shown})
    dataset, _, resource = what.partition(".")
    if dataset not in known:
        raise UsageError(f"unknown dataset {dataset!r}, or not granted to {as_}; {suggest(dataset, known)}")
    with Console(stderr=True).status("comparing tables") as status:
        tables = coded(
            lab, shown, lambda table, number, all_: status.update(f"{number} of {all_}: {table}"), left_out.append
        )
        these = [one for one in tables if one.entry.slug == dataset and resource in {"", one.resource}]
        found = joins(these, tables)
    if resource and resource not in {one.resource for one in tables if one.entry.slug == dataset}:
        there = sorted({one.resource for one in tables if one.entry.slug == dataset})
        raise UsageError(f"{dataset} has no table {resource!r}; {suggest(resource, there)}")
    if not found:
        typer.echo(f"{what} joins with no other table")
    elif sql:
        typer.echo("\n\n".join(f"{join.sql};" for join in found))
    else:
        for join in found:
            Console().print(_join(join), soft_wrap=True)
    _tell(left_out)


def _check(index: Index, chosen: dict[Facet, frozenset[str]]) -> None:
    """Raises UsageError for a value that no dataset has, naming the nearest."""
    for facet, values in chosen.items():
        known = sorted({value for one in index.listed.values() for value in one.values[facet]})
        for value in sorted(values - set(known)):
            raise UsageError(f"no dataset has the {facet} {value!r}; {suggest(value, known)}")


def _dataset(entry: Entry) -> Text:
    """Its name and title, then whose it is, its tables, and the day of its last version."""
    told = f"{entry.dataset.publisher.name}; {', '.join(entry.resources)}; {entry.modified.date()}"
    return Text.assemble((entry.slug, "bold"), f"  {said(entry.dataset.title)}\n    {told}")


def _join(join: Join) -> Text:
    """The columns, then what share of the codes of the one stands in the other."""
    here, there = f"{join.this.table}.{join.this.column}", f"{join.other.table}.{join.other.column}"
    about = "" if join.exact else "about "
    shares = (
        f"{about}{percent(join.contained, 'en')} % of its codes are there",
        f"{percent(join.covered, 'en')} % of theirs are here",
    )
    return Text.assemble((here, "bold"), " = ", (there, "bold"), f"\n    {'; '.join([*shares, *_how(join)])}")


def _how(join: Join) -> Iterable[str]:
    if not join.looks_up:
        yield "several rows there have the same code"
    elif not join.other.unique:
        yield "some codes stand there more than once"
    for licence in join.share_alike:
        yield f"what is made of it carries {licence}"


def _tell(left_out: list[DatalabError]) -> None:
    """Raises an error that names what was left out, if anything was."""
    if left_out:
        raise DatalabError("\n".join(dict.fromkeys(str(error) for error in left_out)))
