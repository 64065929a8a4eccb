"""The lab in CKAN: what is written there, what is left alone, and what is said when it cannot be done."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from ckanapi import RemoteCKAN
from conftest import DESCRIPTOR
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS

from catalog.ckan.package import OWNED_EXTRAS, Catalogue, catalogue, package_dict, package_name, tag_name
from catalog.ckan.plan import plan
from catalog.ckan.publish import publish, settings_for
from catalog.ckan.remote import Ckan
from catalog.dcat import graph
from catalog.entries import EVERYONE, Entry, entries
from catalog.lake import Current, Served, ServedColumn
from catalog.model import Dataset
from catalog.settings import CatalogSettings, CkanSettings
from ingest.run import ingest
from policies.errors import DatalabError, RemoteError, UsageError

BASE = "https://data.exemple.fr/"
REGION = CkanSettings(organisation="region", organisation_title="Région")
EU = "http://publications.europa.eu/resource/authority/"
CSV = "code;nom\n01001;Rouen\n"


def entry(slug="bornes", edition="open", **changes):
    """An edition of one table, as the catalogue shows it."""
    described = {**DESCRIPTOR, "resources": {"t": {"title": {"fr": "Table"}, "origin": "o", "source": {"file": "f"}}}}
    served = Served(
        version=3,
        files={"part-1.parquet": 4096},
        rows=12,
        committed=dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC),
        columns=(ServedColumn(name="code", type="VARCHAR"),),
        receipt={},
    )
    dataset = Dataset.model_validate({**described, **changes})
    return Entry(slug, dataset, edition, Current(resources={"t": served}))


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


def ours(*shown, settings=REGION):
    return catalogue(settings, BASE, shown)


def theirs(catalogue_, *more):
    datasets = {key: echoed(package) for key, package in catalogue_.datasets.items()}
    return Catalogue(
        {name: {**made, "state": "active"} for name, made in catalogue_.organisations.items()},
        {name: {**made, "state": "active"} for name, made in catalogue_.groups.items()},
        {**datasets, **{package["id"]: package for package in more}},
    )


def whats(made):
    return {f"{action.kind} {action.name}": action.what for action in made.actions}


def extras_of(package):
    return {extra["key"]: extra["value"] for extra in package["extras"]}


# -- the mapping


def test_a_dataset_is_written_with_stable_ids_and_the_extras_that_ckans_dcat_reads():
    both = {"url": f"{BASE}data/bornes/open/t.parquet", "access_url": f"{BASE}datasets/bornes"}
    common = {
        "description": None,
        "last_modified": "2026-05-04T03:02:01",
        "license": "https://spdx.org/licenses/etalab-2.0",
        "rights": None,
        "conforms_to": None,
        "datalab_rows": 12,
        "datalab_version": 3,
    }
    made = package_dict(REGION, BASE, entry(temporal={"start": "2020-01-01"}))
    extras = extras_of(made)
    assert {**made, "extras": None} == {
        "id": "ed72101c-de87-526e-9401-8f3be07c946d",
        "name": "bornes",
        "title": "Un jeu",
        "notes": "Pour les essais.",
        "url": f"{BASE}datasets/bornes",
        "author": "Région",
        "owner_org": "6bf17c3f-4d77-5a34-961a-f9be4189f450",
        "license_id": "other-at",
        "private": False,
        "state": "active",
        "tags": [{"name": "essai"}],
        "groups": [{"name": "theme-regi"}],
        "extras": None,
        "resources": [
            {
                "id": "1bed057a-3778-5aab-af77-a6c1fdef4f2a",
                "name": "Table (Parquet)",
                **both,
                "download_url": both["url"],
                "format": "Parquet",
                "mimetype": "application/vnd.apache.parquet",
                "size": 4096,
                **common,
            },
            {
                "id": "1ed873e2-4eb6-5681-b48a-aee1d5e72579",
                "name": "Table (CSV)",
                **both,
                "url": f"{BASE}data/bornes/open/t.csv",
                "download_url": f"{BASE}data/bornes/open/t.csv",
                "format": "CSV",
                "mimetype": "text/csv",
                "size": None,
                **common,
            },
        ],
    }
    assert extras == {
        "datalab": "region",
        "datalab_owns": '{"groups": ["theme-regi"], "tags": ["essai"]}',
        "uri": f"{BASE}datasets/bornes#open",
        "identifier": f"{BASE}datasets/bornes#open",
        "issued": "2026-01-01",
        "modified": "2026-05-04T03:02:01+00:00",
        "frequency": f"{EU}frequency/ANNUAL",
        "theme": f'["{EU}data-theme/REGI"]',
        "language": f'["{EU}language/FRA", "{EU}language/ENG"]',
        "access_rights": f"{EU}access-right/PUBLIC",
        "publisher_uri": f"{BASE}#publisher-R%C3%A9gion",
        "publisher_name": "Région",
        "contact_uri": f"{BASE}datasets/bornes#contact-point",
        "contact_name": "DataLab",
        "contact_email": "datalab@example.org",
        "spatial": '{"type": "Polygon", "coordinates": '
        "[[[-2.0, 48.2], [1.9, 48.2], [1.9, 50.1], [-2.0, 50.1], [-2.0, 48.2]]]}",
        "spatial_text": "Normandie",
        "temporal_start": "2020-01-01",
    }
    assert extras.keys() <= OWNED_EXTRAS


def test_what_ckan_is_told_is_what_the_portals_dcat_says(open_lab):
    shown = entries(open_lab, EVERYONE)
    settings = open_lab.section("catalog", CatalogSettings)
    triples = graph(settings, shown)
    for package in ours(*shown).datasets.values():
        node = URIRef(extras_of(package)["uri"])
        distributions = list(triples.objects(node, DCAT.distribution))
        urls = {str(url) for one in distributions for url in triples.objects(one, DCAT.downloadURL)}
        assert {resource["url"] for resource in package["resources"]} == urls
        assert {resource["download_url"] for resource in package["resources"]} == urls
        licences = {str(uri) for one in distributions for uri in triples.objects(one, DCTERMS.license)}
        assert {resource["license"] for resource in package["resources"]} == licences
        assert triples.value(node, DCTERMS.identifier) == Literal(extras_of(package)["identifier"])
        assert triples.value(node, DCTERMS.publisher) == URIRef(extras_of(package)["publisher_uri"])
        assert triples.value(node, DCAT.contactPoint) == URIRef(extras_of(package)["contact_uri"])
        assert triples.value(node, DCAT.landingPage) == URIRef(package["url"])


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("Qualité de l'eau", "Qualité de l eau"),
        ("eau/air", "eau air"),
        ("n°1", "n 1"),
        ("vélo, train", "vélo train"),
        ("a_b-c.d", "a_b-c.d"),
        ("énergie".replace("é", "e\u0301"), "énergie"),
        ("x", None),
        ("«»", None),
        ("m" * 150, "m" * 100),
    ],
)
def test_a_keyword_becomes_a_tag_that_ckan_takes(keyword, tag):
    assert tag_name(keyword) == tag


def test_keywords_that_become_one_tag_are_given_once():
    made = package_dict(REGION, BASE, entry(keywords={"fr": ["eau/air", "eau air"], "en": ["eau, air"]}))
    assert made["tags"] == [{"name": "eau air"}]


@pytest.mark.parametrize(
    ("slug", "edition", "name"),
    [
        ("bornes", "open", "bornes"),
        ("bornes", "detail", "bornes-detail"),
        ("a", "open", "a-open"),
        ("search", "open", "search-open"),
    ],
)
def test_the_name_is_the_slug_unless_ckan_refuses_it_or_the_edition_is_another(slug, edition, name):
    assert package_name(entry(slug, edition)) == name


def test_two_labs_on_one_ckan_share_no_dataset_and_no_resource():
    other = replace_organisation("ville")
    one, two = package_dict(REGION, BASE, entry()), package_dict(other, BASE, entry())
    assert one["id"] != two["id"]
    assert {held["id"] for held in one["resources"]}.isdisjoint(held["id"] for held in two["resources"])


def replace_organisation(name):
    return REGION.model_copy(update={"organisation": name})


# -- the plan


def test_what_ckan_says_in_other_words_is_no_change():
    made = ours(entry())
    assert set(whats(plan(made, theirs(made))).values()) == {"unchanged"}


def test_groups_come_before_the_datasets_that_are_in_them():
    made = plan(ours(entry()), Catalogue({}, {}, {}))
    assert [action.kind for action in made.actions] == ["organisation", "group", "dataset"]
    assert made.summary == "3 created, 0 updated, 0 unchanged, 0 deleted"


def test_a_change_names_what_changes_and_sends_nothing_else():
    held = theirs(ours(entry()))
    (action,) = plan(ours(entry(title={"fr": "Autre", "en": "Other"}, frequency="DAILY")), held).todo
    assert (action.what, action.changes) == ("update", ("title", "frequency"))
    assert action.data["update"].keys() == {"title", "extras"}
    assert action.data["match"]["metadata_modified"] == "2026-05-04T03:02:02"


def test_a_fact_that_is_taken_out_of_the_descriptor_is_taken_out_of_ckan():
    held = theirs(ours(entry(temporal={"start": "2020-01-01"}, licence_note="Citer.", keywords={"fr": ["aa", "bb"]})))
    (action,) = plan(ours(entry(keywords={"fr": ["aa"]})), held).todo
    update = action.data["update"]
    assert "temporal_start" not in extras_of(update)
    assert [tag["name"] for tag in update["tags"]] == ["aa"]
    assert [resource["rights"] for resource in update["resources"]] == [None, None]
    assert set(action.changes) == {"temporal_start", "tags", "resource Table (Parquet)", "resource Table (CSV)"}


def test_an_organisation_and_groups_that_somebody_else_made_are_used_as_they_are():
    made = ours(entry())
    foreign = {"id": "0a6f4cf1-6df8-4a41-8d0a-5b36ce1d4a8c", "title": "À nous", "state": "active", "extras": []}
    held = Catalogue({"region": {**foreign, "name": "region"}}, {"theme-regi": {**foreign, "name": "theme-regi"}}, {})
    done = plan(made, held)
    assert whats(done) == {
        "organisation region": "unchanged",
        "group theme-regi": "unchanged",
        "dataset bornes": "create",
    }
    assert done.todo[0].data["owner_org"] == foreign["id"]


def test_only_datasets_with_our_mark_and_an_id_of_our_making_are_deleted():
    held = theirs(ours(entry(), entry("autre")))
    (gone,) = (package for package in held.datasets.values() if package["name"] == "autre")
    copy = {**gone, "id": "0a6f4cf1-6df8-4a41-8d0a-5b36ce1d4a8c", "name": "copie-de-autre"}
    (villes,) = theirs(ours(entry("ville"), settings=replace_organisation("ville"))).datasets.values()
    held = replace(held, datasets={**held.datasets, copy["id"]: copy, villes["id"]: villes})
    assert [(action.what, action.name) for action in plan(ours(entry()), held).todo] == [("delete", "autre")]
    assert plan(ours(entry()), held, delete=False).todo == ()


def test_more_than_one_deletion_and_more_than_a_tenth_is_too_many():
    many = [entry(f"jeu{number}") for number in range(30)]
    held = theirs(ours(*many))
    assert not plan(ours(*many[3:]), held).deletes_too_many
    assert plan(ours(*many[4:]), held).deletes_too_many
    few = [entry("un"), entry("deux"), entry("trois")]
    assert not plan(ours(*few[1:]), theirs(ours(*few))).deletes_too_many
    assert plan(ours(), theirs(ours(*few))).deletes_too_many


def test_a_name_that_another_dataset_has_is_refused_before_anything_is_written():
    other = {"id": "0a6f4cf1-6df8-4a41-8d0a-5b36ce1d4a8c", "name": "bornes", "state": "deleted", "extras": []}
    with pytest.raises(RemoteError, match=r"bornes \(deleted, id 0a6f.*nothing was written"):
        plan(ours(entry()), Catalogue({}, {}, {other["id"]: other}))


def test_a_spoilt_extra_that_lists_our_tags_takes_nobodys_tag_away():
    made = ours(entry(keywords={"fr": ["aa"]}))
    held = theirs(ours(entry(keywords={"fr": ["aa", "bb"]})))
    for package in held.datasets.values():
        package["extras"] = [
            {**extra, "value": "[1"} if extra["key"] == "datalab_owns" else extra for extra in package["extras"]
        ]
    (action,) = plan(made, held).todo
    assert "tags" not in action.data["update"]


# -- the real CKAN


class Between:
    """An HTTP server before a CKAN: it notes what is asked of it, and fails when it is told to."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.asked = []
        self.agents = set()
        self.instead = {}
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                action = self.path.rsplit("/", 1)[-1]
                between.asked.append((action, json.loads(body)))
                between.agents.add(self.headers["User-Agent"])
                status, kind, answer = between.instead.get(action) or between.pass_on(self.path, body, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                if status in {301, 302}:
                    self.send_header("Location", "https://ailleurs.example/api?jeton=x")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def pass_on(self, path, body, headers):
        kept = {name: headers[name] for name in ("Authorization", "Content-Type")}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.upstream + path, body, kept), timeout=60) as found:
                return found.status, "application/json", found.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "application/json", error.read()

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
        self._remote = RemoteCKAN(ckan.url, apikey=ckan.token)
        for slug in ("communes", "bornes"):
            self.table(slug)

    def table(self, slug, **changes):
        """Describe and grant one dataset, and bring it in."""
        self.folder.write("sources/data.csv", CSV)
        source = {"file": "sources/data.csv"}
        self.folder.describe(slug, {"t": {"title": {"fr": "Table"}, "source": source}}, **changes)
        self.folder.grant(slug, {"open": {"t": {"keep": ["code", "nom"]}}})
        assert [outcome.error for outcome in ingest(self.folder.lab, slug, lambda _: None)] == [None]

    def run(self, **options):
        lab = self.folder.lab
        self.between.asked.clear()
        self.shown = []
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
    made = Published(folder, ckan, between)
    yield made
    made.close()
    between.stop()


