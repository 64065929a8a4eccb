"""Two people in two real browsers: each works in their own sandbox, and neither reaches the other's."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from fixtures_hub import PASSWORD, SECONDS
from playwright.sync_api import sync_playwright
from test_sandbox_live import TO_ADA

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
MILLISECONDS = SECONDS * 1000

FETCHED = """async path => {
  const token = (document.cookie.match(/_xsrf=([^;]+)/) || ["", ""])[1];
  try {
    const got = await fetch(path, {credentials: "include", headers: {"X-XSRFToken": decodeURIComponent(token)}});
    return [got.status, (await got.text()).slice(0, 200)];
  }
  catch (error) { return [0, String(error)]; }
}"""


@pytest.fixture(scope="module")
def pages(served):
    """A page for each of two users, in a browser profile of its own, with JupyterLab open."""
    if not os.path.exists(CHROMIUM):  # noqa: PTH110  one look
        pytest.fail(f"{CHROMIUM}: no browser; `make servers-setup` installs one")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        opened = {}
        for name in ("ada", "bob"):
            context = browser.new_context(base_url=served.url, locale="fr-FR")
            context.set_default_timeout(MILLISECONDS)
            page = context.new_page()
            page.goto("/")
            page.click("text=Se connecter")
            page.fill("input[name=username]", name)
            page.fill("input[name=password]", PASSWORD)
            page.click("input[type=submit]")
            page.wait_for_url("**/me/")
            opened[name] = page
        for page in opened.values():
            page.click("text=Mon bac à sable")
            page.click("[type=submit]")
        for name, page in opened.items():
            page.wait_for_url(f"**/user/{name}/lab**")
            page.wait_for_selector("#jp-main-dock-panel", state="attached")
        yield opened
        browser.close()


def test_each_has_a_jupyterlab_and_is_named_at_the_portal(pages):
    for name, page in pages.items():
        other = page.context.new_page()
        other.goto("/me/")
        assert other.locator(f"strong:text-is('{name}')").count() == 1
        other.close()


def test_neither_page_nor_script_of_one_reaches_the_server_of_the_other(pages):
    ada = pages["ada"]
    for path in ("/user/bob/api/contents", "/user/bob/api/kernels", "/user/bob/lab", "/hub/api/users/bob"):
        status, text = ada.evaluate(FETCHED, path)
        assert status in {403, 404}, (path, text)
    for path in ("/user/ada/api/contents", "/user/ada/api/kernels"):
        assert ada.evaluate(FETCHED, path)[0] == 200, path  # the control: her own
    visit = ada.context.new_page()
    answer = visit.goto("/user/bob/lab")
    assert answer.status == 403
    visit.close()


def test_a_panel_shows_what_is_granted_now_the_room_that_is_left_and_that_the_sandbox_will_stop(pages, served):
    ada = pages["ada"]
    ada.click("[data-id=datalab-panel]")
    panel = ada.locator("#datalab-panel")
    panel.get_by_text("S’arrête après 60 min sans usage").wait_for()
    panel.get_by_text("Votre dossier").wait_for()
    panel.locator("summary", has_text="irve.bornes").click()
    assert panel.locator("details[open] li code").all_text_contents() == ["id"]
    policy = served.lab.root / "policies" / "secret.yaml"
    before = policy.read_text()
    policy.write_text(before + TO_ADA)
    panel.locator("summary", has_text="secret.").wait_for()
    policy.write_text(before)
    panel.locator("summary", has_text="secret.").wait_for(state="detached")
    notice = served.places.sandbox("ada") / "told" / "notice.json"

    def warned():  # the Hub takes the notice away, for the sandbox is in use
        notice.write_text(json.dumps({"stops": "2999-01-01T12:34:00+00:00", "why": "nobody has used it"}))
        notice.chmod(0o644)
        return ada.get_by_text("faute d’usage").count() == 2  # in the panel, and as a notification

    served.until(warned)
    notice.unlink(missing_ok=True)
    panel.get_by_text("faute d’usage").wait_for(state="detached")


def test_the_cookies_of_one_are_not_the_others_and_none_that_opens_anything_goes_to_a_sandbox(pages):
    cookies = {name: page.context.cookies() for name, page in pages.items()}
    values = {name: {cookie["value"] for cookie in own} for name, own in cookies.items()}
    assert values["ada"].isdisjoint(values["bob"])
    for name, own in cookies.items():
        for cookie in own:
            at_all = {"jupyterhub-session-id"}
            assert cookie["path"].startswith(("/hub/", "/me", "/user/")) or cookie["name"] in at_all, cookie
            assert cookie["httpOnly"] or cookie["name"] == "_xsrf", cookie
        seen = pages[name].evaluate("document.cookie")
        assert "login" not in seen
        assert "portal" not in seen


def test_a_cookie_that_one_page_sets_for_all_signs_nobody_in_as_another(pages, served):
    """Tossing: without hosts of their own, a sandbox's page may set cookies for the whole site."""
    ada, bob = pages["ada"], pages["bob"]
    stolen = next(one for one in ada.context.cookies() if one["name"] == "jupyterhub-session-id")
    bob.evaluate("value => { document.cookie = `jupyterhub-session-id=${value}; path=/user/bob/` }", stolen["value"])
    visit = bob.context.new_page()
    visit.goto("/me/")
    assert visit.locator("strong:text-is('bob')").count() == 1
    visit.close()
    assert bob.evaluate(FETCHED, "/user/ada/api/contents")[0] in {403, 404}


def test_who_signs_out_is_out_of_the_sandbox_and_the_portal(pages, served):
    visit = pages["bob"].context.new_page()
    visit.goto("/hub/logout")
    for path in ("/user/bob/lab", "/me/"):
        served.until(lambda path=path: visit.goto(path) and "/hub/login" in visit.url)
    visit.close()
    assert pages["ada"].evaluate(FETCHED, "/user/ada/api/contents")[0] == 200
