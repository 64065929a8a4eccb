"""A real CKAN, harvested by its API and by its DCAT feed: added, changed, gone, back, and what is private."""

from __future__ import annotations

import json

import pytest
from ckanapi import RemoteCKAN

from ingest.harvest.drafting import draft_of
from ingest.harvest.portals import ckan as portal_ckan
from ingest.harvest.run import Wishes, harvest
from ingest.harvest.yamltext import values_of
from ingest.run import ingest

EXTRAS = {
    "issued": "2024-03-01",
    "frequency": "http://publications.europa.eu/resource/authority/frequency/MONTHLY",
    "theme": json.dumps(["http://publications.europa.eu/resource/authority/data-theme/ENVI"]),
    "contact_name": "Service des données",
    "contact_email": "donnees@region.example",
    "publisher_name": "Région Exemple",
    "publisher_identifier": "200000008",
    "spatial": json.dumps({"type": "Polygon", "coordinates": [[[0, 49], [1, 49], [1, 50], [0, 50], [0, 49]]]}),
    "spatial_text": "Normandie",
    "temporal_start": "2020-01-01",
    "temporal_end": "2024-12-31",
    "language": json.dumps(["http://publications.europa.eu/resource/authority/language/FRA"]),
}


@pytest.fixture
def call(ckan):
    """Calls an action of an empty CKAN, with an organisation, as its sysadmin."""
    ckan.reset()
    remote = RemoteCKAN(ckan.url, apikey=ckan.token)

    def run(action: str, **data: object):
        return remote.call_action(action, data, requests_kwargs={"timeout": 60})

    run("organization_create", name="region", title="La Région")
    run("organization_create", name="autre")
    return run


@pytest.fixture
def run(folder, ckan):
    folder.write("datalab.toml", '[ingest]\nallow_hosts = ["127.0.0.1"]\nretries = 0\n')

    def once(path: str = "", **wishes: object):
        return harvest(folder.lab, f"{ckan.url}{path}", Wishes(**wishes), lambda *_: None)

    return once


def made(call, name: str, **changes: object) -> dict:
    """One dataset with a file."""
    return call(
        "package_create",
        **{
            "name": name,
            "title": f"Jeu {name}",
            "notes": "Un **jeu**.\n\n<script>alert(1)</script>",
            "owner_org": "region",
            "license_id": "other-at",
            "license_title": "x",
            "tags": [{"name": "eau"}, {"name": "qualité"}],
            "extras": [{"key": key, "value": value} for key, value in EXTRAS.items()],
            "resources": [
                {
                    "name": "Mesures",
                    "url": "http://127.0.0.1:9/mesures.csv",
                    "format": "CSV",
                    "license": "https://spdx.org/licenses/etalab-2.0",
                },
                {"name": "Notice", "url": "http://127.0.0.1:9/notice.pdf", "format": "PDF"},
            ],
            **changes,
        },
    )


def values(folder, name: str) -> dict:
    return values_of((folder.root / f"drafts/{name}.yaml").read_text(), name)


def test_a_ckan_is_found_and_each_of_its_fields_has_its_place_in_the_draft(ckan, call, run, folder):
    package = made(call, "qualite-de-leau")
    made(call, "prive", private=True)
    report = run()
    assert (report.kind, report.portal, report.incomplete) == ("ckan", f"{ckan.url}/", "")
    assert [(entry.what, entry.file, entry.missing) for entry in report.entries] == [
        ("added", "drafts/qualite_de_leau.yaml", ())
    ]
    assert values(folder, "qualite_de_leau") == {
        "title": {"fr": "Jeu qualite-de-leau"},
        "description": {"fr": "Un jeu."},
        "publisher": {"name": "Région Exemple", "siren": "200000008"},
        "contact": {"name": "Service des données", "email": "donnees@region.example"},
        "themes": ["ENVI"],
        "keywords": {"fr": ["eau", "qualité"]},
        "licence": "LO-2.0",
        "frequency": "MONTHLY",
        "spatial": {"name": "Normandie", "bbox": [0.0, 49.0, 1.0, 50.0]},
        "temporal": {"start": "2020-01-01", "end": "2024-12-31"},
        "issued": "2024-03-01",
        "landing_page": f"{ckan.url}/dataset/qualite-de-leau",
        "harvested": {
            "portal": f"{ckan.url}/",
            "identifier": package["id"],
            "modified": f"{package['metadata_modified'][:19]}+00:00",
        },
        "resources": {
            "mesures": {
                "title": {"fr": "Mesures"},
                "source": {"ckan": f"{ckan.url}/", "resource": package["resources"][0]["id"]},
                "origin": "http://127.0.0.1:9/mesures.csv",
            }
        },
    }


@pytest.mark.parametrize("form", ["ttl", "rdf", "jsonld"])
def test_ckans_own_dcat_feed_gives_the_same_facts(ckan, call, run, folder, form):
    made(call, "qualite-de-leau")
    call("package_create", name="vide", title="Vide", owner_org="region")
    report = run(f"/catalog.{form}")
    assert (report.kind, report.incomplete) == ("dcat", "")
    assert report.counts["added"] == 2
    found = {entry.title: entry.file for entry in report.entries}
    by_feed = values_of((folder.root / found["Jeu qualite-de-leau"]).read_text(), "x")
    assert by_feed["publisher"]["name"] == "Région Exemple"
    assert by_feed["contact"] == {"name": "Service des données", "email": "donnees@region.example"}
    assert by_feed["themes"] == ["ENVI"]
    assert by_feed["frequency"] == "MONTHLY"
    assert by_feed["spatial"]["bbox"] == [0.0, 49.0, 1.0, 50.0]
    assert by_feed["licence"] == "LO-2.0"
    assert by_feed["issued"] == "2024-03-01"
    assert by_feed["resources"]["mesures"]["source"] == {"url": "http://127.0.0.1:9/mesures.csv"}