def test_the_first_run_makes_everything_and_the_second_writes_nothing(published):
    assert published.run().summary == "4 created, 0 updated, 0 unchanged, 0 deleted"
    package = published.show()
    expected = package_dict(CkanSettings(), "http://127.0.0.1:8420/", entries(published.folder.lab, EVERYONE)[1])
    assert package["id"] == expected["id"]
    assert [held["id"] for held in package["resources"]] == [held["id"] for held in expected["resources"]]
    assert package["organization"]["id"] == expected["owner_org"]
    assert [group["title"] for group in package["groups"]] == ["Régions et villes"]
    assert [tag["name"] for tag in package["tags"]] == ["essai"]
    assert extras_of(package) == extras_of(expected)
    assert published.between.agents == {"datalab"}

    before = published.traces()
    assert published.run().summary == "0 created, 0 updated, 4 unchanged, 0 deleted"
    assert published.between.writes == []
    assert published.traces() == before


def test_a_dry_run_shows_the_same_plan_and_writes_nothing(published):
    dry = published.run(dry_run=True)
    assert published.between.writes == []
    assert published.call("organization_list") == []
    assert published.run() == dry


def test_one_changed_field_is_the_only_one_written(published):
    published.run()
    before = published.show()
    published.folder.describe(
        "communes",
        {"t": {"title": {"fr": "Table"}, "source": {"file": "sources/data.csv"}}},
        title={"fr": "Les communes"},
    )
    published.run()
    (write,) = [data for action, data in published.between.asked if action == "package_revise"]
    assert published.between.writes == ["package_revise"]
    assert write["update"].keys() <= {"title", "extras"}
    after = published.show()
    assert after["title"] == "Les communes"
    assert after["resources"] == before["resources"]
    assert published.run().todo == ()


