"""A tiny lab for the catalogue's tests, and the portal on a real port.

`make_lab(root)` holds three datasets: `subventions` (open to everyone, with a raw edition that is not), `communes`
(with geometry), and `secrets` (granted to nobody).
"""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn

from catalog.lab import Lab
from catalog.lake import ServedColumn
from catalog.web.app import create_app
from policies.editions import definition

SUBVENTIONS = """\
title: {fr: "Subventions versées aux associations", en: "Grants paid to associations"}
description:
  fr: "Toutes les subventions de plus de 23 000 euros.\\n\\nPubliées chaque année."
publisher: {name: "Région Exemple", siren: "200053403", url: "https://exemple.fr/a|b"}
contact: {name: "Service des données", email: "donnees@exemple.fr"}
themes: [GOVE, ECON]
keywords: {fr: [subvention, association, "vie associative"], en: [grants]}
licence: LO-2.0
licence_note: "Citer la Région Exemple."
frequency: ANNUAL
spatial: {name: "Normandie", bbox: [-1.95, 48.17, 1.81, 50.08]}
temporal: {start: 2020-01-01, end: 2025-12-31}
issued: 2024-03-01
resources:
  versements:
    title: {fr: "Versements", en: "Payments"}
    source: {file: data/versements.csv}
    origin: "https://exemple.fr/versements.csv"
    columns:
      nomBeneficiaire: {title: {fr: "Bénéficiaire", en: "Beneficiary"}}
      montant: {title: {fr: "Montant versé"}, unit: "EUR"}
      secret: {title: {fr: "Colonne confidentielle"}}
"""

COMMUNES = """\
title: {fr: "Communes de la région"}
description: {fr: "Contours, sans aucune subvention."}
publisher: {name: "IGN"}
contact: {name: "IGN", email: "ign@exemple.fr"}
themes: [REGI]
keywords: {fr: [découpage]}
licence: ODbL-1.0
frequency: NEVER
spatial: {name: "Normandie", bbox: [-1.95, 48.17, 1.81, 50.08]}
issued: 2023-01-01
resources:
  contours:
    title: {fr: "Contours"}
    source: {file: data/communes.geojson}
    origin: "IGN, Admin Express"
"""

SECRETS = COMMUNES.replace("Communes de la région", "Registre ultraconfidentiel").replace("contours:", "registre:")

POLICY = """\
owner: Service des données <donnees@exemple.fr>
editions:
  open:
    {resource}:
      keep: [{keep}]
grants:
  - {{to: {to}, edition: open, purposes: any, {until}why: "loi pour une République numérique"}}
"""

REJECTED = "ligne-rejetee-avec-un-nom"
"""The text of a rejected row, which must never come out."""


def policy(resource, keep, to="everyone", until=""):
    return POLICY.format(resource=resource, keep=", ".join(keep), to=to, until=until)


def commit(lab, dataset, edition, resource, table, columns, receipt):
    staged = lab.lake.stage(dataset, edition, resource, lambda path: pq.write_table(table, path))
    types = tuple(ServedColumn(name=name, type=sql) for name, sql in columns)
    editions = lab.policy(dataset).editions
    if edition in editions:  # as an ingest says that it was built by this policy
        receipt = {"definition": definition(editions[edition][resource]), **receipt}
    return lab.lake.commit(dataset, edition, {resource: (staged, types, receipt)})


def raw_receipt(rows, rejected=0, columns=()):
    return {
        "dataset": "d",
        "resource": "r",
        "source": "/srv/private/path.csv",
        "origin": "https://exemple.fr/versements.csv",
        "sha256": "ab" * 32,
        "bytes": 10,
        "fetched": dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC).isoformat(),
        "rows_in": rows + rejected,
        "rows_out": rows,
        "rejected": rejected,
        "rejects": [{"line": 3, "reason": "bad", "text": REJECTED}] * rejected,
        "columns": [{"name": name, "source_name": name, "type": "t", "nulls": 0, "why": why} for name, why in columns],
    }


VERSEMENTS = pa.table(
    {
        "nomBeneficiaire": ["Les Amis <b>du</b> Havre", "=HYPERLINK(1)", None, "-12", "", 'Le "Petit", théâtre'],
        "montant": pa.array([1234.5, -2.25, None, 0.0, 10.0, 7.5]),
        "jour": pa.array([dt.date(2024, 1, day) for day in range(1, 7)]),
        "secret": ["x", "y", "z", "x", "y", "z"],
    }
)
OPEN_TYPES = [("nomBeneficiaire", "VARCHAR"), ("montant", "DOUBLE"), ("jour", "DATE")]


def wkb(text):
    with duckdb.connect() as engine:
        return bytes(engine.execute("SELECT st_aswkb(CAST(? AS GEOMETRY))", [text]).fetchone()[0])


def write(root, slug, descriptor, policy_text=None):
    (root / "datasets").mkdir(exist_ok=True)
    (root / "policies").mkdir(exist_ok=True)
    (root / "datasets" / f"{slug}.yaml").write_text(descriptor, encoding="utf-8")
    if policy_text is not None:
        (root / "policies" / f"{slug}.yaml").write_text(policy_text, encoding="utf-8")


def make_lab(root):
    (root / "datalab.toml").write_text(
        '[catalog]\ntitle = "DataLab Exemple"\nurl = "https://data.exemple.fr/"\npublisher = "Région Exemple"\n'
    )
    lab = Lab.open(root)
    write(root, "subventions", SUBVENTIONS, policy("versements", ["nomBeneficiaire", "montant", "jour"]))
    write(root, "communes", COMMUNES, policy("contours", ["nom", "geometrie"]))
    write(root, "secrets", SECRETS, policy("registre", ["nom"], to="group:agents", until="until: 2999-01-01, "))
    why = [("nomBeneficiaire", "'Les Amis' is no number"), ("montant", "all 6 values are numbers")]
    raw_types = [*OPEN_TYPES, ("secret", "VARCHAR")]
    commit(lab, "subventions", "raw", "versements", VERSEMENTS, raw_types, raw_receipt(6, 1, why))
    receipt = {"raw_version": 0, "fingerprint": "f", "rows_in": 6, "rows_out": 6}
    commit(lab, "subventions", "open", "versements", VERSEMENTS.drop_columns("secret"), OPEN_TYPES, receipt)
    shapes = pa.table(
        {
            "nom": ["Le Havre", "Rouen"],
            "geometrie": pa.array([wkb("POLYGON((0 49, 1 49, 1 50, 0 49))"), None], pa.binary()),
        }
    )
    shape_types = [("nom", "VARCHAR"), ("geometrie", "GEOMETRY")]
    commit(lab, "communes", "open", "contours", shapes, shape_types, {})
    commit(lab, "secrets", "open", "registre", pa.table({"nom": ["agent"]}), [("nom", "VARCHAR")], {})
    return lab


@pytest.fixture
def open_lab(tmp_path):
    return make_lab(tmp_path)


class Portal:
    """The portal of a lab on a free port, in a thread, and a client for it; or another application."""

    def __init__(self, lab, app=None):
        self.lab = lab
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app or create_app(lab), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
            )
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the portal does not start"
            time.sleep(0.01)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)

    def stop(self):
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()


@pytest.fixture
def portal(open_lab):
    running = Portal(open_lab)
    yield running
    running.stop()