def test_a_second_harvest_updates_marks_what_is_gone_and_takes_the_mark_away(ckan, call, run, folder, monkeypatch):
    monkeypatch.setattr(portal_ckan, "_ROWS", 2)
    packages = [made(call, f"jeu-{number}") for number in range(5)]
    assert run().counts["added"] == 5
    assert run().counts == {**dict.fromkeys(run().counts, 0), "unchanged": 5}
    call("package_patch", id=packages[0]["id"], title="Nouveau titre", name="autre-nom")
    call("package_delete", id=packages[1]["id"])
    made(call, "jeu-6")
    report = run()
    whats = {entry.identifier: entry.what for entry in report.entries}
    assert whats[packages[0]["id"]] == "changed"
    assert whats[packages[1]["id"]] == "gone"
    assert report.counts["added"] == 1
    assert values(folder, "jeu_0")["title"] == {"fr": "Nouveau titre"}
    assert "gone" in values(folder, "jeu_1")["harvested"]
    call("package_patch", id=packages[1]["id"], state="active")
    report = run()
    assert {entry.identifier: entry.what for entry in report.entries}[packages[1]["id"]] == "back"
    assert "gone" not in values(folder, "jeu_1")["harvested"]


def test_an_organisation_a_search_and_one_dataset_are_parts_of_a_ckan(ckan, call, run):
    made(call, "un")
    made(call, "deux", tags=[{"name": "air"}])
    made(call, "trois", owner_org="autre")
    titles = {
        path: [entry.title for entry in run(path, dry_run=True).entries]
        for path in (
            "/organization/region",
            "/dataset/?tags=air",
            "/dataset/trois",
            "/api/3/action/package_search?q=trois",
        )
    }
    assert {path: sorted(found) for path, found in titles.items()} == {
        "/organization/region": ["Jeu deux", "Jeu un"],
        "/dataset/?tags=air": ["Jeu deux"],
        "/dataset/trois": ["Jeu trois"],
        "/api/3/action/package_search?q=trois": ["Jeu trois"],
    }


def test_a_draft_from_a_ckan_that_is_adopted_can_be_ingested(ckan, call, run, folder):
    package = made(call, "table", resources=[], license_id="odc-odbl")
    call(
        "datastore_create",
        resource={"package_id": package["id"], "name": "Mesures", "format": "CSV"},
        fields=[{"id": "code", "type": "text"}, {"id": "valeur", "type": "numeric"}],
        records=[{"code": "01001", "valeur": 1.5}, {"code": "2A004", "valeur": 2}],
        force=True,
    )
    run()
    (folder.root / "datasets").mkdir()
    draft = folder.root / "drafts/table.yaml"
    draft.rename(folder.root / "datasets/table.yaml")
    (outcome,) = ingest(folder.lab, "table", lambda _: None)
    assert outcome.error is None
    assert run().counts["unchanged"] == 1


def test_the_fields_of_ckanext_schemings_dcat_schema_are_read_as_extras_are():
    package = {
        "id": "a1",
        "name": "air",
        "title": "Air",
        "title_translated": {"fr": "Air", "en": "Air quality"},
        "notes": "x",
        "metadata_created": "2024-01-01T00:00:00.123456",
        "metadata_modified": "2024-02-02T00:00:00.123456",
        "license_id": "notspecified",
        "license_title": "License not specified",
        "contact": [{"name": "SIG", "email": "sig@e.org", "uri": ""}],
        "publisher": [{"name": "La Région", "identifier": "200000008", "url": "https://e.org"}],
        "spatial_coverage": [{"text": "Ici", "bbox": '{"type": "Point", "coordinates": [1, 49]}', "uri": ""}],
        "temporal_coverage": [{"start": "2020-01-01", "end": "2020-12-31"}],
        "theme": ["http://publications.europa.eu/resource/authority/data-theme/ENVI"],
        "frequency": "http://publications.europa.eu/resource/authority/frequency/DAILY",
        "language": ["http://publications.europa.eu/resource/authority/language/FRA"],
        "hvd_category": ["http://data.europa.eu/bna/c_dd313021"],
        "applicable_legislation": ["http://data.europa.eu/eli/reg_impl/2023/138/oj"],
        "access_rights": "http://publications.europa.eu/resource/authority/access-right/RESTRICTED",
        "provenance": ["Capteurs"],
        "tags": [],
        "groups": [],
        "organization": {"title": "Autre"},
        "resources": [
            {"id": "r1", "name": "Mesures", "url": "https://e.org/a.csv", "format": "CSV", "license": "CC BY 4.0"}
        ],
    }
    found = draft_of(portal_ckan.record_of(package, "https://ckan.example/", "en")).values
    assert found["title"] == {"fr": "Air", "en": "Air quality"}
    assert found["description"] == {"fr": "x"}
    assert found["contact"] == {"name": "SIG", "email": "sig@e.org"}
    assert found["publisher"] == {"name": "La Région", "siren": "200000008", "url": "https://e.org"}
    assert found["spatial"] == {"name": "Ici", "bbox": [1.0, 49.0, 1.0, 49.0]}
    assert found["temporal"] == {"start": "2020-01-01", "end": "2020-12-31"}
    assert (found["themes"], found["frequency"], found["licence"]) == (["ENVI"], "DAILY", "CC-BY-4.0")
    assert found["hvd"] == ["environment"]
    assert found["legal_basis"][0]["url"] == "http://data.europa.eu/eli/reg_impl/2023/138/oj"
    assert found["provenance"] == {"fr": "Capteurs"}
    assert found["sensitivity"] == "internal"
    assert found["issued"] == "2024-01-01"