def test_a_new_snapshot_changes_its_resources_and_keeps_their_ids(published):
    published.run()
    before = published.show()
    published.folder.write("sources/data.csv", CSV + "01002;Caen\n")
    list(ingest(published.folder.lab, "communes", lambda _: None))
    (action,) = published.run().todo
    assert {"resource Table (Parquet)", "resource Table (CSV)"} <= set(action.changes)
    after = published.show()
    assert [held["id"] for held in after["resources"]] == [held["id"] for held in before["resources"]]
    assert [held["datalab_rows"] for held in after["resources"]] == [2, 2]
    assert [held["datalab_version"] for held in after["resources"]] == [1, 1]


def test_what_a_curator_adds_survives_an_update(published):
    published.run()
    package = published.show()
    published.call("group_create", name="coups-de-coeur", title="Coups de cœur")
    published.call(
        "resource_create", package_id="communes", name="Notice", url="https://example.org/n.pdf", format="PDF"
    )
    published.call(
        "package_patch",
        id="communes",
        extras=[*package["extras"], {"key": "relecture", "value": "faite"}],
        tags=[*package["tags"], {"name": "à la une"}],
        groups=[*package["groups"], {"name": "coups-de-coeur"}],
        maintainer="Camille",
    )
    published.call("resource_patch", id=package["resources"][0]["id"], note="vérifié")
    assert published.run().todo == ()

    published.table(
        "communes",
        title={"fr": "Les communes"},
        keywords={"fr": ["territoire"]},
        themes=["GOVE"],
        licence="CC0-1.0",
        frequency="DAILY",
    )
    published.run()
    after = published.show()
    assert after["title"] == "Les communes"
    assert after["maintainer"] == "Camille"
    assert extras_of(after)["relecture"] == "faite"
    assert extras_of(after)["frequency"] == f"{EU}frequency/DAILY"
    assert [tag["name"] for tag in after["tags"]] == ["territoire", "à la une"]
    assert {group["name"] for group in after["groups"]} == {"theme-gove", "coups-de-coeur"}
    assert [held["name"] for held in after["resources"]] == ["Table (Parquet)", "Table (CSV)", "Notice"]
    assert after["resources"][0]["note"] == "vérifié"
    assert published.run().todo == ()


