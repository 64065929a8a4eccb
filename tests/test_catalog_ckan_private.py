"""Editions that not everybody may open: nothing of them in CKAN unless the lab says so, and then no more than that."""

from __future__ import annotations

import json

import pytest
from ckanapi import RemoteCKAN
from ckanapi.errors import NotAuthorized
from fixtures_ckan import extras_of, whats

from catalog.ckan.listing import listings

PARTNER = {"to": "group:partners", "edition": "partner", "purposes": ["mobilite"], "until": "2999-01-01"}
EVERYONE = {"to": "everyone", "edition": "open"}
EDITIONS = {"open": {"t": {"keep": ["nom"]}}, "partner": {"t": {"keep": ["code", "nom"]}}}


def grant(published, *grants):
    published.folder.grant("communes", EDITIONS, *grants)
    published.bring("communes")


def of(published, *, private):
    return [(one.entry.slug, one.entry.edition, one.private) for one in listed(published, private=private)]


def listed(published, *, private):
    return listings(published.folder.lab, pytest.fail, private=private)


@pytest.fixture
def partnered(published):
    grant(published, EVERYONE, PARTNER, {"to": "user:steward", "edition": "raw", "until": "2999-01-01"})
    return published


def test_only_what_everyone_may_open_is_told_unless_the_lab_says_otherwise(partnered):
    assert of(partnered, private=False) == [("bornes", "open", False), ("communes", "open", False)]
    assert of(partnered, private=True) == [
        ("bornes", "open", False),
        ("communes", "open", False),
        ("communes", "partner", True),
    ]


@pytest.mark.parametrize("ended", [{"until": "2020-01-01"}, {"from": "2990-01-01"}])
def test_an_edition_that_nobody_may_open_today_is_not_told(published, ended):
    grant(published, EVERYONE, {**PARTNER, **ended})
    assert [one.entry.edition for one in listed(published, private=True)] == ["open", "open"]


def test_an_open_edition_whose_file_is_damaged_is_not_told_as_a_private_one(published):
    grant(published, EVERYONE, {"to": "user:steward", "edition": "open", "until": "2999-01-01"})
    lake = published.folder.lab.lake
    (path,) = lake.files("communes", "open", "t", lake.current("communes", "open").resources["t"])
    path.unlink()
    wrong = []
    told = listings(published.folder.lab, wrong.append, private=True)
    assert [one.entry.slug for one in told] == ["bornes"]
    assert [str(path) in str(error) for error in wrong] == [True]


def test_a_private_dataset_is_seen_by_the_organisation_and_tells_nothing_of_the_rows(partnered):
    partnered.folder.write("datalab.toml", "[ckan]\nprivate = true\ndatastore_rows = 100\n")
    made = partnered.run()
    assert [action.name for action in made.todo if action.changes == ("private",)] == ["communes-partner"]
    found = partnered.show("communes-partner")
    assert (found["private"], found["title"]) == (True, "Un jeu (partner)")
    assert extras_of(found)["access_rights"].endswith("/RESTRICTED")
    (one,) = found["resources"]
    assert one["url"] == "http://127.0.0.1:8420/datasets/communes"
    assert one["datastore_active"] is False
    said = json.dumps(found)
    assert not any(word in said for word in ("/data/", ".parquet", "datalab_rows", "datalab_columns", '\\"code\\"'))

    with RemoteCKAN(partnered.ckan.url) as nobody:
        assert {held["name"] for held in nobody.action.package_search()["results"]} == {"communes", "bornes"}
        with pytest.raises(NotAuthorized):
            nobody.action.package_show(id="communes-partner")
    assert partnered.run().todo == ()


def test_what_becomes_public_or_private_stays_the_same_dataset(partnered):
    partnered.folder.write("datalab.toml", "[ckan]\nprivate = true\ndatastore_rows = 100\n")
    partnered.run()
    before = partnered.show("communes-partner")
    grant(partnered, EVERYONE, {**EVERYONE, "edition": "partner"})
    assert whats(partnered.run())["dataset communes-partner"] == "update"
    public = partnered.show("communes-partner")
    assert (public["id"], public["private"]) == (before["id"], False)
    assert [held["format"] for held in public["resources"]] == ["Parquet", "CSV"]
    assert public["resources"][1]["datastore_active"] is True

    grant(partnered, EVERYONE, PARTNER)
    partnered.run()
    again = partnered.show("communes-partner")
    assert (again["id"], again["private"]) == (before["id"], True)
    assert [held["url"] for held in again["resources"]] == ["http://127.0.0.1:8420/datasets/communes"]
    assert partnered.run().todo == ()

    partnered.folder.write("datalab.toml", "")
    assert whats(partnered.run(allow_deletions=True))["dataset communes-partner"] == "delete"
