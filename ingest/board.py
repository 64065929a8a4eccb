"""What a person at a terminal sees while jobs run: a bar of all, and a line for each that is under way."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.progress import TaskID


@dataclass(frozen=True, kw_only=True)
class Board:
    """A bar that counts `things`, and below it what is under way; `console` prints above both."""

    progress: Progress
    whole: TaskID
    things: str
    _lines: dict[str, TaskID] = field(default_factory=dict)

    @property
    def console(self) -> Console:
        """Where to print what stays."""
        return self.progress.console

    def advance(self) -> None:
        """One more is done."""
        self.progress.advance(self.whole)
        done = self.progress.tasks[0]
        self.progress.update(self.whole, description=f"{done.completed:.0f}/{done.total:.0f} {self.things}")

    def at(self, steps: Mapping[str, str]) -> None:
        """Show these steps, by what they are steps of, and no others."""
        for name in self._lines.keys() - steps.keys():
            self.progress.remove_task(self._lines.pop(name))
        for name, step in steps.items():
            if name not in self._lines:
                self._lines[name] = self.progress.add_task(step, total=None)
            self.progress.update(self._lines[name], description=step)


@contextmanager
def board(total: int, things: str) -> Iterator[Board]:
    """A board on stderr for so many things, gone at the end; where no person looks, only its console speaks."""
    columns = (BarColumn(20), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Board(progress=progress, whole=progress.add_task(f"0/{total} {things}", total=total), things=things)