def test_a_curators_change_of_what_is_ours_is_put_right(published):
    published.run()
    published.call("package_patch", id="communes", title="Autre chose", tags=[], private=True)
    (action,) = published.run().todo
    assert action.changes == ("title", "private", "tags")
    assert published.show()["title"] == "Un jeu"


def test_a_curator_who_was_faster_is_not_overwritten(published, ckan):
    published.run()
    published.folder.describe("communes", {"t": {"source": {"file": "sources/data.csv"}}}, title={"fr": "Les communes"})
    lab = published.folder.lab
    with pytest.raises(RemoteError, match=r"communes: .*changed the dataset in the meantime; run this again"):
        publish(
            lab,
            settings_for(lab, ckan.url),
            lambda _: None,
            lambda _: published.call("package_patch", id="communes", notes="Tout juste écrit"),
        )
    assert published.show()["title"] == "Un jeu"
    published.run()
    assert published.show()["title"] == "Les communes"


def test_a_dataset_withdrawn_from_everyone_is_deleted_and_comes_back_as_the_same(published):
    published.run()
    before = published.show()
    grant = {"to": "user:partner", "edition": "open", "until": "2999-01-01"}
    published.folder.grant("communes", {"open": {"t": {"keep": ["code", "nom"]}}}, grant)
    assert whats(published.run())["dataset communes"] == "delete"
    assert published.show()["state"] == "deleted"
    assert published.run().todo == ()

    published.folder.grant("communes", {"open": {"t": {"keep": ["code", "nom"]}}})
    assert whats(published.run())["dataset communes"] == "reactivate"
    after = published.show()
    assert after["state"] == "active"
    assert after["id"] == before["id"]
    assert [held["id"] for held in after["resources"]] == [held["id"] for held in before["resources"]]
    assert [group["name"] for group in after["groups"]] == ["theme-regi"]
    assert published.run().todo == ()


