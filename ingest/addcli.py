"""The command `datalab add`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from catalog.lab import Lab
    from ingest.harvest.draft import Draft

app = typer.Typer()


@app.command("add")
def add_command(  # noqa: PLR0913  a flag for each thing that may have to be said
    ctx: typer.Context,
    where: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE", help="A file, its web address, or a portal's page of a dataset.", show_default=False
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="The dataset's name in the lab.", show_default="of its title")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Its title, in French.")] = None,
    description: Annotated[str | None, typer.Option(help="What it holds, in French.")] = None,
    publisher: Annotated[str | None, typer.Option(help="Who answers for the data.")] = None,
    contact: Annotated[str | None, typer.Option(metavar="'NAME <EMAIL>'", help="Whom to ask.")] = None,
    licence: Annotated[str | None, typer.Option(help="LO-2.0, ODbL-1.0, CC-BY-4.0 …")] = None,
    frequency: Annotated[str | None, typer.Option(help="DAILY, MONTHLY, ANNUAL …")] = None,
    territory: Annotated[
        str | None, typer.Option(help="INSEE codes (departement:76,27), or a name for where the rows lie.")
    ] = None,
    theme: Annotated[list[str] | None, typer.Option(help="A theme of the EU's list; may be said again.")] = None,
    keyword: Annotated[list[str] | None, typer.Option(help="A keyword; may be said again.")] = None,
    granted: Annotated[bool, typer.Option("--open", help="Grant what is not personal to everyone.")] = False,
) -> None:
    """Draft a dataset's descriptor: fetch it, read it, take what its portal says, and ask for what nothing tells.

    A complete one is written to datasets/, with a policy that grants nobody anything until you say so; one that lacks
    something goes to drafts/, with what is to do. Questions are asked on a terminal alone.
    """
    from ingest.add.answers import Answers, answered, asked, usual_of  # noqa: PLC0415  as in harvestcli.py
    from ingest.add.run import looked_at, write  # noqa: PLC0415

    lab: Lab = ctx.obj()
    said = Answers(
        title=title,
        description=description,
        publisher=publisher,
        contact=contact,
        licence=licence,
        frequency=frequency,
        spatial=territory,
        themes=tuple(theme or ()),
        keywords=tuple(keyword or ()),
    )
    console = Console(stderr=True)
    with console.status(f"asking {where}") as status:
        added = looked_at(lab, where, name, lambda step: status.update(Text(step)))
    added = added.with_draft(answered(added.draft, said))
    if added.draft.missing and sys.stdin.isatty():
        usual = usual_of(lab.datasets()[0].values())
        more = asked(added.draft, _ask, usual)
        added = added.with_draft(answered(added.draft, more))
    for path in write(lab, added, granted=granted):
        typer.echo(f"wrote {path.relative_to(lab.root)}")
    _tell(added.draft)


def _ask(key: str, what: str, otherwise: str | None) -> str:
    answer: str = typer.prompt(f"{key} ({what})", default=otherwise or "", show_default=bool(otherwise))
    return answer


def _tell(draft: Draft) -> None:
    for note in draft.notes:
        if note.kind == "told" and ("rejected" in note.what or note.what.startswith(("left out", "cannot be read"))):
            typer.echo(f"note {'.'.join(note.place)}: {note.what}")
    for note in draft.notes:
        if note.kind == "guessed":
            typer.echo(f"guessed {'.'.join(note.place)}: {note.what}")
    if draft.missing:
        flags = {"themes": "theme", "keywords": "keyword", "spatial": "territory"}
        options = ", ".join(f"--{flags.get(key, key)}" for key in draft.missing if key != "resources")
        typer.echo(
            f"it lacks {', '.join(draft.missing)}: say {options}, or write them in, and move it to datasets/", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"look at it, then: datalab check {draft.slug}; datalab ingest {draft.slug}")
