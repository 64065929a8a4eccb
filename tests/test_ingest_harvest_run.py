"""One harvest after another: what is added, changed, gone, back, failed, and what a steward wrote in between."""

from __future__ import annotations

import copy
import datetime as dt
import fcntl
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fixtures_api import Api, Asked, Said

from catalog.model import Dataset
from ingest.harvest import settle
from ingest.harvest.run import Wishes, harvest
from ingest.harvest.yamltext import values_of
from policies.document import read_yaml
from policies.errors import LakeError

PAGE = json.loads((Path(__file__).parent / "pages/harvest-udata.json").read_text())
BORNES, ARBRES = PAGE["data"][:2]
TODAY = dt.date(2026, 11, 28)
OPEN = '[ingest]\nallow_hosts = ["127.0.0.1"]\nretries = 0\n'


@dataclass
class Portal:
    """A udata of the tests: its datasets, and how it misbehaves."""

    api: Api
    datasets: list[dict] = field(default_factory=list)
    said: Said | None = None
    total: int | None = None

    def __call__(self, asked: Asked) -> object:
        if asked.path != "/api/1/datasets/":
            return Said({"message": "Not found"}, 404)
        if self.said is not None:
            return self.said
        listed = [one for one in self.datasets if asked.parameters.get("tag") in {None, *one["tags"]}]
        total = len(listed) if self.total is None else self.total
        return {"data": listed, "next_page": None, "page": 1, "page_size": 100, "total": total}

    def list(self, *names: str, **changes: object) -> None:
        """List one dataset a name; `changes` are made to all of them."""
        self.datasets = [
            {**copy.deepcopy(ARBRES), "id": f"id-{name}", "slug": name, "title": name.title(), **changes}
            for name in names
        ]


@pytest.fixture
def portal(api: Api) -> Portal:
    api.answer = made = Portal(api)
    return made


@dataclass
class Harvested:
    """What a harvest said: the report, and its entries by identifier."""

    report: object

    def __getitem__(self, identifier: str | None):
        return next(entry for entry in self.report.entries if entry.identifier == identifier)

    @property
    def whats(self) -> dict:
        return {entry.identifier: entry.what for entry in self.report.entries}


@pytest.fixture
def run(folder, portal):
    folder.write("datalab.toml", OPEN)

    def once(path: str = "/", today: dt.date = TODAY, **wishes: object) -> Harvested:
        wanted = Wishes(**{"kind": "udata", **wishes})
        return Harvested(harvest(folder.lab, f"{portal.api.url}{path}", wanted, lambda *_: None, today))

    return once


def files(folder) -> dict[str, bytes]:
    """All that a harvest may write, with what stands there."""
    root = folder.root
    found = [
        path for room in ("drafts", "datasets", "var/harvest") for path in (root / room).rglob("*") if path.is_file()
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in found if path.name != "lock"}


def text(folder, name: str) -> str:
    return (folder.root / name).read_text()


def adopt(folder, name: str, **changes: str) -> str:
    """Move a draft to `datasets/`, with texts of it replaced, as a steward does."""
    (folder.root / "datasets").mkdir(exist_ok=True)
    shutil.move(folder.root / f"drafts/{name}.yaml", folder.root / f"datasets/mien_{name}.yaml")
    target = folder.root / f"datasets/mien_{name}.yaml"
    content = target.read_text()
    for before, after in changes.values():
        assert before in content
        content = content.replace(before, after)
    target.write_text(content)
    return content


def test_a_first_harvest_drafts_and_a_second_writes_nothing(folder, portal, run):
    portal.datasets = [BORNES, ARBRES]
    first = run()
    assert first.whats == {BORNES["id"]: "added", ARBRES["id"]: "added"}
    assert first[ARBRES["id"]].missing == ("contact", "themes", "keywords", "licence")
    assert first[BORNES["id"]].file == "drafts/bornes_de_recharge_de_lessai.yaml"
    assert read_yaml(folder.root / first[BORNES["id"]].file, Dataset).licence == "LO-2.0"
    before = files(folder)
    second = run()
    assert set(second.whats.values()) == {"unchanged"}
    assert files(folder) == before
    assert folder.lab.slugs == ()  # a draft is no dataset of the lab