def test_a_deleted_group_is_made_active_again(published):
    published.run()
    published.call("group_delete", id="theme-regi")
    made = whats(published.run())
    assert made["group theme-regi"] == "reactivate"
    assert [group["name"] for group in published.show()["groups"]] == ["theme-regi"]
    assert published.run().todo == ()


def test_a_new_title_of_the_organisation_keeps_its_members_and_extras(published):
    published.run()
    held = published.call("organization_show", id="datalab")
    published.call("organization_patch", id="datalab", extras=[*held["extras"], {"key": "siren", "value": "200053403"}])
    published.folder.write("datalab.toml", '[ckan]\norganisation_title = "Le DataLab"\n')
    published.table("communes", title={"fr": "Les communes"})
    first, second = published.run().todo
    assert (first.kind, first.what, first.changes) == ("organisation", "update", ("title",))
    assert (second.name, second.what) == ("communes", "update")
    after = published.call("organization_show", id="datalab")
    assert after["title"] == "Le DataLab"
    assert extras_of(after) == {"datalab": "datalab", "siren": "200053403"}
    assert [user["name"] for user in after["users"]] == ["admin"]
    assert published.show()["organization"]["name"] == "datalab"
    assert published.run().todo == ()


def test_an_empty_lake_deletes_nothing_until_it_is_allowed(published):
    published.run()
    (published.folder.root / "policies" / "communes.yaml").unlink()
    (published.folder.root / "policies" / "bornes.yaml").unlink()
    with pytest.raises(UsageError, match="nothing was written.*--allow-deletions"):
        published.run()
    assert published.between.writes == []
    assert [action.what for action in published.shown[0].todo] == ["delete", "delete"]
    assert published.run(allow_deletions=True).summary == "0 created, 0 updated, 1 unchanged, 2 deleted"


