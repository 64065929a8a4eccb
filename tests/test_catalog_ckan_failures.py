"""When CKAN fails, is killed, refuses, or is none: nothing is lost, nothing is written twice, and it is said."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fixtures_ckan import Between, whats

from catalog.ckan.pool import Pool
from catalog.settings import CkanSettings
from policies.errors import DatalabError, RemoteError

BROKEN = (500, "text/html", b"<h1>Server Error</h1>")


def test_what_fails_in_passing_is_tried_again(published):
    failures = [BROKEN, BROKEN]
    published.between.instead["package_create"] = lambda _: failures.pop() if failures else None
    assert published.run().summary == "4 created, 0 updated, 0 unchanged, 0 deleted"
    assert published.between.writes.count("package_create") == 4
    assert published.run().todo == ()


@pytest.mark.parametrize("answer", [BROKEN, "nothing"])
def test_a_call_that_was_carried_out_without_an_answer_is_not_made_again(published, answer):
    lost = {"package_create", "package_revise", "package_delete"}

    def lose(action):
        if action not in lost:
            return None
        lost.remove(action)
        return BROKEN if answer is BROKEN else Between.NOTHING

    published.between.after = lose
    published.run()
    assert published.between.writes.count("package_create") == 2
    published.describe("communes", title={"fr": "Les communes"})
    published.run()
    assert published.between.writes == ["package_revise"]
    (published.folder.root / "policies" / "communes.yaml").unlink()
    published.run(allow_deletions=True)
    assert published.between.writes == ["package_delete"]
    assert lost == set()
    assert published.run().todo == ()


def test_ckan_killed_halfway_is_named_and_the_next_run_makes_the_rest(published, ckan):
    for number in range(6):
        published.table(f"jeu{number}")
    created = []

    def kill(action):
        if action == "package_create":
            created.append(action)
            if len(created) == 3:
                ckan.stop_ckan()

    published.between.after = kill
    try:
        with pytest.raises(RemoteError) as caught:
            published.run()
    finally:
        ckan.start_ckan()
    assert f"{published.between.url}: CKAN cannot be reached" in str(caught.value)
    assert "of 10 changes; the next run makes the others" in str(caught.value)
    before = published.traces()[0]
    assert 3 <= len(before) < 8
    made = published.run()
    assert made.summary == f"{8 - len(before)} created, 0 updated, {2 + len(before)} unchanged, 0 deleted"
    after = published.traces()[0]
    assert {name: after[name] for name in before} == before
    assert published.run().todo == ()


def test_a_ckan_that_comes_back_while_it_is_waited_for_gets_the_rest(published, ckan):
    down = threading.Event()

    def kill(action):
        if action == "package_create" and not down.is_set():
            ckan.stop_ckan()
            down.set()

    published.between.after = kill
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(published.run, waits=(0.2,) * 500)
        assert down.wait(60)
        ckan.start_ckan()
        assert running.result().summary.startswith("4 created")
    assert sorted(published.call("package_list")) == ["bornes", "communes"]


def test_a_ckan_that_fails_on_everything_is_not_asked_two_thousand_times(published):
    for number in range(6):
        published.table(f"jeu{number}")
    published.between.instead["package_create"] = BROKEN
    with pytest.raises(RemoteError) as caught:
        published.run()
    assert f"{published.between.url}/api/action/package_create: CKAN failed (500" in str(caught.value)
    assert "CKAN failed on 3 in a row" in str(caught.value)
    assert "stopped after 2 of 10 changes; the next run makes the others" in str(caught.value)
    assert published.between.writes.count("package_create") <= 7 * 4
    assert published.call("package_list") == []
    published.between.instead.clear()
    assert published.run().summary == "8 created, 0 updated, 2 unchanged, 0 deleted"


def test_one_dataset_that_ckan_fails_on_keeps_no_other_from_being_published(published):
    published.between.instead["package_create"] = lambda body: BROKEN if body["name"] == "bornes" else None
    with pytest.raises(RemoteError, match=r"(?s)bornes: .*CKAN failed \(500.*the 3 other changes were made"):
        published.run()
    assert published.call("package_list") == ["communes"]


def test_no_more_calls_are_made_at_a_time_than_there_are_workers(published):
    for number in range(4):
        published.table(f"jeu{number}")
    published.folder.write("datalab.toml", "[ckan]\nworkers = 2\n")
    together = threading.Barrier(2, timeout=30)

    def meet(_):
        together.wait()

    published.between.instead["package_create"] = meet
    published.run()
    assert published.between.most_at_once == 2


def test_a_deleted_dataset_whose_organisation_was_purged_is_brought_back(published):
    published.run()
    before = published.show()
    for slug in ("communes", "bornes"):
        published.call("package_delete", id=slug)
    published.call("organization_purge", id="datalab")
    made = published.run()
    assert whats(made)["dataset communes"] == "create"
    after = published.show()
    assert (after["id"], after["state"], after["organization"]["name"]) == (before["id"], "active", "datalab")
    assert published.run().todo == ()


def test_what_was_purged_while_the_plan_was_carried_out_is_made_anew_or_left_away(published):
    published.run()
    published.describe("communes", title={"fr": "Les communes"})
    (published.folder.root / "policies" / "bornes.yaml").unlink()

    def purge(body):
        published.call("dataset_purge", id=body["match"]["id"] if "match" in body else body["id"])

    published.between.instead["package_revise"] = published.between.instead["package_delete"] = purge
    published.run(allow_deletions=True)
    assert published.show()["title"] == "Les communes"
    assert published.call("package_list") == ["communes"]
    published.between.instead.clear()
    assert published.run().todo == ()


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


def test_an_invalid_dataset_is_told_the_others_are_published_and_the_exit_code_is_1(published, ckan, datalab):
    published.folder.write("datasets/faux.yaml", "titre: faux\n")
    done = datalab("publish", **environment(ckan))
    assert done.code == 1
    assert "faux.yaml:1: unknown key 'titre'" in done.err
    assert "these were left as they are in CKAN, and none deleted" in done.err
    assert sorted(published.call("package_list")) == ["bornes", "communes"]


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
            Pool(CkanSettings(url=between.url), {"DATALAB_CKAN_TOKEN": "jeton-secret"})
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
            Pool(CkanSettings(url=between.url, timeout=0.2), {"DATALAB_CKAN_TOKEN": "jeton"})
    finally:
        hold.set()
        between.stop()


def test_an_error_is_of_the_houses_tree():
    with pytest.raises(DatalabError):
        Pool(CkanSettings(), {})