def test_a_dry_run_says_the_same_and_writes_nothing(folder, portal, run):
    portal.list("un", "deux")
    said = run(dry_run=True)
    assert set(said.whats.values()) == {"added"}
    assert files(folder) == {}
    assert run().whats == said.whats


def test_a_draft_that_nobody_touched_follows_the_portal_whole(folder, portal, run):
    portal.list("un")
    run()
    portal.list("un", license="lov2", tags=["eau"])
    assert "to do: licence" in text(folder, "drafts/un.yaml")
    said = run()
    assert said["id-un"].what == "changed"
    assert set(said["id-un"].changes) == {
        "licence: nothing → LO-2.0",
        "keywords: nothing → {fr: [eau]}",
        "themes: nothing → [ENVI]",
    }
    made = text(folder, "drafts/un.yaml")
    assert "to do: licence" not in made
    assert "# guessed: from the keyword 'eau'\nthemes: [ENVI]" in made


def test_what_was_adopted_is_known_by_its_identifier_and_what_the_steward_wrote_stays(folder, portal, run):
    portal.list("un", license="lov2")
    run()
    adopt(
        folder,
        "un",
        title=("title: {fr: Un}", "title: {fr: Les uns}  # plus clair"),
        contact=("# to do: contact: the portal says no e-mail address", "contact: {name: SIG, email: sig@e.org}"),
    )
    portal.list("un", license="odc-odbl", title="Uns")
    said = run()
    entry = said["id-un"]
    assert (entry.what, entry.file) == ("changed", "datasets/mien_un.yaml")
    assert entry.changes == ("licence: LO-2.0 → ODbL-1.0",)
    assert entry.conflicts == ("title.fr: it was changed here, and the portal changed it too; here Les uns, there Uns",)
    made = text(folder, "datasets/mien_un.yaml")
    assert "title: {fr: Les uns}  # plus clair" in made
    assert "licence: ODbL-1.0" in made
    assert "contact: {name: SIG, email: sig@e.org}" in made
    assert not (folder.root / "drafts/un.yaml").exists()
    again = run()
    assert (again["id-un"].what, again["id-un"].conflicts) == ("unchanged", ())


def test_what_vanished_is_marked_in_a_draft_and_in_a_descriptor_and_the_mark_goes_again(folder, portal, run):
    names = [f"n{number}" for number in range(30)]
    portal.list(*names)
    run()
    mine = adopt(folder, "n0", note=("frequency:", "# ma note\nfrequency:"))
    draft = text(folder, "drafts/n1.yaml")
    portal.list(*names[2:])
    said = run()
    assert {one: what for one, what in said.whats.items() if what != "unchanged"} == {"id-n0": "gone", "id-n1": "gone"}
    assert not said.report.failed
    marked = text(folder, "datasets/mien_n0.yaml")
    assert marked == mine.replace('+00:00"}', '+00:00", gone: 2026-11-28}')
    assert values_of(text(folder, "drafts/n1.yaml"), "x")["harvested"]["gone"] == "2026-11-28"
    before = files(folder)
    later = run(today=dt.date(2027, 1, 1))
    assert (later["id-n0"].what, later["id-n0"].since, later["id-n0"].shown) == ("gone", "2026-11-28", False)
    assert files(folder) == before
    portal.list(*names)
    back = run()
    assert {one for one, what in back.whats.items() if what == "back"} == {"id-n0", "id-n1"}
    assert text(folder, "datasets/mien_n0.yaml") == mine
    assert text(folder, "drafts/n1.yaml") == draft