def test_a_dataset_that_cannot_be_read_is_left_as_it_is(published):
    published.run()
    published.folder.write("datasets/communes.yaml", "titre: faux\n")
    published.table("neuf")
    made = published.run()
    assert [(action.what, action.name) for action in made.todo] == [("create", "neuf")]
    assert "communes.yaml" in str(published.left_out[0])
    assert published.show()["state"] == "active"


def test_a_name_that_a_curators_dataset_has_stops_the_run_before_it_writes(published):
    published.call("organization_create", name="curateurs")
    published.call("package_create", name="communes", owner_org="curateurs", title="À moi")
    with pytest.raises(RemoteError, match=r"communes \(active"):
        published.run()
    assert published.between.writes == []
    assert published.show()["title"] == "À moi"


def test_a_failure_on_the_way_leaves_whole_datasets_and_the_next_run_makes_the_rest(published):
    published.between.instead["package_create"] = (500, "text/html", b"<h1>Server Error</h1>")
    with pytest.raises(RemoteError) as caught:
        published.run()
    assert f"{published.between.url}/api/action/package_create: CKAN failed (500" in str(caught.value)
    assert "stopped at dataset bornes, after 2 of 4 changes; the next run makes the others" in str(caught.value)
    assert published.call("package_list") == []
    published.between.instead.clear()
    assert published.run().summary == "2 created, 0 updated, 2 unchanged, 0 deleted"


