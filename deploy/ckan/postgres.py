"""A PostgreSQL of our own: a cluster without passwords, on a socket in a folder that only its user may enter."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from deploy.ckan.server import Server, run

# Data that are thrown away need not survive a power cut.
CARELESS = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def program(name: str) -> str:
    """The path of a program of the newest PostgreSQL; Debian keeps most of them out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: int(path.parent.name))
    return str(versions[-1] / name) if versions else name


class Postgres:
    """One cluster: its data in `folder`/data, its socket in `folder`.

    Call `create` or `copy` first, then `start`. PostgreSQL refuses to run as root: root runs it as the user `postgres`,
    who must be able to reach the folder.
    """

    def __init__(self, folder: Path, log: Path, env: dict[str, str]) -> None:
        """Make the folder, for that user alone."""
        self.folder, self._log, self._env = folder, log, env
        self._privileges: list[str] = []
        folder.mkdir(0o700)
        if os.geteuid() == 0:
            self._privileges = ["--reuid=postgres", "--regid=postgres", "--init-groups"]
            shutil.chown(folder, "postgres", "postgres")

    def create(self) -> None:
        """Make a new cluster, whose superuser is `postgres`."""
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        run(program("initdb"), "-D", f"{self.folder}/data", *options, env=self._env, privileges=self._privileges)

    def copy(self, data: Path) -> None:
        """Take over the data of a cluster that is not running, whose owner is ours."""
        run("cp", "-a", str(data), f"{self.folder}/data", env=self._env)

    def move(self, to: Path) -> None:
        """Move the data of our cluster, which must not be running, to a folder that does not exist yet."""
        run("mv", f"{self.folder}/data", str(to), env=self._env)

    def start(self) -> Server:
        """Return once it takes connections."""
        server = Server(
            "PostgreSQL",
            [program("postgres"), "-D", f"{self.folder}/data", "-k", str(self.folder), "-h", "", *CARELESS],
            self._log,
            env=self._env,
            privileges=self._privileges,
            stop_by=signal.SIGINT,  # its "fast" stop, which does not wait for clients to leave
        )
        server.start()
        try:
            server.wait(self._is_ready)
        except BaseException:
            server.kill()
            raise
        return server

    def sql(self, script: str) -> None:
        """Run a psql script as superuser, one statement a transaction; stop at the first error with StackError."""
        where = ["-h", str(self.folder), "-U", "postgres", "-d", "postgres"]
        run(program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", *where, stdin=script, env=self._env)

    def _is_ready(self) -> bool:
        ask = [program("pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(ask, env=self._env, check=False).returncode == 0