def test_more_than_a_tenth_gone_at_once_is_refused_until_it_is_allowed(folder, portal, run):
    portal.list(*(f"n{number}" for number in range(20)))
    run()
    before = files(folder)
    portal.list(*(f"n{number}" for number in range(17)), license="lov2")
    said = run()
    assert said.report.failed
    assert said.report.refused == (
        "3 of the 20 datasets that the lab has of this portal are not listed any more; none was marked as gone. "
        "If that is right, say --allow-gone"
    )
    assert "gone" not in said.whats.values()
    assert said.report.counts["changed"] == 17
    assert files(folder)["drafts/n19.yaml"] == before["drafts/n19.yaml"]
    allowed = run(allow_gone=True)
    assert [one for one, what in allowed.whats.items() if what == "gone"] == ["id-n17", "id-n18", "id-n19"]
    assert not allowed.report.failed


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ({"said": Said({"message": "en panne"}, 500)}, "500"),
        ({"said": Said(b"<html>Connexion</html>", 200, {"Content-Type": "text/html"})}, "expected JSON, found a page"),
        ({"said": Said({"data": None})}, "expected a page of datasets"),
        ({"total": 9}, "the portal counts 9, and 1 came"),
    ],
)
def test_when_the_catalogue_did_not_come_whole_nothing_counts_as_gone(folder, portal, run, trouble, why):
    portal.list("un", "deux")
    run()
    before = files(folder)
    portal.list("un")
    portal.said, portal.total = trouble.get("said"), trouble.get("total")
    said = run(allow_gone=True)
    assert "gone" not in said.whats.values()
    assert files(folder) == before
    told = [said.report.incomplete, *(entry.why for entry in said.report.entries)]
    assert any(why in one for one in told)
    assert said.report.failed == ("said" in trouble)


def test_a_record_that_fails_stops_no_other_and_does_not_count_as_gone(folder, portal, run):
    portal.list("un", "deux")
    run()
    portal.list("un", "deux", "trois")
    portal.datasets[0]["title"] = " "
    said = run()
    assert said.whats == {"id-un": "failed", "id-deux": "unchanged", "id-trois": "added"}
    assert "id-un: it has no title" in said["id-un"].why
    assert said.report.failed


def test_a_dataset_that_is_listed_twice_is_taken_once_and_told(folder, portal, run):
    portal.list("un", "un")
    said = run()
    assert [(entry.what, entry.identifier) for entry in said.report.entries] == [
        ("added", "id-un"),
        ("failed", "id-un"),
    ]
    assert "listed twice" in said.report.entries[1].why
    assert said.report.incomplete


def test_two_datasets_of_one_name_get_two_files_that_stay_theirs(folder, portal, run):
    folder.write("datasets/deux.yaml", "title: {fr: Un autre, qui était là}\n")
    portal.list("un", "main", "deux")
    portal.datasets += [{**portal.datasets[0], "id": "id-autre"}]
    first = run()
    made = {one: entry.file for one in ("id-un", "id-autre", "id-main", "id-deux") for entry in [first[one]]}
    assert len(set(made.values())) == 4
    assert made["id-un"] == "drafts/un.yaml"
    assert made["id-autre"].startswith("drafts/un_")
    assert made["id-main"].startswith("drafts/main_")  # `main` itself is a name that DuckDB keeps
    assert made["id-deux"].startswith("drafts/deux_")
    portal.datasets.reverse()
    second = run()
    assert {one: second[one].file for one in made} == made


def test_a_draft_that_was_deleted_is_not_made_again(folder, portal, run):
    portal.list("un", "deux")
    run()
    (folder.root / "drafts/un.yaml").unlink()
    portal.list("un", "deux", license="lov2")
    said = run()
    assert said.whats == {"id-un": "dismissed", "id-deux": "changed"}
    assert not (folder.root / "drafts/un.yaml").exists()


def test_without_its_memory_a_harvest_duplicates_nothing_and_writes_nothing_over(folder, portal, run):
    portal.list("un", "deux", license="lov2")
    run()
    mine = adopt(folder, "un", title=("title: {fr: Un}", "title: {fr: Les uns}"))
    shutil.rmtree(folder.root / "var/harvest")
    before = files(folder)
    said = run()
    assert said.whats == {"id-un": "unchanged", "id-deux": "unchanged"}
    assert said["id-un"].conflicts == (
        "title.fr: it is not known what was harvested last time; here Les uns, there Un",
    )
    assert text(folder, "datasets/mien_un.yaml") == mine
    assert {name: content for name, content in files(folder).items() if not name.startswith("var")} == before
    portal.list("un", "deux", license="odc-odbl")
    assert run()["id-un"].changes == ("licence: LO-2.0 → ODbL-1.0",)