def test_one_refused_dataset_keeps_no_other_from_being_published(published):
    refusal = {"success": False, "error": {"__type": "Validation Error", "title": ["Not in this house"]}}
    published.run()
    for slug in ("bornes", "communes"):
        published.table(slug, title={"fr": slug})
    published.table("neuf")
    published.between.instead["package_create"] = (409, "application/json", json.dumps(refusal).encode())
    with pytest.raises(RemoteError, match=r"(?s)neuf: .*title: \['Not in this house'\].*the 2 other changes were made"):
        published.run()
    assert published.show()["title"] == "communes"


def test_ckans_own_dcat_says_the_same_title_licence_and_address(published, ckan):
    published.run()
    with urllib.request.urlopen(f"{ckan.url}/dataset/communes.ttl", timeout=60) as answer:
        found = Graph().parse(data=answer.read().decode(), format="turtle")
    node = URIRef("http://127.0.0.1:8420/datasets/communes#open")
    settings = published.folder.lab.section("catalog", CatalogSettings)
    portals = graph(settings, entries(published.folder.lab, EVERYONE))
    assert found.value(node, DCTERMS.title) == Literal("Un jeu")
    for said in (DCTERMS.accrualPeriodicity, DCTERMS.publisher, DCTERMS.accessRights, DCAT.theme, DCAT.landingPage):
        assert found.value(node, said) == portals.value(node, said)
    for said in (DCTERMS.license, DCAT.downloadURL, DCAT.accessURL):
        assert {*found.objects(None, said)} == {
            value for one in portals.objects(node, DCAT.distribution) for value in portals.objects(one, said)
        }


# -- what can be wrong


def environment(ckan, **changes):
    return {"DATALAB_CKAN_URL": ckan.url, "DATALAB_CKAN_TOKEN": ckan.token, **changes}


def test_the_command_prints_the_plan_and_a_summary(published, ckan, datalab):
    dry = datalab("publish", "--dry-run", **environment(ckan))
    assert dry.code == 0
    assert "nothing written; it would be: 4 created, 0 updated, 0 unchanged, 0 deleted" in dry.out
    assert published.call("package_list") == []
    first = datalab("publish", **environment(ckan))
    assert (first.code, first.err.strip()) == (0, "")
    assert first.out.endswith("4 created, 0 updated, 0 unchanged, 0 deleted\n")
    assert [line.split() for line in first.out.splitlines() if "communes" in line] == [
        ["dataset", "communes", "create"]
    ]
    again = datalab("publish", **environment(ckan))
    assert again.out.endswith("0 created, 0 updated, 4 unchanged, 0 deleted\n")


def refused(done, *said, token):
    assert done.code == 1
    assert "Traceback" not in done.err
    assert token not in done.out + done.err
    for words in said:
        assert words in done.err


@pytest.mark.parametrize("token", ["faux-jeton", "faux jeton", "jeton-é", "jeton\n-coupé"])
def test_a_wrong_token_is_refused_without_being_shown(published, ckan, datalab, token):
    done = datalab("publish", **environment(ckan, DATALAB_CKAN_TOKEN=token))
    refused(done, ckan.url, "DATALAB_CKAN_TOKEN", token=token)
    assert published.call("organization_list") == []


def test_the_token_of_somebody_who_is_no_sysadmin_is_refused(published, ckan, datalab):
    published.call("user_create", name="camille", email="camille@example.org", password="une-longue-phrase")  # noqa: S106
    token = published.call("api_token_create", user="camille", name="essai")["token"]
    done = datalab("publish", **environment(ckan, DATALAB_CKAN_TOKEN=token))
    refused(done, ckan.url, "camille, who is no sysadmin", token=token)


