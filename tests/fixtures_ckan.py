"""The fixtures `ckan`, one real CKAN for the whole test run, and `published`, a small lab and what it says to CKAN."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ckanapi import RemoteCKAN
from conftest import DESCRIPTOR
from shapely import box

from catalog.ckan.listing import Listing
from catalog.ckan.package import Catalogue, catalogue
from catalog.ckan.publish import publish, settings_for
from catalog.entries import Entry
from catalog.lake import Current, Served, ServedColumn
from catalog.model import Dataset
from catalog.settings import CkanSettings
from catalog.territory import Place
from deploy.ckan.stack import CkanStack, missing
from ingest.run import ingest

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "https://data.exemple.fr/"
REGION = CkanSettings(organisation="region", organisation_title="Région")
CSV = "code;nom\n01001;Rouen\n"


@pytest.fixture(scope="session")
def ckan() -> Iterator[CkanStack]:
    """A CKAN that other tests share: call `ckan.reset()` before relying on what it holds."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with CkanStack() as stack:
        yield stack


def entry(slug="bornes", edition="open", *, served=None, resource=None, **changes):
    """An edition of one table `t`, as the catalogue shows it; `served` and `resource` are what differs in it."""
    table = {"title": {"fr": "Table"}, "origin": "o", "source": {"file": "f"}, **(resource or {})}
    dataset = Dataset.model_validate({**DESCRIPTOR, "resources": {"t": table}, **changes})
    snapshot = {
        "version": 3,
        "files": {"part-1.parquet": 4096},
        "rows": 12,
        "committed": dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC),
        "columns": (ServedColumn(name="code", type="VARCHAR"),),
        "receipt": {},
        **(served or {}),
    }
    bounds = dataset.spatial.bbox
    place = Place(dataset.spatial.name, bounds, None if bounds is None else box(*bounds))
    return Entry(slug, dataset, edition, Current(resources={"t": Served(**snapshot)}), place)


def ours(*shown, settings=REGION, schema=None):
    """What CKAN should hold of these entries or listings."""
    told = [one if isinstance(one, Listing) else Listing(one, checksums={"t": "ab" * 32}) for one in shown]
    return catalogue(settings, BASE, told, schema)


def theirs(held, *more):
    """What CKAN says that it holds."""
    datasets = {key: echoed(package) for key, package in held.datasets.items()}
    return Catalogue(
        {name: {**made, "state": "active"} for name, made in held.organisations.items()},
        {name: {**made, "state": "active"} for name, made in held.groups.items()},
        {**datasets, **{package["id"]: package for package in more}},
    )


def echoed(package):
    """A package as `package_show` gives it back: what it says in other words than it was told."""
    resources = [{"hash": "", "position": 0, **resource} for resource in package["resources"]]
    return {
        **package,
        "metadata_modified": "2026-05-04T03:02:02",
        "maintainer": None,
        "extras": package["extras"][::-1],
        "tags": [{"display_name": tag["name"], **tag} for tag in package["tags"][::-1]],
        "groups": [{"title": "…", **group} for group in package["groups"]],
        "resources": resources,
    }


def whats(made):
    return {f"{action.kind} {action.name}": action.what for action in made.actions}


def extras_of(package):
    return {extra["key"]: extra["value"] for extra in package["extras"]}


class Between:
    """An HTTP server before a CKAN: it notes what is asked of it, and answers itself when it is told to.

    `instead` has an answer for an action: a status, a media type and a body, or a function of the body that was sent,
    which gives such an answer, or None to pass it on. `after` is called with the action once CKAN has answered, and
    before the answer is passed on; what it returns, if it is not None, is answered instead, NOTHING by no answer.
    """

    NOTHING = (0, "", b"")

    def __init__(self, upstream):
        self.upstream = upstream
        self.asked = []
        self.agents = set()
        self.instead = {}
        self.after = lambda _action: None
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                action = self.path.rsplit("/", 1)[-1]
                with between.counted(action, body, self.headers["User-Agent"]):
                    answer = between.answer(action, self.path, body, self.headers)
                if answer is None:
                    self.close_connection = True
                    return
                status, kind, said = answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(said)))
                if status in {301, 302}:
                    self.send_header("Location", "https://ailleurs.example/api?jeton=x")
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @contextmanager
    def counted(self, action, body, agent):
        with self._lock:
            self.asked.append((action, json.loads(body)))
            self.agents.add(agent)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        yield
        with self._lock:
            self.at_once -= 1

    def answer(self, action, path, body, headers):
        """What to answer; None: nothing at all, the connection is closed."""
        own = self.instead.get(action)
        said = own(json.loads(body)) if callable(own) else own
        if said is not None:
            return said
        answer = self.pass_on(path, body, headers)
        changed = self.after(action)
        if changed is None:
            return answer
        return None if changed is self.NOTHING else changed

    def pass_on(self, path, body, headers):
        kept = {name: headers[name] for name in ("Authorization", "Content-Type")}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.upstream + path, body, kept), timeout=60) as found:
                return found.status, "application/json", found.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "application/json", error.read()
        except OSError:
            return None

    @property
    def writes(self):
        return [action for action, _ in self.asked if not action.endswith(("_show", "_search"))]

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Published:
    """A lab of two datasets, an empty CKAN, and what stands between them."""

    def __init__(self, folder, ckan, between):
        self.folder = folder
        self.between = between
        self.ckan = ckan
        self._remote = RemoteCKAN(ckan.url, apikey=ckan.token)
        for slug in ("communes", "bornes"):
            self.table(slug)

    def table(self, slug, content=CSV, resource=None, grants=(), **changes):
        """Describe and grant one dataset, and bring it in."""
        self.folder.write(f"sources/{slug}.csv", content)
        self.describe(slug, resource, **changes)
        self.grant(slug, *grants)
        self.bring(slug)

    def bring(self, slug):
        """Ingest a dataset."""
        assert [outcome.error for outcome in ingest(self.folder.lab, slug, lambda _: None)] == [None]

    def describe(self, slug, resource=None, **changes):
        """Describe the dataset of a `table`."""
        source = {"file": f"sources/{slug}.csv"}
        self.folder.describe(slug, {"t": {"title": {"fr": "Table"}, "source": source, **(resource or {})}}, **changes)

    def grant(self, slug, *grants):
        """Who may open its edition `open`: everyone, or who is said."""
        self.folder.grant(slug, {"open": {"t": {"keep": ["code", "nom"]}}}, *grants)

    def run(self, **options):
        lab = self.folder.lab
        self.between.asked.clear()
        self.shown = []
        options = {"waits": (0.01, 0.02, 0.05), **options}
        made, self.left_out = publish(lab, settings_for(lab, self.between.url), self.shown.append, **options)
        assert self.shown == [made]
        return made

    def call(self, action, **data):
        return self._remote.call_action(action, data, requests_kwargs={"timeout": 60})

    def show(self, slug="communes"):
        return self.call("package_show", id=slug)

    def traces(self):
        """Whatever a write would change: when each dataset was, and how much CKAN noted down."""
        found = self.call("package_search", include_private=True, rows=100)["results"]
        noted = self.call("organization_activity_list", id="datalab", limit=100)
        return {one["name"]: one["metadata_modified"] for one in found}, len(noted)

    def close(self):
        self._remote.close()


@pytest.fixture
def published(folder, ckan, monkeypatch):
    ckan.reset()
    monkeypatch.setenv("DATALAB_CKAN_TOKEN", ckan.token)
    between = Between(ckan.url)
    try:
        made = Published(folder, ckan, between)
        yield made
        made.close()
    finally:
        between.stop()
