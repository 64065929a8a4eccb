"""The front door: who is let in, who is not, and that nothing of a login can be prepared by somebody else."""

from __future__ import annotations

import re

import pytest
from fixtures_hub import PASSWORD, xsrf


def test_a_user_signs_in_and_sees_the_portal_as_theirs(served):
    browser = served.login("ada")
    page = browser.get("/me/", follow_redirects=True)
    assert page.status_code == 200
    assert page.url.path == "/me/"
    assert "<strong>ada</strong>" in page.text
    assert page.headers["Cache-Control"] == "private, no-cache"


def test_what_is_granted_for_a_purpose_is_seen_when_it_is_stated_and_the_log_has_it(served):
    browser = served.login("ada")
    browser.get("/me/", follow_redirects=True)
    raw = "/data/irve/raw/bornes.csv"
    assert browser.get(raw).status_code == 404
    assert browser.get(f"/me{raw}").status_code == 404
    assert browser.get(f"/me/for/mobility{raw}").status_code == 200
    last = [event for event in served.audit("open") if event["door"] == "portal"][-1]
    assert (last["who"], last["purpose"], last["editions"][0]["edition"]) == ("user:ada", "mobility", "raw")


def test_the_hubs_pages_have_the_labs_name_and_speak_french_and_english(served):
    page = served.browser().get("/hub/login").text
    assert "<title>Lab</title>" in page or "DataLab" in page
    for said in ("Mot de passe — Password", "Se connecter — Sign in"):
        assert said in page
    assert "JupyterHub logo" not in page


def test_without_a_login_the_portal_is_as_public_as_before_and_sets_no_cookie(served):
    browser = served.browser()
    page = browser.get("/")
    assert page.status_code == 200
    assert 'href="/me/"' in page.text
    assert not browser.cookies
    assert browser.get("/me/").headers["Location"].startswith("/hub/api/oauth2/authorize?")
    assert browser.get("/me/data/irve/raw/bornes.csv", headers={"Accept": "text/csv"}).status_code == 401


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("ADA", PASSWORD),
        ("\u0430da", PASSWORD),  # a Cyrillic letter
        ("ada ", PASSWORD),
        ("ada\n", PASSWORD),
        ("a" * 10_000, PASSWORD),
        ("ada", "x" * 100_000),
        ("", ""),
    ],
    ids=lambda text: text[:12],
)
def test_a_wrong_password_and_a_name_that_only_looks_right_are_refused_alike(served, name, password):
    browser = served.browser()
    answer = served.try_login(browser, name, password)
    assert answer.status_code == 403
    assert "wrong name or password" in answer.text
    assert "jupyterhub-hub-login" not in browser.cookies
    if name.isascii() and name.isalpha() and name:
        served.login("ada")  # it was that alone, and the throttle forgets whom it finds right


def test_a_first_password_opens_nothing_but_the_page_where_another_is_chosen(served):
    browser = served.browser()
    page = served.try_login(browser, "new", served.first)
    assert "Nouveau mot de passe" in page.text
    assert "jupyterhub-hub-login" not in browser.cookies
    assert browser.get("/hub/home").status_code == 302
    form = {"username": "new", "password": served.first, "_xsrf": xsrf(page)}
    for new, again, why in (
        ("short", "short", "12 to 200 characters"),
        ("long enough 1", "long enough 2", "differ"),
        (served.first, served.first, "choose another"),
        ("i am new here all right", "i am new here all right", "holds the user"),
    ):
        refused = browser.post("/hub/password", data={**form, "new": new, "again": again})
        assert refused.status_code == 403
        assert why in refused.text
    done = browser.post("/hub/password", data={**form, "new": PASSWORD, "again": PASSWORD})
    assert done.status_code == 302
    assert browser.get("/hub/home").status_code == 200
    assert served.try_login(served.browser(), "new", served.first).status_code == 403
    served.login("new")


def test_the_first_password_is_nowhere_in_the_lab_and_no_password_is_in_a_log(served):
    for path in served.lab.var.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".log", ".sqlite", ".jsonl"}:
            content = path.read_bytes()
            assert served.first.encode() not in content, path
            assert PASSWORD.encode() not in content, path


def test_a_session_id_from_before_the_login_is_none_after_it(served):
    browser = served.browser()
    browser.cookies.set("jupyterhub-session-id", "fixed", domain="127.0.0.1", path="/")
    answer = served.try_login(browser, "ada", PASSWORD)
    assert answer.status_code == 302
    (given,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith("jupyterhub-session-id=")]
    assert re.match(r"jupyterhub-session-id=[0-9a-f]{32};", given)


def test_a_form_that_was_not_asked_for_here_is_refused(served):
    browser = served.browser()
    browser.get("/hub/login")
    answer = browser.post("/hub/login", data={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert "jupyterhub-hub-login" not in browser.cookies
    signed_in = served.login("ada")
    spawn = signed_in.post("/hub/spawn", data={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert spawn.status_code == 403
    assert signed_in.delete("/hub/api/users/ada/server").status_code == 403
    served.login("ada")  # with the token of the page it goes


@pytest.mark.parametrize(
    "where", ["//evil.example", "/\\evil.example", "https://evil.example/", "/%5Cevil.example", "javascript:alert(1)"]
)
def test_a_login_leads_to_no_other_site(served, where):
    browser = served.browser()
    answer = served.try_login(browser, "ada", PASSWORD, follow=f"?next={where}")
    assert answer.status_code == 302
    assert "evil" not in answer.headers["Location"].partition("?")[0].replace("/%5Cevil.example", "")
    assert answer.headers["Location"].startswith("/")
    assert not answer.headers["Location"].startswith(("//", "/\\"))


def test_the_portals_login_is_only_finished_in_the_browser_that_began_it(served):
    signed_in = served.login("ada")
    to_hub = signed_in.get("/me/")
    back = signed_in.get(to_hub.headers["Location"])
    callback = back.headers["Location"]
    assert callback.startswith("/me/callback?")
    other = served.browser()
    assert other.get(callback).status_code == 403
    assert "datalab-portal" not in other.cookies
    assert signed_in.get(callback).status_code == 303
    assert signed_in.get("/me/").status_code == 200


def test_the_portals_cookie_goes_to_no_sandbox(served):
    signed_in = served.login("ada")
    signed_in.get("/me/", follow_redirects=True)
    assert {cookie.path for cookie in signed_in.cookies.jar if cookie.name == "datalab-portal"} == {"/me"}
    shared = {cookie.name for cookie in signed_in.cookies.jar if cookie.path == "/"}
    assert shared == {"jupyterhub-session-id"}  # opens nothing


def test_who_signs_out_in_one_tab_is_out_in_the_other(served):
    browser = served.login("ada")
    browser.get("/me/", follow_redirects=True)
    assert browser.get("/me/").status_code == 200
    browser.get("/hub/logout")
    assert browser.get("/hub/home").status_code == 302
    again = served.until(lambda: (page := browser.get("/me/")).status_code == 303 and page)
    assert again.headers["Location"].startswith("/hub/api/oauth2/authorize?")
    assert browser.get("/hub/logout").status_code == 302


def test_who_fails_again_and_again_waits_and_others_do_not(served):
    browser = served.browser()
    answers = [served.try_login(browser, "sue", "wrong") for _ in range(7)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert "too many failures" in answers[-1].text


def test_logins_and_refusals_are_in_the_audit_log(served):
    events = [(event["who"], event["reason"]) for event in served.audit("login")]
    assert ("user:ada", "signed in") in events
    assert ("user:ada", "refused: wrong name or password") in events
    assert not any("nobody" in who for who, _ in events)