def test_a_kill_between_a_draft_and_its_memory_leaves_no_duplicate(folder, portal, run, monkeypatch):
    portal.list("un", "deux")

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(settle.Settling, "_remember", kill)
    with pytest.raises(Killed):
        run()
    monkeypatch.undo()
    assert [path.name for path in (folder.root / "drafts").iterdir()] == ["un.yaml"]
    said = run()
    assert said.whats == {"id-un": "unchanged", "id-deux": "added"}
    assert len(list((folder.root / "drafts").iterdir())) == 2


def test_a_file_that_is_no_yaml_any_more_fails_its_dataset_and_gets_no_second(folder, portal, run):
    portal.list("un", "deux")
    run()
    folder.write("drafts/un.yaml", text(folder, "drafts/un.yaml") + "\n: [\n")
    portal.list("un", "deux", license="lov2")
    said = run()
    assert said.whats == {"id-un": "failed", "id-deux": "changed"}
    assert "drafts/un.yaml:" in said["id-un"].why
    assert len(list((folder.root / "drafts").iterdir())) == 2


def test_a_form_that_cannot_be_changed_alone_is_told_and_left(folder, portal, run):
    portal.list("un", license="lov2")
    run()
    mine = "a: &licence LO-2.0\n" + text(folder, "drafts/un.yaml").replace("licence: LO-2.0", "licence: *licence")
    folder.write("drafts/un.yaml", mine.replace("a: &licence LO-2.0", "licence_note: &licence LO-2.0"))
    before = text(folder, "drafts/un.yaml")
    portal.list("un", license="odc-odbl", title="Uns")
    said = run()
    assert said["id-un"].what == "failed"
    assert "change by hand: " in said["id-un"].why
    assert "licence: LO-2.0 → ODbL-1.0" in said["id-un"].why
    assert text(folder, "drafts/un.yaml") == before


def test_a_dataset_that_stands_as_draft_and_as_descriptor_is_kept_as_descriptor(folder, portal, run):
    portal.list("un", license="lov2")
    run()
    copied = text(folder, "drafts/un.yaml")
    folder.write("datasets/un.yaml", copied)
    portal.list("un", license="odc-odbl")
    said = run()
    assert said["id-un"].file == "datasets/un.yaml"
    assert "it stands in drafts/un.yaml too" in said["id-un"].why
    assert text(folder, "drafts/un.yaml") == copied


def test_a_part_of_a_catalogue_marks_only_what_left_that_part(folder, portal, run):
    portal.list("un", "deux", tags=["eau"])
    portal.datasets += [{**portal.datasets[0], "id": "id-air", "slug": "air", "tags": ["air"]}]
    run("/datasets/search/?tag=eau")
    run("/datasets/search/?tag=air")
    assert len(list((folder.root / "drafts").iterdir())) == 3
    portal.datasets[0]["tags"] = ["air"]
    said = run("/datasets/search/?tag=air")
    assert said.whats == {"id-un": "changed", "id-air": "unchanged"}
    left = run("/datasets/search/?tag=eau")
    assert left.whats == {"id-deux": "unchanged", "id-un": "unchanged"}
    assert "still in another part" in left["id-un"].why
    portal.datasets = [one for one in portal.datasets if one["id"] != "id-deux"]
    assert run("/datasets/search/?tag=eau").whats == {"id-deux": "gone"}
    assert run("/datasets/search/?tag=air").whats == {"id-un": "unchanged", "id-air": "unchanged"}


