"""The `datalab` command: it mounts each room's commands, prints errors, and exits."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer.core import TyperGroup

from policies.errors import DatalabError

if TYPE_CHECKING:
    from typer._click import Command, Context

    from catalog.lab import Lab

_MODULES = (
    "ingest.convertcli",
    "ingest.cli",
    "ingest.harvestcli",
    "ingest.addcli",
    "catalog.cli",
    "catalog.publishcli",
    "catalog.searchcli",
    "catalog.checkcli",
    "catalog.disclosurecli",
    "catalog.policycli",
    "catalog.requestcli",
    "catalog.auditcli",
    "sandbox.cli",
    "sandbox.hubcli",
    "sandbox.gatewaycli",
    "sandbox.airlockcli",
)
"""Where the commands are, in the order in which one is looked for."""


class _Rooms(TyperGroup):
    """The commands of all rooms, each loaded when it is asked for: the libraries of all take longer than most work."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [name for module in _MODULES for name in _commands(module).list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        found = (_commands(module).get_command(ctx, cmd_name) for module in _MODULES)
        return next((command for command in found if command is not None), None)


def _commands(module: str) -> TyperGroup:
    """The commands of a module; those of `sandbox` stand together under its name."""
    mounted = typer.Typer()
    mounted.add_typer(import_module(module).app, name="sandbox" if module == "sandbox.cli" else None)
    return typer.main.get_group(mounted)


app = typer.Typer(
    name="datalab",
    cls=_Rooms,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(
    ctx: typer.Context,
    lab: Annotated[
        Path,
        typer.Option(help="The lab's folder: the one with datalab.toml.", envvar="DATALAB_LAB", show_default="here"),
    ] = Path(),
) -> None:
    """A region's data: brought in and proven, published, queried, and worked on in sandboxes."""
    ctx.obj = partial(_open, lab)


def _open(folder: Path) -> Lab:
    from catalog.lab import Lab  # noqa: PLC0415  `convert` needs none

    return Lab.open(folder)


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
