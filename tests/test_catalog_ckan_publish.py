"""The lab in a real CKAN: what is written there, and what is left alone."""

from __future__ import annotations

import hashlib

import pytest
from fixtures_ckan import CSV, extras_of, whats

from catalog.checksum import sha256
from catalog.ckan.facts import Schema
from catalog.ckan.listing import listings
from catalog.ckan.package import package_dict
from catalog.entries import EVERYONE, entries
from catalog.settings import CkanSettings
from ingest.run import ingest
from policies.errors import RemoteError, UsageError

EU = "http://publications.europa.eu/resource/authority/"
PORTAL = "http://127.0.0.1:8420/"


def test_the_first_run_makes_everything_and_the_second_writes_nothing(published):
    assert published.run().summary == "4 created, 0 updated, 0 unchanged, 0 deleted"
    package = published.show()
    (_, listing) = listings(published.folder.lab, pytest.fail)
    expected = package_dict(CkanSettings(), PORTAL, listing, Schema())
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
    published.describe("communes", title={"fr": "Les communes"})
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
    published.folder.write("sources/communes.csv", CSV + "01002;Caen\n")
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


def test_a_curators_edit_between_the_plan_and_the_write_survives_it(published):
    published.run()
    published.describe("communes", title={"fr": "Les communes"})

    def edit(body):
        published.between.instead.clear()
        published.call(
            "package_patch", id="communes", maintainer="Camille", tags=[{"name": "essai"}, {"name": "à voir"}]
        )
        assert body["update"]["title"] == "Les communes"

    published.between.instead["package_revise"] = edit
    published.run()
    after = published.show()
    assert (after["title"], after["maintainer"]) == ("Les communes", "Camille")
    assert [tag["name"] for tag in after["tags"]] == ["essai", "à voir"]
    assert published.between.writes == ["package_revise", "package_revise"]
    assert published.run().todo == ()


def test_somebody_who_edits_all_the_time_is_not_overwritten(published):
    published.run()
    published.describe("communes", title={"fr": "Les communes"})
    published.between.instead["package_revise"] = lambda _: (
        published.call("package_patch", id="communes", notes=f"Écrit {len(published.between.asked)}") and None
    )
    with pytest.raises(RemoteError, match=r"communes: .*somebody changes the dataset all the time; run this again"):
        published.run()
    assert published.show()["title"] == "Un jeu"
    published.between.instead.clear()
    published.run()
    assert published.show()["title"] == "Les communes"


def test_a_new_title_keeps_the_dataset_and_a_new_slug_makes_another(published):
    published.run()
    before = published.show()
    published.describe("communes", title={"fr": "Nos communes"})
    published.run()
    after = published.show()
    assert (after["id"], after["title"]) == (before["id"], "Nos communes")

    for kind in ("datasets", "policies"):
        path = published.folder.root / kind / "communes.yaml"
        path.rename(path.with_name("territoires.yaml"))
    list(ingest(published.folder.lab, "territoires", lambda _: None))
    with pytest.raises(UsageError, match="--allow-deletions"):
        published.run()
    made = published.run(allow_deletions=True)
    assert {name: what for name, what in whats(made).items() if what != "unchanged"} == {
        "dataset territoires": "create",
        "dataset communes": "delete",
    }
    assert published.show()["state"] == "deleted"
    assert published.show("territoires")["id"] != before["id"]
    assert published.run().todo == ()


def test_a_name_that_a_curator_gave_is_put_back(published):
    published.run()
    published.call("package_patch", id="communes", name="communes-de-normandie")
    (action,) = published.run().todo
    assert action.changes == ("name",)
    assert published.show()["name"] == "communes"


def test_a_resource_that_is_taken_out_of_the_descriptor_goes_and_others_stay(published):
    published.run()
    source = {"file": "sources/communes.csv"}
    two = {name: {"title": {"fr": name}, "source": source} for name in ("t", "u")}
    published.folder.describe("communes", two)
    published.folder.grant("communes", {"open": {name: {"keep": ["code"]} for name in two}})
    list(ingest(published.folder.lab, "communes", lambda _: None))
    published.run()
    assert [held["name"] for held in published.show()["resources"]] == [
        *("t (Parquet)", "t (CSV)"),
        *("u (Parquet)", "u (CSV)"),
    ]
    kept = {held["id"] for held in published.show()["resources"] if held["name"].startswith("u")}
    published.folder.describe("communes", {"u": two["u"]})
    published.folder.grant("communes", {"open": {"u": {"keep": ["code"]}}})
    list(ingest(published.folder.lab, "communes", lambda _: None))
    published.run()
    assert {held["id"] for held in published.show()["resources"]} == kept


def test_the_hash_in_ckan_is_that_of_the_file_which_the_portal_serves(published):
    published.run()
    parquet, text = published.show()["resources"]
    (_, shown) = entries(published.folder.lab, EVERYONE)
    (path,) = published.folder.lab.lake.files("communes", "open", "t", shown.current.resources["t"])
    assert parquet["hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert parquet["size"] == path.stat().st_size
    assert (text["hash"], text["size"]) == ("", None)
    kept = published.folder.root / "var/checksums/communes/open/t"
    kept.write_text(kept.read_text().replace(parquet["hash"], "0" * 64))
    assert sha256(published.folder.lab, shown, "t") == "0" * 64  # reckoned once


def test_a_dataset_withdrawn_from_everyone_is_deleted_and_comes_back_as_the_same(published):
    published.run()
    before = published.show()
    grant = {"to": "user:partner", "edition": "open", "until": "2999-01-01"}
    published.grant("communes", grant)
    assert whats(published.run(allow_deletions=True))["dataset communes"] == "delete"
    assert published.show()["state"] == "deleted"
    assert published.run().todo == ()

    published.grant("communes")
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
