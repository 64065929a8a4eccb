"""`datalab sandbox run`: a notebook, executed in the jail of a user; the executed copy comes out.

What comes out was written by whoever wrote the notebook: it is bounded, and must be a notebook, before it is kept.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.errors import SandboxError, UsageError
from sandbox.command import memory_exceeded, open_jail
from sandbox.inside.execute import CELL_FAILED, KERNEL_DIED
from sandbox.offer import EXECUTED
from sandbox.profile import profile_of, script
from sandbox.python import PYTHON
from sandbox.settings import SandboxSettings
from sandbox.streams import exchange, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab

_SAID = 400
"""How much of what the jail says goes into one of our messages."""


def run_notebook(
    lab: Lab,
    notebook: Path,
    user: str,
    *,
    purpose: str | None = None,
    out: Path | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Path:
    """Execute `notebook` and write the executed copy to `out`, or into the user's folder of runs; returns its path.

    That is `var/runs/USER/NAME.executed.ipynb` in the lab, and its owner's alone: what the cells say is what the user
    was granted, while the notebook may be everybody's. When a cell fails, or the kernel dies, the copy is written too,
    and SandboxError names the cell and the error. It is raised as well, without a copy, where no jail can be made and
    after the deadline of [sandbox].
    """
    settings = lab.section("sandbox", SandboxSettings)
    source = _source(notebook, out, settings)
    target, text = script("execute.py")
    profile = profile_of(lab, user, settings, purpose=purpose, command=(PYTHON, target), warn=warn)
    profile = replace(profile, files={**profile.files, target: text})
    copy = _runs(lab, user) / f"{notebook.stem}{EXECUTED}" if out is None else out
    answer, said = bytearray(), bytearray()
    with tempfile.TemporaryFile() as feed:
        feed.write(source)
        feed.seek(0)
        with open_jail(profile, settings, warn) as jailed:
            try:
                exchange(jailed, feed=feed.fileno(), out=answer.extend, err=said.extend, settings=settings)
            except SandboxError as error:
                message = f"{notebook}: {error}"
                raise SandboxError(message) from None
            code, out_of_memory = jailed.wait(), jailed.out_of_memory
    why = memory_exceeded(settings) if out_of_memory else _last_line(bytes(said))
    if code not in {0, CELL_FAILED, KERNEL_DIED}:
        message = f"{notebook}: could not be executed (exit code {code}): {why}"
        raise SandboxError(message)
    executed = _checked(notebook, bytes(answer))
    _write(copy, executed, mode=0o600 if out is None else 0o644)
    if code == CELL_FAILED:
        message = f"{notebook}: {_failure(executed)}; the copy up to there is {copy}"
        raise SandboxError(message)
    if code == KERNEL_DIED:
        message = f"{notebook}: the kernel died: {why}; the copy up to there is {copy}"
        raise SandboxError(message)
    return copy


def text_of(notebook: Path) -> str:
    """All that an executed notebook's cells said, as plain text in their order, without control characters."""
    said = []
    for _, output in _outputs(json.loads(notebook.read_text(encoding="utf-8"))):
        if output["output_type"] == "stream":
            said.append(_joined(output["text"]).rstrip("\n"))
        elif output["output_type"] in {"execute_result", "display_data"}:
            said.append(_joined(output["data"].get("text/plain", "")))
        elif output["output_type"] == "error":
            said.append(f"{output['ename']}: {output['evalue']}")
    return "\n".join(printable(text) for text in said if text)


def _runs(lab: Lab, user: str) -> Path:
    """The folder of the user's executed copies, made when it is missing. The user is known to exist."""
    runs = lab.var / "runs"
    for folder in (runs, runs / user):
        folder.mkdir(mode=0o700, exist_ok=True)
    return runs / user


def _source(notebook: Path, out: Path | None, settings: SandboxSettings) -> bytes:
    try:
        source = notebook.read_bytes()
    except OSError as error:
        message = f"{notebook}: cannot be read: {error.strerror}"
        raise UsageError(message) from None
    if len(source) > settings.output:
        message = f"{notebook}: {len(source)} bytes are more than [sandbox] output allows ({settings.output})"
        raise UsageError(message)
    if out is None:
        return source
    if out.is_dir() or not out.absolute().parent.is_dir():
        message = f"{out}: the executed copy is to be a file in a folder that exists; name one with --out"
        raise UsageError(message)
    if out.exists() and out.samefile(notebook):
        message = f"{out}: the executed copy would take the place of the notebook; name another file with --out"
        raise UsageError(message)
    return source


def _checked(notebook: Path, answer: bytes) -> dict[str, Any]:
    """The executed notebook, once it is proven to be one; whatever stands there instead was made to mislead us."""
    import nbformat  # noqa: PLC0415  slow to import, and every `datalab` command would wait for it

    try:
        executed: dict[str, Any] = json.loads(answer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without an id get one
            nbformat.validate(executed, version=4)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, nbformat.ValidationError) as error:
        first = str(error).partition("\n")[0]
        message = f"{notebook}: what came out of the sandbox is not a notebook: {printable(first)[:_SAID]}"
        raise SandboxError(message) from None
    return executed


def _write(copy: Path, executed: dict[str, Any], *, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=copy.absolute().parent, prefix=".", suffix=".ipynb")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(executed, file, ensure_ascii=False, indent=1)
            file.write("\n")
            os.fchmod(file.fileno(), mode)
        Path(name).replace(copy)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _failure(executed: dict[str, Any]) -> str:
    for number, output in _outputs(executed):
        if output["output_type"] == "error":
            said = f"{output['ename']}: {output['evalue']}"
            return f"cell {number} failed: {printable(said)[:_SAID]}"
    return "a cell failed"


def _outputs(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Every output, with the number of its cell, counted from 1 over all cells."""
    return [
        (number, output) for number, cell in enumerate(notebook["cells"], start=1) for output in cell.get("outputs", ())
    ]


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return printable(lines[-1])[:_SAID]
