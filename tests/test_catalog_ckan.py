"""What of the lab is told to CKAN, and the calls that follow: all of it data, compared with literals."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fixtures_ckan import BASE, REGION, entry, extras_of, ours, theirs, whats
from rdflib import Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS

from catalog.ckan.facts import Schema
from catalog.ckan.listing import Listing, listings
from catalog.ckan.names import package_name, tag_name
from catalog.ckan.package import OWNED_EXTRAS, Catalogue, package_dict
from catalog.ckan.plan import plan
from catalog.dcat import graph
from catalog.entries import EVERYONE, entries
from catalog.lake import ServedColumn
from catalog.settings import CatalogSettings
from policies.errors import RemoteError

EU = "http://publications.europa.eu/resource/authority/"


# -- the mapping


def package(shown, **listing):
    return package_dict(REGION, BASE, Listing(shown, **listing), Schema())


def test_a_dataset_is_written_with_stable_ids_and_the_extras_that_ckans_dcat_reads():
    node, columns = f"{BASE}datasets/bornes", '[{"name": "code", "type": "VARCHAR"}]'
    common = {
        "description": None,
        "access_url": node,
        "last_modified": "2026-05-04T03:02:01",
        "modified": "2026-05-04T03:02:01+00:00",
        "license": "https://spdx.org/licenses/etalab-2.0",
        "rights": None,
        "conforms_to": "",
        "applicable_legislation": "",
        "datalab_rows": 12,
        "datalab_version": 3,
        "datalab_columns": columns,
    }
    made = package(entry(temporal={"start": "2020-01-01"}), checksums={"t": "ab" * 32})
    extras = extras_of(made)
    assert {**made, "extras": None} == {
        "id": "ed72101c-de87-526e-9401-8f3be07c946d",
        "name": "bornes",
        "title": "Un jeu",
        "notes": "Pour les essais.",
        "url": node,
        "author": "Région",
        "version": "3",
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
                "url": f"{BASE}data/bornes/open/t.parquet",
                "download_url": f"{BASE}data/bornes/open/t.parquet",
                "uri": f"{node}#open-t-parquet",
                "format": "Parquet",
                "mimetype": "application/vnd.apache.parquet",
                "size": 4096,
                "hash": "ab" * 32,
                "hash_algorithm": "http://spdx.org/rdf/terms#checksumAlgorithm_sha256",
                **common,
            },
            {
                "id": "1ed873e2-4eb6-5681-b48a-aee1d5e72579",
                "name": "Table (CSV)",
                "url": f"{BASE}data/bornes/open/t.csv",
                "download_url": f"{BASE}data/bornes/open/t.csv",
                "uri": f"{node}#open-t-csv",
                "format": "CSV",
                "mimetype": "text/csv",
                "size": None,
                "hash": None,
                "hash_algorithm": None,
                **common,
            },
        ],
    }
    assert extras == {
        "datalab": "region",
        "datalab_owns": '{"groups": ["theme-regi"], "tags": ["essai"]}',
        "uri": f"{node}#open",
        "identifier": f"{node}#open",
        "issued": "2026-01-01",
        "modified": "2026-05-04T03:02:01+00:00",
        "frequency": f"{EU}frequency/ANNUAL",
        "theme": f'["{EU}data-theme/REGI"]',
        "language": f'["{EU}language/FRA", "{EU}language/ENG"]',
        "access_rights": f"{EU}access-right/PUBLIC",
        "publisher_uri": f"{BASE}#publisher-R%C3%A9gion",
        "publisher_name": "Région",
        "contact_uri": f"{node}#contact-point",
        "contact_name": "DataLab",
        "contact_email": "datalab@example.org",
        "spatial": '{"type":"Polygon","coordinates":[[[-2.0,48.2],[-2.0,50.1],[1.9,50.1],[1.9,48.2],[-2.0,48.2]]]}',
        "spatial_bbox": "POLYGON((-2 48.2, 1.9 48.2, 1.9 50.1, -2 50.1, -2 48.2))",
        "spatial_text": "Normandie",
        "spatial_uri": f"{node}#place-covered",
        "temporal_start": "2020-01-01",
    }
    assert extras.keys() <= OWNED_EXTRAS


def test_laws_provenance_and_where_it_was_harvested_are_told():
    extras = extras_of(
        package(
            entry(
                hvd=["mobility"],
                legal_basis=[{"name": "Loi", "url": "https://www.legifrance.gouv.fr/loi"}, {"name": "Arrêté"}],
                provenance={"fr": "Saisie des communes."},
                harvested={"portal": "https://portail.example", "identifier": "https://portail.example/jeu/7"},
            )
        )
    )
    laws = '["https://www.legifrance.gouv.fr/loi", "http://data.europa.eu/eli/reg_impl/2023/138/oj"]'
    assert extras["hvd_category"] == '["http://data.europa.eu/bna/c_b79e35eb"]'
    assert extras["applicable_legislation"] == laws
    assert extras["provenance"] == "Saisie des communes."
    assert extras["source"] == '["https://portail.example/jeu/7"]'
    assert {one["applicable_legislation"] for one in package(entry(hvd=["mobility"]))["resources"]} == {
        '["http://data.europa.eu/eli/reg_impl/2023/138/oj"]'
    }


def test_of_each_column_ckan_is_told_what_the_descriptor_knows():
    columns = {"code": {"title": {"fr": "Code"}, "description": {"fr": "De l'INSEE"}, "unit": "aucune"}}
    made = package(entry(resource={"columns": columns}))
    assert [json.loads(one["datalab_columns"]) for one in made["resources"]] == [
        [{"name": "code", "type": "VARCHAR", "title": "Code", "description": "De l'INSEE", "unit": "aucune"}]
    ] * 2


def test_size_and_hash_are_told_of_a_file_that_is_served_as_it_lies_and_of_no_other():
    geometry = (ServedColumn(name="geom", type="GEOMETRY"),)
    made = package(entry(served={"columns": geometry}), checksums={"t": "ab" * 32})
    assert [(one["size"], one["hash"]) for one in made["resources"]] == [(None, None)] * 2
    parts = package(entry(served={"files": {"a.parquet": 1, "b.parquet": 2}}), checksums={"t": "ab" * 32})
    assert [(one["size"], one["hash"]) for one in parts["resources"]] == [(None, None)] * 2


def test_a_private_edition_is_told_without_what_only_the_granted_may_know():
    made = package(entry(edition="partner"), private=True)
    assert made["private"] is True
    assert (made["name"], made["title"], made["version"]) == ("bornes-partner", "Un jeu (partner)", None)
    assert extras_of(made)["access_rights"] == f"{EU}access-right/RESTRICTED"
    (one,) = made["resources"]
    assert one["url"] == f"{BASE}datasets/bornes"
    told = json.dumps(made)
    assert not any(word in told for word in ("/data/", "VARCHAR", "4096", "part-1", '"size"', "datalab_rows", '"code"'))


SCHEMA = Schema.read(
    {
        "dataset_fields": [
            {"field_name": "title"},
            {"field_name": "frequency"},
            {"field_name": "theme", "validators": "ignore_missing scheming_multiple_text"},
            {"field_name": "identifier", "validators": "scheming_multiple_text"},
            {"field_name": "language", "validators": "ignore_missing unicode_safe"},
            {"field_name": "publisher", "repeating_subfields": [{"field_name": "name"}, {"field_name": "type"}]},
            {"field_name": "contact"},
        ],
        "resource_fields": [{"field_name": "conforms_to", "validators": "scheming_multiple_text"}],
    }
)


def test_under_a_schema_what_it_has_a_field_for_is_that_field_and_the_rest_extras():
    listing = Listing(entry(resource={"tableschema": "https://schema.example/s.json"}))
    made = package_dict(REGION, BASE, listing, SCHEMA)
    assert made["frequency"] == f"{EU}frequency/ANNUAL"
    assert made["theme"] == [f"{EU}data-theme/REGI"]
    assert made["identifier"] == [f"{BASE}datasets/bornes#open"]
    assert made["language"] == f'["{EU}language/FRA", "{EU}language/ENG"]'
    assert made["publisher"] == [{"name": "Région"}]
    extras = extras_of(made)
    assert not extras.keys() & {"frequency", "theme", "identifier", "language", "publisher_name", "publisher_uri"}
    assert extras["contact_name"] == "DataLab"  # the field is a text, which cannot hold a contact
    assert "contact" not in made
    assert extras["spatial_text"] == "Normandie"
    assert {str(one["conforms_to"]) for one in made["resources"]} == {"['https://schema.example/s.json']"}


def test_a_ckan_that_gets_a_schema_has_its_extras_moved_into_fields():
    held = theirs(ours(entry()))
    (action,) = plan(ours(entry(), schema=SCHEMA), held).todo
    assert {"frequency", "theme", "publisher", "publisher_name"} <= set(action.changes)
    assert not extras_of(action.data["update"]).keys() & {"frequency", "theme", "publisher_name"}
    back = theirs(ours(entry(), schema=SCHEMA))
    (action,) = plan(ours(entry()), back).todo
    assert extras_of(action.data["update"])["frequency"] == f"{EU}frequency/ANNUAL"


def test_what_ckan_is_told_is_what_the_portals_dcat_says(open_lab):
    shown = listings(open_lab, pytest.fail)
    settings = open_lab.section("catalog", CatalogSettings)
    triples = graph(settings, entries(open_lab, EVERYONE))
    for held in ours(*shown).datasets.values():
        node = URIRef(extras_of(held)["uri"])
        distributions = list(triples.objects(node, DCAT.distribution))
        assert {resource["uri"] for resource in held["resources"]} == {str(one) for one in distributions}
        urls = {str(url) for one in distributions for url in triples.objects(one, DCAT.downloadURL)}
        assert {resource["url"] for resource in held["resources"]} == urls
        assert {resource["download_url"] for resource in held["resources"]} == urls
        licences = {str(uri) for one in distributions for uri in triples.objects(one, DCTERMS.license)}
        assert {resource["license"] for resource in held["resources"]} == licences
        assert triples.value(node, DCTERMS.identifier) == Literal(extras_of(held)["identifier"])
        assert triples.value(node, DCTERMS.publisher) == URIRef(extras_of(held)["publisher_uri"])
        assert triples.value(node, DCAT.contactPoint) == URIRef(extras_of(held)["contact_uri"])
        assert triples.value(node, DCAT.landingPage) == URIRef(held["url"])
        assert triples.value(node, URIRef(f"{DCAT}version")) == Literal(held["version"])


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
    made = package(entry(keywords={"fr": ["eau/air", "eau air"], "en": ["eau, air"]}))
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
    one, two = package(entry()), package_dict(replace_organisation("ville"), BASE, Listing(entry()), Schema())
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


def test_more_than_a_tenth_is_too_many_deletions():
    many = [entry(f"jeu{number}") for number in range(30)]
    held = theirs(ours(*many))
    assert not plan(ours(*many[3:]), held).deletes_too_many
    assert plan(ours(*many[4:]), held).deletes_too_many
    few = [entry("un"), entry("deux"), entry("trois")]
    assert plan(ours(*few[1:]), theirs(ours(*few))).deletes_too_many
    assert plan(ours(), theirs(ours(*few))).deletes_too_many
    assert not plan(ours(*few), theirs(ours(*few[1:]))).deletes_too_many


def test_a_new_slug_is_a_new_dataset_and_the_old_one_goes():
    made = plan(ours(entry("points")), theirs(ours(entry("bornes"))))
    assert whats(made)["dataset points"] == "create"
    assert whats(made)["dataset bornes"] == "delete"
    assert made.deletes_too_many


def test_a_name_that_another_dataset_has_is_refused_before_anything_is_written():
    other = {"id": "0a6f4cf1-6df8-4a41-8d0a-5b36ce1d4a8c", "name": "bornes", "state": "active", "extras": []}
    with pytest.raises(RemoteError, match=r"bornes \(active, id 0a6f.*nothing was written"):
        plan(ours(entry()), Catalogue({}, {}, {other["id"]: {**other, "resources": []}}))


def test_a_spoilt_extra_that_lists_our_tags_takes_nobodys_tag_away():
    made = ours(entry(keywords={"fr": ["aa"]}))
    held = theirs(ours(entry(keywords={"fr": ["aa", "bb"]})))
    for package in held.datasets.values():
        package["extras"] = [
            {**extra, "value": "[1"} if extra["key"] == "datalab_owns" else extra for extra in package["extras"]
        ]
    (action,) = plan(made, held).todo
    assert "tags" not in action.data["update"]
