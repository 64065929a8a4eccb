"""The users' Python: a virtual environment of its own, seen at /opt/venv, and the interpreter it was made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import SandboxError
from sandbox.jail import Mount

if TYPE_CHECKING:
    from catalog.lab import Lab
    from sandbox.settings import SandboxSettings

VENV = "/opt/venv"
PYTHON = f"{VENV}/bin/python"
"""Scripts of a venv name their interpreter by the path where it was made: inside, always run `PYTHON -m …`."""


def python_mounts(lab: Lab, settings: SandboxSettings) -> tuple[Mount, ...]:
    """What to mount so that PYTHON works: the venv, and its base interpreter where that lies outside /usr.

    A base interpreter (pyenv, uv) is seen at the path it has on the host, since the venv names it by that path.
    Raises SandboxError if the venv is missing or its interpreter is gone.
    """
    venv = (lab.root / settings.venv).resolve()
    config, python = venv / "pyvenv.cfg", venv / "bin" / "python"
    if not config.is_file() or not python.exists():
        message = (
            f"{venv}: there is no Python environment for sandboxes; run `make setup`, or name one in "
            f"{lab.root / 'datalab.toml'}, [sandbox] venv"
        )
        raise SandboxError(message)
    prefixes = {_home(config).parent, python.resolve().parent.parent}
    return (Mount(venv, VENV), *(mount for prefix in sorted(prefixes) for mount in _base_mounts(prefix)))


def _home(config: Path) -> Path:
    """The folder of the interpreter that made the venv, by pyvenv.cfg."""
    for line in config.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip())
    message = f"{config}: the key 'home' is missing; make the environment again: `make setup`"
    raise SandboxError(message)


def _base_mounts(prefix: Path) -> tuple[Mount, ...]:
    """`bin` and `lib` of a Python outside /usr; nothing else that may lie beside them."""
    real = prefix.resolve()
    if real == Path("/") or real.is_relative_to("/usr"):
        return ()
    if not any((real / "lib").glob("python3*/os.py")):
        message = f"{prefix}: not a Python installation, though the sandbox's environment was made with it"
        raise SandboxError(message)
    return tuple(Mount(real / name, str(prefix / name)) for name in ("bin", "lib"))