def test_a_limit_takes_so_many_and_counts_nothing_as_gone(folder, portal, run):
    portal.list("un", "deux", "trois")
    run()
    portal.list("quatre", "un", "deux", "trois")
    said = run(limit=2)
    assert said.whats == {"id-quatre": "added", "id-un": "unchanged"}
    assert said.report.incomplete == "--limit 2"
    assert not said.report.failed


def test_more_records_than_the_lab_allows_fail_with_the_setting(folder, portal, run):
    folder.write("datalab.toml", f"{OPEN}max_records = 2\n")
    portal.list("un", "deux", "trois")
    said = run()
    assert said.report.counts["added"] == 2
    assert "raise max_records" in said[None].why
    assert said.report.failed


def test_resources_keep_their_names_whatever_the_portal_calls_them(folder, portal, run):
    portal.list("un")
    run()
    name = next(iter(values_of(text(folder, "drafts/un.yaml"), "x")["resources"]))
    adopt(folder, "un", column=(f"  {name}:\n", f"  {name}:  # arbres\n"))
    renamed = [{**ARBRES["resources"][0], "title": "Tout autre nom"}]
    portal.list("un", resources=renamed)
    said = run()
    assert said["id-un"].changes == (f"resources.{name}.title.fr: Arbres → Tout autre nom",)
    assert f"  {name}:  # arbres\n    title: {{fr: Tout autre nom}}" in text(folder, "datasets/mien_un.yaml")


def test_a_new_table_upstream_is_told_of_an_adopted_dataset_and_drafted_in_a_draft(folder, portal, run):
    portal.list("un", "deux")
    run()
    adopt(folder, "un")
    more = [*ARBRES["resources"], {**ARBRES["resources"][0], "id": "nouveau", "title": "Haies", "format": "csv"}]
    portal.list("un", "deux", resources=more)
    said = run()
    assert said["id-un"].what == "unchanged"
    (conflict,) = said["id-un"].conflicts
    assert conflict.startswith(
        "resources.haies: the portal has a new table: take it in if it is wanted; here nothing, there "
    )
    assert "resource: nouveau" in conflict
    assert "haies" in values_of(text(folder, "drafts/deux.yaml"), "x")["resources"]


def test_two_harvests_of_one_portal_do_not_run_at_once(folder, portal, run):
    portal.list("un")
    run()
    (lock,) = (folder.root / "var/harvest").rglob("lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LakeError, match="another harvest of this portal"):
            run()
    run()


def test_a_slug_in_a_portal_is_no_path_in_the_lab(folder, portal, run):
    portal.list("un", slug="../../../evil", title="../../etc/passwd")
    said = run()
    assert said["id-un"].file == "drafts/evil.yaml"


def test_the_command_prints_a_table_and_a_summary_and_exits_with_1_if_anything_failed(folder, portal, run, datalab):
    portal.list("un", "deux")
    ran = datalab("harvest", portal.api.url)
    assert ran.code == 0
    assert "added Un" in " ".join(ran.out.split())
    assert "to do: contact, themes, keywords, licence" in " ".join(ran.out.split())
    assert f"{portal.api.url}/ (udata): 2 added, 0 changed, 0 gone, 0 unchanged, 0 failed" in ran.out
    portal.datasets[1]["title"] = ""
    again = datalab("harvest", portal.api.url, "--kind", "udata", "--dry-run")
    assert again.code == 1
    assert "nothing written; it would be: " in again.out
    assert "1 unchanged, 1 failed" in again.out
    report = json.loads(datalab("harvest", portal.api.url, "--json").out)
    assert report["summary"]["failed"] == 1
    assert [one["what"] for one in report["datasets"]] == ["unchanged", "failed"]
    assert (report["kind"], report["complete"]) == ("udata", True)


def test_the_command_says_what_it_cannot_do(folder, portal, run, datalab):
    assert "is no web address" in datalab("harvest", "nulle-part").err
    assert datalab("harvest", portal.api.url, "--kind", "socrata").code == 2
    assert datalab("harvest", portal.api.url, "--limit", "0").code == 2
    folder.write("datalab.toml", "")
    refused = datalab("harvest", portal.api.url)
    assert refused.code == 1
    assert "an inner address" in refused.err
