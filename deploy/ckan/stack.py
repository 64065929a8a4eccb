"""A real CKAN, with its PostgreSQL, Redis and Solr, for a person or a test. Nothing of it is kept.

    with CkanStack() as ckan:
        RemoteCKAN(ckan.url, apikey=ckan.token)      # as a sysadmin
        ckan.reset()                                 # an empty catalogue again

`setup.sh` installs what this needs, `missing()` tells whether it has, and `python -m deploy.ckan` runs it for a
person. It uses only the standard library, so any Python 3.11 runs it.

CKAN and Solr listen on free ports of 127.0.0.1. PostgreSQL and Redis ask for no password, so they listen only on
sockets, in a folder that no other user may enter. All data are in one new temporary folder, removed at the end. The
first start makes an empty database with one sysadmin and keeps it in `.cache/ckan/`, from where later starts copy it.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import string
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deploy.ckan import postgres
from deploy.ckan.server import Server, StackError, accepts, fetch, free_ports, responds, run

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "ckan"
VENV = CACHE / "venv"
JARS = CACHE / "solr"

FIRST = """
create role ckan login;
create role datastore_reader login;
create database ckan owner ckan;
create database datastore owner ckan;
"""
# PostgreSQL copies only a database that nobody is connected to: hence two that are never used themselves.
SET_ASIDE = """
alter database ckan rename to empty_ckan;
alter database datastore rename to empty_datastore;
"""
COPY = """
drop database if exists ckan with (force);
drop database if exists datastore with (force);
create database ckan template empty_ckan owner ckan;
create database datastore template empty_datastore owner ckan;
"""


def missing() -> str | None:
    """What keeps the stack from starting, in one line that says what to do; None when nothing does."""
    parts = (("CKAN", "requirements.txt", VENV, "PyPI"), ("Solr", "pom.xml", JARS, "Maven Central"))
    for name, made_of, folder, registry in parts:
        stamp = folder / ".made-of"
        if not stamp.exists():
            return f"{name} is not in .cache/ckan/{folder.name}: run `make ckan-setup`, which needs {registry}"
        if stamp.read_text().strip() != hashlib.sha256((HERE / made_of).read_bytes()).hexdigest():
            return f"{name} was installed from another deploy/ckan/{made_of}: run `make ckan-setup`"
    for program in (postgres.program("postgres"), "redis-server", "javac", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed: run `make ckan-setup`"
    return None


class CkanStack:
    """CKAN and its three servers: `start` and `stop`, or a `with` block.

    `url` has no slash at its end, `token` is a sysadmin's API token, and `password` is that of the same sysadmin,
    called `admin`. They hold until `stop`: through `reset`, `stop_ckan` and `start_ckan`. `directory` has the logs.

    The servers die with the thread that called `start`: call it from one that lives as long as they must.
    """

    url: str
    token: str
    password: str
    directory: Path

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        """`say` is told each step of the start, in a line."""
        self._say = say or (lambda _: None)
        self._servers: dict[str, Server] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return once CKAN answers. Raise StackError, with nothing left running, if a part is missing or fails."""
        if (reason := missing()) is not None:
            raise StackError(reason)
        self._root = Path(tempfile.mkdtemp(prefix="datalab-ckan-"))
        try:
            self._lay_out()
            self._say("starting Solr, Redis and PostgreSQL")
            self._start_solr()
            self._start_redis()
            self._start_postgres()
            self._servers["Solr"].wait(lambda: responds(f"{self._solr_url}/admin/ping"))
            self._say("starting CKAN")
            self.start_ckan()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all servers and remove their data. To call it again does nothing."""
        while self._servers:
            self._servers.popitem()[1].stop()  # the last started first
        shutil.rmtree(self._root, ignore_errors=True)

    def check(self) -> None:
        """Raise StackError if a server has ended by itself."""
        for server in self._servers.values():
            server.check()

    def reset(self) -> None:
        """Back to an empty CKAN: no dataset, organisation, group or upload. The sysadmin and the token stay.

        CKAN goes on running, as it tries a database connection before using it; but no request may be under way.
        """
        self._postgres.sql(COPY)
        run("redis-cli", "-s", self._redis_socket, "flushall", env=self._env)
        fetch(f"{self._solr_url}/update?commit=true", b'{"delete": {"query": "*:*"}}')
        shutil.rmtree(self.directory / "storage", ignore_errors=True)

    def stop_ckan(self) -> None:
        """Kill CKAN itself, as a crash would: its port refuses connections, and what the databases hold stays."""
        self._servers.pop("CKAN").kill()
        while accepts(self._port):  # its workers end a moment after their master
            time.sleep(0.01)

    def start_ckan(self, schema: str | None = None) -> None:
        """Start CKAN at the same address as before, and return once it answers.

        `schema`, a file of ckanext.dcat.schemas, is the form of its datasets under ckanext-scheming; None: no scheming.
        """
        self._configure(self._secret_key, schema)
        gunicorn = [f"{VENV}/bin/gunicorn", "--workers=1", "--threads=4", "--timeout=120", "--no-control-socket"]
        ckan = self._launch("CKAN", *gunicorn, f"--chdir={HERE}", f"--bind=127.0.0.1:{self._port}", "wsgi:application")
        ckan.wait(lambda: responds(f"{self.url}/api/3/action/status_show"))

    def _lay_out(self) -> None:
        self._root.chmod(0o711)  # for the user postgres to pass through
        self.directory = self._root / "ckan"
        self.directory.mkdir(0o700)
        self._port, self._solr_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self._port}"
        self._solr_url = f"http://127.0.0.1:{self._solr_port}/solr/ckan"
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(("CKAN_", "PG"))}
        self._env |= {"CKAN_INI": f"{self.directory}/ckan.ini", "NO_PROXY": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._postgres = postgres.Postgres(self._root / "databases", self.directory / "postgresql.log", self._env)
        self._redis_socket = f"{self._postgres.folder}/redis.sock"

    def _launch(self, name: str, *argv: str) -> Server:
        self._servers[name] = server = Server(name, argv, self.directory / f"{name.lower()}.log", self._env)
        server.start()
        return server

    def _start_solr(self) -> None:
        schema = next(VENV.glob("lib/python3*/site-packages/ckan/config/solr/schema.xml"))
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", f"{JARS}/*"]
        self._launch(
            "Solr", *java, f"{HERE}/SolrServer.java", str(schema), f"{self.directory}/solr", str(self._solr_port)
        )

    def _start_redis(self) -> None:
        redis = self._launch("Redis", "redis-server", "--port", "0", "--unixsocket", self._redis_socket, "--save", "")
        redis.wait(Path(self._redis_socket).exists)

    def _start_postgres(self) -> None:
        """Start PostgreSQL on a copy of an empty CKAN's database, made here if `.cache/ckan` has none that fits."""
        parts = [(HERE / name).read_text() for name in ("stack.py", "postgres.py", "ckan.ini", "requirements.txt")]
        parts += [postgres.program("postgres"), str(os.geteuid())]
        kept = CACHE / f"empty-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
        with (CACHE / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test runs that start at once make one database, not several
            if not kept.exists():
                self._say("making an empty database, which the next start will find")
                self._make_empty_database(kept)
            self._postgres.copy(kept / "data")
        secret = json.loads((kept / "secrets.json").read_text())
        self._secret_key = secret["secret_key"]
        self.token, self.password = secret["token"], secret["password"]
        self._servers["PostgreSQL"] = self._postgres.start()
        self._postgres.sql(COPY)

    def _make_empty_database(self, kept: Path) -> None:
        """Make the folder `kept`: a cluster at rest, `data`, and the `secrets.json` that go with it."""
        secret = {"secret_key": secrets.token_hex(32), "password": secrets.token_urlsafe(12)}
        self._configure(secret["secret_key"])
        self._postgres.create()
        self._servers["PostgreSQL"] = self._postgres.start()
        self._postgres.sql(FIRST)
        self._ckan("db", "init")
        self._postgres.sql(self._ckan("datastore", "set-permissions"))
        self._ckan("user", "add", "admin", "email=admin@example.org", stdin=f"{secret['password']}\n" * 2)
        self._ckan("sysadmin", "add", "admin")
        secret["token"] = self._ckan("user", "token", "add", "admin", "stack", "--quiet").split()[-1]
        self._postgres.sql(SET_ASIDE)
        self._servers.pop("PostgreSQL").stop()

        for old in CACHE.glob("empty-*"):
            shutil.rmtree(old)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=CACHE))  # whole or not at all, and for our eyes only
        self._postgres.move(new / "data")
        (new / "secrets.json").write_text(json.dumps(secret))
        new.rename(kept)

    def _ckan(self, *arguments: str, stdin: str = "") -> str:
        return run(f"{VENV}/bin/ckan", *arguments, stdin=stdin, env=self._env)

    def _configure(self, secret_key: str, schema: str | None = None) -> None:
        template = string.Template((HERE / "ckan.ini").read_text())
        configuration = template.substitute(
            secret_key=secret_key,
            scheming="" if schema is None else "scheming_datasets ",
            schema="" if schema is None else f"ckanext.dcat.schemas:{schema}",
            url=self.url,
            solr_url=self._solr_url,
            directory=self.directory,
            databases=self._postgres.folder,
        )
        (self.directory / "ckan.ini").write_text(configuration)
