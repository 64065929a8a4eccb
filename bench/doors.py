"""SQL over HTTP on one table: the gateway, Datasette, roapi and CKAN's DataStore, each as it is started and asked."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
from ckanapi import RemoteCKAN

from bench.measure import REPOSITORY
from catalog.lake import ServedColumn
from deploy.ckan.stack import CkanStack
from policies.editions import definition
from sandbox.sql.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.lab import Lab

BIN = REPOSITORY / ".venv-bench" / "bin"
COLUMNS = {"id": "BIGINT", "commune": "VARCHAR", "jour": "DATE", "montant": "DOUBLE"}
TABLE = """
SELECT
  range AS id,
  printf('%05d', hash(range) % 36000) AS commune,
  DATE '2020-01-01' + CAST(range % 2000 AS INTEGER) AS jour,
  (hash(range * 7) % 1000000) / 100 AS montant
FROM range({rows})
"""

LAB = """
[catalog]
url = "http://127.0.0.1/"
[policies.users]
ana = []
[sandbox]
venv = "{venv}"
[gateway]
engines = 2
share = 2
queue = 1000
"""
DESCRIPTOR = """
title: {fr: "Mesure"}
description: {fr: "Mesure."}
publisher: {name: "Région"}
contact: {name: "Données", email: "donnees@exemple.fr"}
themes: [TRAN]
keywords: {fr: [mesure]}
licence: LO-2.0
frequency: IRREG
spatial: {name: "Normandie", bbox: [-2.0, 48.1, 1.8, 50.1]}
issued: 2024-01-01
resources:
  lignes: {title: {fr: "Lignes"}, source: {file: "x.csv"}, origin: "https://exemple.fr/x.csv"}
