"""From an outbox to a release: what is taken, who may decide, and that what leaves is what was reviewed."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from fixtures_airlock import GOOD, SMALL
from fixtures_sandbox import run

from policies.audit.origin import account
from policies.errors import DeniedError, DocumentError, LakeError, SandboxError, UsageError
from sandbox.airlock import judge as judging


def word_of(airlock) -> list[tuple]:
    return [(event.what, event.who, event.number, event.reason) for event in airlock.events()]


def test_a_good_file_goes_out_byte_for_byte_and_all_are_told(airlock):
    airlock.opened("ada", "irve/open", purpose="mobility")
    one = airlock.take("ada", why="for report 7", editions=["irve/open"])
    assert (one.number, one.state, one.user, one.rows, one.findings) == (1, "checked", "ada", 2, ())
    assert (one.could, one.purposes, one.needed) == (("irve/open",), ("mobility",), 1)
    out = airlock.approve(1, why="nobody is in it")
    assert out.state == "released"
    assert airlock.releases() == {"1/t.csv": GOOD}
    assert word_of(airlock) == [
        ("request", "user:ada", 1, "for report 7"),
        ("release", "anne", 1, "nobody is in it"),
    ]
    event = airlock.events()[-1]
    assert (str(event.editions[0]), event.purpose, event.sha256) == ("irve/open", "mobility", one.sha256)
    assert [line["state"] for line in airlock.answers("ada")] == ["submitted", "checked", "released"]
    assert airlock.answers("ada")[-1]["why"] == "nobody is in it"
    (lineage,) = (airlock.lab.var / "lineage/events.ndjson").read_text().splitlines()
    told = json.loads(lineage)
    assert [one["name"] for one in told["inputs"] + told["outputs"]] == ["irve/open", "releases/1/t.csv"]
    assert airlock.warned == []


def test_a_file_put_there_by_hand_counts_too_and_is_kept_for_its_owner(airlock):
    airlock.put("ada", "t.csv", hand=True)
    (one,) = airlock.collect()
    assert (one.name, one.why) == ("t.csv", "put there by hand")
    assert [path.read_bytes() for path in (airlock.outbox("ada") / "sent").iterdir()] == [GOOD]
    assert airlock.collect() == ()


def test_a_file_that_is_still_being_written_waits(airlock):
    (airlock.outbox("ada") / "t.csv").write_bytes(GOOD)
    assert airlock.collect() == ()
    assert (airlock.outbox("ada") / "t.csv").exists()


def test_what_a_sandbox_releases_arrives_with_its_reason_and_its_editions(lab, airlock):
    script = "import lab; open('t.csv', 'w').write('region;n\\nEst;120\\n'); lab.release('t.csv', why='for report 7')"
    assert run(lab, "/opt/venv/bin/python", "-c", script).code == 0
    (one,) = airlock.collect()
    assert (one.why, one.editions, one.could) == ("for report 7", ("irve/open",), ("irve/open",))
    airlock.speak(1, "ask", why="what is n?")
    answer = "import lab; lab.answer(1, 'charging points')"
    assert run(lab, "/opt/venv/bin/python", "-c", answer).code == 0
    (answered,) = airlock.collect()
    assert (answered.state, answered.said[-1].why) == ("answered", "charging points")
    assert run(lab, "/opt/venv/bin/python", "-c", "import lab; lab.withdraw(1, 'there is an error in it')").code == 0
    (withdrawn,) = airlock.collect()
    assert (withdrawn.state, withdrawn.said[-1].why) == ("withdrawn", "there is an error in it")
    assert not airlock.store.copy(1).exists()
    assert [event.what for event in airlock.events()] == ["request", "review", "review", "withdraw"]


def test_nobody_approves_their_own_by_name_or_by_account(lab, airlock):
    airlock.take("ada")
    for by in ("ada", "user:ada", "Ada"):
        with pytest.raises(DeniedError, match="ada's own"):
            airlock.approve(1, by)
    mine = airlock.store.one(1).model_copy(update={"user": account()})
    airlock.store.put(mine)
    with pytest.raises(DeniedError, match="own: somebody else"):
        airlock.approve(1, "anne")
    assert airlock.releases() == {}
    airlock.store.put(mine.model_copy(update={"user": "ada"}))
    assert airlock.approve(1, "anne").state == "released"  # the control


def two(airlock) -> None:
    airlock.lab.settings["airlock"] = {"two_reviewers": ["irve/raw"]}


def test_two_reviewers_are_two_persons(airlock):
    two(airlock)
    airlock.opened("ada", "irve/raw")
    assert airlock.take("ada").needed == 2
    assert airlock.approve(1, "anne").state == "in review"
    assert airlock.releases() == {}
    for by in ("anne", "user:anne", "ANNE "):
        with pytest.raises(DeniedError, match="needs another person"):
            airlock.approve(1, by)
    assert airlock.approve(1, "basile").state == "released"


def test_an_account_that_spoke_in_its_own_name_does_not_lend_it_to_another(airlock):
    two(airlock)
    airlock.opened("ada", "irve/raw")
    airlock.take("ada")
    airlock.approve(1, account())
    with pytest.raises(DeniedError, match="needs another person"):
        airlock.approve(1, "anne")
    assert airlock.releases() == {}


def test_what_could_have_been_read_counts_and_not_what_is_said(airlock):
    two(airlock)
    airlock.opened("ada", "irve/raw", "irve/open")
    assert airlock.take("ada", editions=["irve/open"]).needed == 2


def test_one_reviewer_is_enough_where_the_edition_is_not_named(airlock):
    two(airlock)
    airlock.opened("ada", "irve/open")
    assert airlock.take("ada").needed == 1


def test_an_edition_that_is_misspelt_in_the_settings_stops_the_airlock(airlock):
    airlock.lab.settings["airlock"] = {"two_reviewers": ["irve/rwa"]}
    airlock.put("ada", "t.csv")
    with pytest.raises(DocumentError, match="there is no edition 'irve/rwa'"):
        airlock.collect()
    assert airlock.releases() == {}


def test_a_check_that_found_something_is_named_or_nothing_leaves(airlock):
    one = airlock.take("ada", content=SMALL)
    assert [found.check for found in one.findings] == ["small-cells"]
    with pytest.raises(DeniedError, match="--despite small-cells"):
        airlock.approve(1)
    with pytest.raises(UsageError, match="found nothing"):
        airlock.approve(1, "anne", "small-cells", "rows")
    assert airlock.releases() == {}
    assert airlock.approve(1, "anne", "small-cells").said[-1].despite == ("small-cells",)
    assert airlock.releases() == {"1/t.csv": SMALL}


def test_a_threshold_is_that_of_the_strictest_edition_that_could_be_read(lab, airlock):
    path = lab.root / "policies/irve.yaml"
    kept = "bornes: {keep: [id]}"
    path.write_text(path.read_text().replace(kept, "bornes: {keep: [id], k: {at_least: 90, over: [id]}}"))
    airlock.opened("ada", "irve/open")
    assert [found.check for found in airlock.take("ada").findings] == ["small-cells"]


@pytest.mark.parametrize(
    ("name", "content", "check"),
    [("all.zip", b"PK\3\4", "kind"), ("t.csv", b"a;b\n1\n", "table"), ("t.csv", b"a\n\x1b[2J\n", "hidden")],
)
def test_what_a_check_stops_is_approved_by_nobody(airlock, name, content, check):
    airlock.take("ada", name, content)
    with pytest.raises(DeniedError, match=f"stopped by {check}"):
        airlock.approve(1, "anne", check)
    assert airlock.releases() == {}
    assert airlock.speak(1, "refuse", why="no such file").state == "refused"
    assert airlock.answers("ada")[-1]["findings"][0]["check"] == check


def test_a_copy_that_is_swapped_after_the_first_approval_is_refused_by_its_hash(airlock):
    two(airlock)
    airlock.opened("ada", "irve/raw")
    airlock.take("ada")
    airlock.approve(1, "anne")
    copy = airlock.store.copy(1)
    copy.chmod(0o600)
    copy.write_bytes(GOOD.replace(b"120", b"121"))
    with pytest.raises(DeniedError, match="not what was taken"):
        airlock.approve(1, "basile")
    assert airlock.releases() == {}
    assert airlock.events()[-1].what == "deny"
    copy.write_bytes(GOOD)
    copy.chmod(0o444)
    assert airlock.approve(1, "basile").state == "released"  # the control


def test_a_copy_that_is_swapped_behind_the_checks_is_refused_as_it_is_written_out(airlock, monkeypatch):
    airlock.take("ada")
    real = judging.judge

    def swapped(*given):
        found = real(*given)
        copy = airlock.store.copy(1)
        copy.chmod(0o600)
        copy.write_bytes(b"other")
        return found

    monkeypatch.setattr("sandbox.airlock.checking.judge", swapped)
    with pytest.raises(DeniedError, match="not what was taken"):
        airlock.approve(1)
    assert airlock.releases() == {}
    assert [event.what for event in airlock.events()] == ["request", "deny"]


def test_changing_the_file_in_the_outbox_after_it_was_taken_changes_nothing(airlock):
    path = airlock.put("ada", "t.csv", hand=True)
    airlock.collect()
    path.write_bytes(SMALL)
    airlock.approve(1)
    assert airlock.releases() == {"1/t.csv": GOOD}


def test_a_release_is_compared_with_all_that_left_of_the_same_datasets_whoever_took_it(airlock):
    airlock.opened("ada", "irve/open")
    airlock.opened("bob", "irve/raw")
    airlock.opened("eve", "secret/raw")
    airlock.take("ada")
    airlock.approve(1)
    less = GOOD.replace(b"120", b"117")
    one = airlock.take("bob", content=less)
    assert [(found.check, found.place) for found in one.findings] == [
        ("differencing", "release 1: n est: 117 and 120, n in all: 197 and 200")
    ]
    with pytest.raises(DeniedError, match="--despite differencing"):
        airlock.approve(2)
    assert "120" not in json.dumps(airlock.answers("bob"))  # it is not his to know
    assert airlock.take("eve", content=less).findings == ()  # the control: other data


def test_two_tables_that_wait_together_are_compared_when_the_second_is_approved(airlock):
    two(airlock)
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/raw")
    assert airlock.take("ada").findings == ()
    assert airlock.take("bob", content=GOOD.replace(b"120", b"117")).findings == ()
    airlock.approve(2, "anne")
    for by in ("anne", "basile"):
        airlock.approve(1, by)
    with pytest.raises(DeniedError, match="--despite differencing"):
        airlock.approve(2, "basile")
    assert airlock.store.one(2).approvals() == ()  # what was said before this was known counts no more
    assert airlock.approve(2, "basile", "differencing").state == "in review"
    assert sorted(airlock.releases()) == ["1/t.csv"]


def test_an_earlier_release_that_is_not_what_it_was_stops_what_would_be_compared_with_it(airlock):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada")
    airlock.approve(1)
    sketch, path = airlock.store.folder / "1/sketch.json", airlock.lab.var / "releases/1/t.csv"
    kept = sketch.read_bytes()
    sketch.write_bytes(kept.replace(b"120", b"900"))
    less = GOOD.replace(b"120", b"117")
    assert [found.check for found in airlock.take("bob", content=less).findings] == ["differencing"]
    assert sketch.read_bytes() == kept  # made again of what was released
    sketch.unlink()
    path.chmod(0o600)
    path.write_bytes(b"region;n\nEst;9000\n")
    airlock.put("bob", "u.csv")
    with pytest.raises(SandboxError, match="not what was released"):
        airlock.collect()
    path.unlink()
    with pytest.raises(SandboxError, match="the release 1 is gone"):
        airlock.collect()
    assert airlock.store.one(3).state == "submitted"
    path.write_bytes(GOOD)
    assert [one.state for one in airlock.collect()] == ["checked"]  # the control


def test_what_was_released_before_is_not_read_again(airlock):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada")
    airlock.approve(1)
    (airlock.lab.var / "releases/1/t.csv").unlink()
    less = GOOD.replace(b"120", b"117")
    assert [found.check for found in airlock.take("bob", content=less).findings] == ["differencing"]
    assert airlock.store.one(2).compared == (1,)


def test_a_damaged_sketch_that_has_its_hash_is_taken_for_no_table_without_counts(airlock):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada")
    airlock.approve(1)
    damaged = b"{}"
    one = airlock.store.one(1).model_copy(update={"sketch": hashlib.sha256(damaged).hexdigest()})
    airlock.store.put(one)
    airlock.store.put_sketch(one, damaged)
    assert [(one.check, one.severity) for one in airlock.take("bob").findings] == [("checks", "stop")]


def test_what_is_refused_or_taken_back_leaves_no_sketch(airlock):
    airlock.take("ada")
    airlock.take("ada", "u.csv")
    sketches = [airlock.store.folder / f"{number}/sketch.json" for number in (1, 2)]
    assert all(path.exists() for path in sketches)
    airlock.speak(1, "refuse")
    airlock.speak(2, "withdraw", "ada")
    assert not any(path.exists() for path in sketches)


def test_without_a_jail_nothing_is_checked_and_nothing_leaves(airlock, monkeypatch):
    monkeypatch.setattr("sandbox.command.unusable", lambda: "no bubblewrap here")
    airlock.put("ada", "t.csv")
    with pytest.raises(SandboxError, match="no bubblewrap"):
        airlock.collect()
    assert airlock.store.one(1).state == "submitted"
    with pytest.raises(UsageError, match="is submitted: it cannot approve"):
        airlock.approve(1)
    monkeypatch.undo()
    (one,) = airlock.collect()
    assert one.state == "checked"


def test_a_file_that_brings_the_checks_down_is_stopped(airlock):
    airlock.lab.settings["airlock"] = {"seconds": 0.01}
    one = airlock.take("ada")
    assert [(found.check, found.severity) for found in one.findings] == [("checks", "stop")]
    airlock.lab.settings["airlock"] = {}
    assert airlock.approve(1).state == "released"  # it is checked anew


def test_what_the_audit_log_cannot_be_told_does_not_happen(airlock, monkeypatch):
    airlock.take("ada")

    def full(_):
        raise LakeError("the disk is full")

    monkeypatch.setattr(airlock.lab.audit, "write", full)
    with pytest.raises(LakeError):
        airlock.approve(1)
    with pytest.raises(LakeError):
        airlock.speak(1, "refuse")
    assert airlock.releases() == {}
    assert airlock.store.one(1).state == "checked"


def test_a_refused_file_is_deleted_and_its_hash_stays(airlock):
    one = airlock.take("ada")
    airlock.speak(1, "refuse", why="too fine")
    assert not airlock.store.copy(1).exists()
    assert airlock.store.one(1).sha256 == one.sha256
    assert (airlock.answers("ada")[-1]["state"], airlock.answers("ada")[-1]["why"]) == ("refused", "too fine")


def test_only_the_requester_answers_and_withdraws(airlock):
    airlock.take("ada")
    airlock.speak(1, "ask", why="what is n?")
    for word in ("answer", "withdraw"):
        with pytest.raises(DeniedError, match="only they"):
            airlock.speak(1, word, "bob")
    airlock.put("bob", "nothing.csv").unlink()
    (folder,) = airlock.outbox("bob").iterdir()
    (folder / "request.json").write_text(json.dumps({"why": "mine", "answers": 1}))
    assert airlock.collect() == ()
    assert airlock.answers("bob")[-1]["state"] == "not taken"
    assert airlock.store.one(1).state == "asked"
    assert airlock.speak(1, "answer", "ada").state == "answered"
    assert airlock.speak(1, "withdraw", "ada").state == "withdrawn"


@pytest.mark.parametrize("why", ["", " ", "a\nb", "x" * 251, "\x1b[2J"])
def test_a_reason_is_one_line(airlock, why):
    airlock.take("ada")
    with pytest.raises(UsageError, match="--why"):
        airlock.approve(1, why=why)


def test_a_user_has_so_many_files_waiting_and_no_more(airlock):
    airlock.lab.settings["airlock"] = {"waiting": 2}
    for number in range(4):
        airlock.put("ada", f"t{number}.csv", GOOD + b"Nord;%d0\n" % (number + 10))
    assert len(airlock.collect()) == 2
    assert "the others stay" in airlock.warned[0]
    airlock.speak(1, "refuse")
    assert len(airlock.collect()) == 1


def test_who_has_too_many_files_waiting_can_take_one_back(airlock):
    airlock.lab.settings["airlock"] = {"waiting": 1}
    airlock.take("ada")
    airlock.put("ada", "u.csv")
    airlock.words("ada", withdraws=1)
    assert sorted((one.number, one.state) for one in airlock.collect()) in (
        [(1, "withdrawn")],
        [(1, "withdrawn"), (2, "checked")],
    )
    airlock.collect()
    assert [one.state for one in airlock.store.all()] == ["withdrawn", "checked"]


@pytest.mark.parametrize("number", [1, 7])
def test_nobody_takes_back_what_is_anothers_or_not_there(airlock, number):
    airlock.take("ada")
    airlock.words("bob", withdraws=number)
    assert airlock.collect() == ()
    assert airlock.answers("bob")[-1]["state"] == "not taken"
    assert airlock.store.one(1).state == "checked"


def during_check(monkeypatch, airlock, act) -> None:
    """`act` is done, in a process of its own as it were, while the next check runs."""
    real, done = judging.judge, []

    def judge(*given):
        found = real(*given)
        if not done:
            done.append(True)
            acting = threading.Thread(target=act)
            acting.start()
            acting.join(30)
            assert not acting.is_alive(), "a check keeps others from their turn"
        return found

    monkeypatch.setattr("sandbox.airlock.checking.judge", judge)


def test_two_that_are_approved_at_once_are_compared_all_the_same(airlock, monkeypatch):
    for user in ("ada", "bob"):
        airlock.opened(user, "irve/open")
    airlock.take("ada")
    airlock.take("bob", content=GOOD.replace(b"120", b"117"))
    during_check(monkeypatch, airlock, lambda: airlock.approve(1))
    with pytest.raises(DeniedError, match="--despite differencing"):
        airlock.approve(2)
    assert sorted(airlock.releases()) == ["1/t.csv"]


@pytest.mark.parametrize("word", ["refuse", "ask"])
def test_a_word_that_falls_while_a_file_is_checked_counts(airlock, monkeypatch, word):
    airlock.take("ada")
    during_check(monkeypatch, airlock, lambda: airlock.speak(1, word))
    with pytest.raises(UsageError, match="cannot approve"):
        airlock.approve(1)
    assert airlock.releases() == {}
    assert [event.what for event in airlock.events()][1:] == [{"refuse": "refuse", "ask": "review"}[word]]


def test_a_file_that_is_taken_back_while_it_is_checked_stays_taken_back(airlock, monkeypatch):
    airlock.put("ada", "t.csv")
    during_check(monkeypatch, airlock, lambda: airlock.speak(1, "withdraw", "ada"))
    assert [one.state for one in airlock.collect()] == ["withdrawn"]
    assert airlock.store.one(1).state == "withdrawn"
    assert not (airlock.store.folder / "1/sketch.json").exists()


def test_an_airlock_in_which_others_decide_all_the_time_says_so(airlock, monkeypatch):
    airlock.take("ada")
    monkeypatch.setattr("sandbox.airlock.checking.Checked.holds", lambda *_: False)
    with pytest.raises(LakeError, match="others decide all the time"):
        airlock.approve(1)
    assert airlock.releases() == {}


def test_a_job_that_was_killed_before_it_put_the_file_away_takes_it_once(airlock, monkeypatch):
    monkeypatch.setattr("sandbox.airlock.collect.put_away", lambda *_: None)
    airlock.put("ada", "t.csv")
    airlock.collect()
    airlock.collect()
    assert [one.number for one in airlock.store.all()] == [1]
