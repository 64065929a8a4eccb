"""The `datalab` command: it mounts each room's commands, prints errors, and exits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import catalog.cli
import ingest.cli
import sandbox.cli
from catalog.lab import Lab
from policies.errors import DatalabError

app = typer.Typer(
    name="datalab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(ingest.cli.app)
app.add_typer(catalog.cli.app)
app.add_typer(sandbox.cli.app, name="sandbox")


@app.callback()
def start(
    ctx: typer.Context,
    lab: Annotated[
        Path,
        typer.Option(help="The lab's folder: the one with datalab.toml.", envvar="DATALAB_LAB", show_default="here"),
    ] = Path(),
) -> None:
    """A region's data: brought in and proven, published, queried, and worked on in sandboxes."""
    ctx.obj = lambda: Lab.open(lab)


def main() -> None:
    """Run the command. Exits with 0 when done, 1 and a message when it could not, 2 when it was asked wrongly."""
    try:
        app()
    except DatalabError as error:
        Console(stderr=True).print("[bold red]error:[/] ", end="")
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe went away (`datalab query … | head`): that is no error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
