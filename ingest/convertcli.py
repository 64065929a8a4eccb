"""The command `datalab convert`, apart from the others: it needs no lab, and less to start."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from catalog.model import Reading
from ingest.batches import convert_all
from ingest.convert import Format  # noqa: TC001  typer reads it
from ingest.settings import IngestSettings
from policies.document import parse_yaml
from policies.errors import DocumentError
from policies.wording import count_of

app = typer.Typer()


@app.command("convert")
def convert_command(
    files: Annotated[list[Path], typer.Argument(help="The files to convert.", metavar="FILE…", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder to write to.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = "parquet",
    read: Annotated[
        str, typer.Option(metavar="YAML", help="How to read them, as a descriptor says it: '{header_row: 3}'.")
    ] = "{}",
) -> None:
    """Make clean Parquet or CSV of any file, with a receipt that proves it. Needs no lab.

    x.csv becomes OUT/x.parquet and OUT/x.receipt.json; a file of several tables a folder OUT/x/ with one file a table.
    A file that fails is named on stderr and stops no other; then the exit code is 1.
    """
    try:
        reading = parse_yaml(read, "--read", Reading)
    except DocumentError as error:
        raise typer.BadParameter(str(error)) from None
    tables = rows = rejected = failed = 0
    columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(files))
        done = set()
        for converted in convert_all(files, out, form, reading, IngestSettings()):
            done.add(converted.file)
            progress.update(task, completed=len(done), description=converted.file.name)
            if converted.error is not None:
                failed += 1
                progress.console.print(f"failed: {converted.error}", markup=False, highlight=False, soft_wrap=True)
                continue
            tables, rows, rejected = tables + 1, rows + converted.rows, rejected + converted.rejected
    typer.echo(f"{count_of(tables, 'table')} in {out}: {count_of(rows, 'row')}, {rejected} rejected; {failed} failed")
    if failed:
        raise typer.Exit(1)