def test_a_missing_token_or_address_says_what_to_set(folder, datalab):
    said = datalab("publish", DATALAB_CKAN_TOKEN="")
    assert (said.code, said.err) == (
        1,
        "error: no CKAN to publish to: set url in the section [ckan] of datalab.toml, or DATALAB_CKAN_URL, or --url\n",
    )
    folder.write("datalab.toml", '[ckan]\nurl = "http://127.0.0.1:9/"\ntoken_env = "MON_JETON"\n')
    said = datalab("publish", MON_JETON=" ")
    assert said.code == 1
    assert "MON_JETON is not set; put an API token of http://127.0.0.1:9 into it" in said.err


def test_a_password_in_the_address_is_refused_without_being_shown(datalab):
    done = datalab("publish", DATALAB_CKAN_URL="http://admin:motdepasse@127.0.0.1:9/", DATALAB_CKAN_TOKEN="jeton")  # noqa: S106
    refused(done, "127.0.0.1", "take it out", token="motdepasse")  # noqa: S106
    done = datalab("publish", DATALAB_CKAN_URL="ckan:motdepasse@127.0.0.1", DATALAB_CKAN_TOKEN="jeton")  # noqa: S106
    refused(done, "expected the address of a CKAN", token="motdepasse")  # noqa: S106


def test_a_ckan_that_is_down_is_named(published, ckan, datalab):
    ckan.stop_ckan()
    try:
        done = datalab("publish", **environment(ckan))
    finally:
        ckan.start_ckan()
    refused(done, f"{ckan.url}: CKAN cannot be reached; check url in [ckan], and that CKAN runs", token=ckan.token)


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (200, "text/html", b"<h1>Bienvenue</h1>", "no answer of a CKAN's API (200 OK, text/html)"),
        (404, "text/html", b"<h1>Absent</h1>", "no answer of a CKAN's API (404 Not Found, text/html)"),
        (200, "application/json", b'["a"]', "no answer of a CKAN's API (200 OK, application/json)"),
        (200, "application/json", b'{"success": true}', "no answer of a CKAN's API (200 OK, application/json)"),
        (200, "application/json", b'{"success": true, "res', "no answer of a CKAN's API (200 OK, application/json)"),
        (400, "application/json", b'{"success": false, "error": "oh"}', "no answer of a CKAN's API (400 Bad Request"),
        (400, "application/json", b'{"success": false, "error": {}}', "without a reason"),
        (200, "application/json", b'{"success": true, "result": null}', "does not answer as CKAN does"),
        (502, "text/html", b"<h1>Bad Gateway</h1>", "CKAN failed (502 Bad Gateway); see its log, then run this again"),
        (302, "text/html", b"", "sent on to https://ailleurs.example/api (302 Found); set url in [ckan]"),
    ],
)
def test_a_server_that_is_no_ckan_is_named(status, kind, body, said):
    between = Between("")
    between.instead["user_show"] = (status, kind, body)
    try:
        with pytest.raises(RemoteError) as caught:
            Ckan(CkanSettings(url=between.url), {"DATALAB_CKAN_TOKEN": "jeton-secret"})
    finally:
        between.stop()
    assert said in str(caught.value)
    assert between.url in str(caught.value)
    assert "jeton-secret" not in str(caught.value)


def test_a_ckan_that_does_not_answer_in_time_is_named():
    hold = threading.Event()
    between = Between("")
    between.pass_on = lambda *_: hold.wait(20) and (200, "text/html", b"")
    try:
        with pytest.raises(RemoteError, match=rf"{between.url}: CKAN did not answer within 0.2 s; raise timeout in"):
            Ckan(CkanSettings(url=between.url, timeout=0.2), {"DATALAB_CKAN_TOKEN": "jeton"})
    finally:
        hold.set()
        between.stop()


def test_an_error_is_of_the_houses_tree():
    with pytest.raises(DatalabError):
        Ckan(CkanSettings(), {})