"""
POLICY = """
owner: "Service <service@exemple.fr>"
editions: {open: {lignes: {keep: [id, commune, jour, montant]}}}
grants: [{to: everyone, edition: open, purposes: any, why: "open"}]
"""


@dataclass(frozen=True, kw_only=True)
class Door:
    """How to ask one server: a request for a statement, and in which forms it answers."""

    name: str
    table: str
    url: str
    headers: Mapping[str, str]
    body: str
    """`json` {"sql": …}, `text`, or `query`: the parameter of a GET."""
    arrow: str | None = None
    """The Accept of an Arrow stream, None where there is none."""
    plain: str = "application/json"

    def request(self, client: Any, sql: str, *, arrow: bool = False) -> Any:
        """Ask by a client of httpx; returns its response, or what it awaits."""
        headers = {**self.headers, "Accept": (self.arrow or self.plain) if arrow else self.plain}
        if self.body == "query":
            return client.get(self.url, params={"sql": sql}, headers=headers)
        content = json.dumps({"sql": sql}) if self.body == "json" else sql
        kind = "application/json" if self.body == "json" else "text/plain"
        return client.post(self.url, content=content, headers={**headers, "Content-Type": kind})


def make_lab(lab_root: Path, parquet: Path) -> Lab:
    """A lab with the one table of the file, open to everyone, and a user."""
    from catalog.lab import Lab  # noqa: PLC0415

    for folder in ("datasets", "policies", "var"):
        (lab_root / folder).mkdir(parents=True)
    (lab_root / "datalab.toml").write_text(LAB.format(venv=REPOSITORY / ".venv-sandbox"), encoding="utf-8")
    (lab_root / "datasets" / "mesure.yaml").write_text(DESCRIPTOR, encoding="utf-8")
    (lab_root / "policies" / "mesure.yaml").write_text(POLICY, encoding="utf-8")
    lab = Lab.open(lab_root)
    policy = lab.policy("mesure")
    assert policy is not None  # noqa: S101  written above
    staged = lab.lake.stage("mesure", "open", "lignes", lambda path: path.write_bytes(parquet.read_bytes()))
    columns = tuple(ServedColumn(name=name, type=kind) for name, kind in COLUMNS.items())
    receipt = {"source": "bench", "definition": definition(policy.editions["open"]["lignes"])}
    lab.lake.commit("mesure", "open", {"lignes": (staged, columns, receipt)})
    return lab


@contextlib.contextmanager
def gateway(lab: Lab) -> Iterator[Door]:
    """`datalab gateway`, as a process of its own."""
    token = Tokens(lab).create("ana", dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1), None)
    port = _free()
    command = [sys.executable, "-m", "datalab", "--lab", str(lab.root), "gateway", "--port", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/"):
        yield Door(
            name="datalab gateway",
            table="mesure.lignes",
            url=f"http://127.0.0.1:{port}/sql",
            headers={"Authorization": f"Bearer {token}"},
            body="json",
            arrow="application/vnd.apache.arrow.stream",
        )


@contextlib.contextmanager
def datasette(folder: Path, parquet: Path) -> Iterator[Door]:
    """Datasette on the same rows in SQLite, with an index on the key; without its limits of rows and time."""
    path = folder / "mesure.db"
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("CREATE TABLE lignes (id INTEGER PRIMARY KEY, commune TEXT, jour TEXT, montant REAL)")
        reader = duckdb.connect().execute(f"SELECT id, commune, CAST(jour AS VARCHAR), montant FROM '{parquet}'")
        while rows := reader.fetchmany(100_000):
            con.executemany("INSERT INTO lignes VALUES (?, ?, ?, ?)", rows)
        con.commit()
    port = _free()
    limits = [word for name in ("sql_time_limit_ms", "max_returned_rows") for word in ("--setting", name, "10000000")]
    command = [str(BIN / "datasette"), "serve", str(path), "--port", str(port), *limits]
    with _running(command, f"http://127.0.0.1:{port}/-/versions.json"):
        yield Door(
            name="Datasette", table="lignes", url=f"http://127.0.0.1:{port}/mesure.json", headers={}, body="query"
        )


@contextlib.contextmanager
def roapi(parquet: Path) -> Iterator[Door]:
    """Roapi on the same file, which it holds in memory."""
    ports = [_free() for _ in range(3)]
    at = [f"127.0.0.1:{port}" for port in ports]
    addresses = ["--addr-http", at[0], "--addr-postgres", at[1], "--addr-flight-sql", at[2]]
    command = [str(BIN / "roapi"), *addresses, "--table", f"lignes={parquet}"]
    with _running(command, f"http://{at[0]}/health"):
        yield Door(
            name="roapi",
            table="lignes",
            url=f"http://{at[0]}/api/sql",
            headers={},
            body="text",
            arrow="application/vnd.apache.arrow.stream",
        )


@contextlib.contextmanager
def datastore(folder: Path, parquet: Path, rows: int) -> Iterator[Door]:
    """CKAN's datastore_search_sql on the first rows: it takes in some thousand a second."""
    with CkanStack(lambda text: print(text, file=sys.stderr)) as ckan:
        remote = RemoteCKAN(ckan.url, apikey=ckan.token)
        remote.action.organization_create(name="mesure")
        package = remote.action.package_create(name="mesure", owner_org="mesure")
        types = {"BIGINT": "bigint", "VARCHAR": "text", "DATE": "date", "DOUBLE": "double precision"}
        fields = [{"id": name, "type": types[kind]} for name, kind in COLUMNS.items()]
        resource = remote.action.resource_create(package_id=package["id"], url="http://127.0.0.1/x")["id"]
        remote.action.datastore_create(resource_id=resource, fields=fields, primary_key="id", force=True)
        path = folder / "first.csv"
        duckdb.connect().execute(f"COPY (FROM '{parquet}' ORDER BY id LIMIT {rows}) TO '{path}' (HEADER)")
        with path.open(encoding="utf-8") as file:
            held = list(csv.DictReader(file))
        for start in range(0, len(held), 10_000):
            remote.action.datastore_upsert(
                resource_id=resource, records=held[start : start + 10_000], method="insert", force=True
            )
        yield Door(
            name=f"CKAN, {rows} rows",
            table=f'"{resource}"',
            url=f"{ckan.url}/api/3/action/datastore_search_sql",
            headers={"Authorization": ckan.token},
            body="query",
        )


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(command: list[str], ready: str) -> Iterator[None]:
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(ready).status_code < 500:  # noqa: PLR2004  it answers
                    break
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)
