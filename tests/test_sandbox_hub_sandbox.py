"""Sandboxes by the Hub: what is in one, what it may ask, and that two users cannot reach each other."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass

import httpx
import pytest
from fixtures_hub import SECONDS, Served, xsrf

from sandbox.airlock.store import Submissions

RAW = """
import http.client, os, socket, sys
def ask(path, method="GET", name="/run/datalab/hub.sock"):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(name)
    token = os.environ["JUPYTERHUB_API_TOKEN"]
    connection.request(method, path, headers={"Authorization": "token " + token})
    return connection.getresponse()
"""


@dataclass
class Two:
    """Two users, each with a browser, a token, and a sandbox that runs."""

    served: Served
    browser: dict[str, httpx.Client]
    token: dict[str, str]

    def run(self, name: str, code: str) -> str:
        return self.served.run(name, self.token[name], code)


@pytest.fixture(scope="module")
def two(served) -> Two:
    made = Two(served, {}, {})
    chosen = {"ada": {"project": "partners", "purpose": "mobility"}, "bob": {}}
    for name, choice in chosen.items():
        made.browser[name] = served.login(name)
        assert served.ask(made.browser[name], **choice).status_code == 302
    for name in chosen:
        served.until(lambda name=name: served.there(made.browser[name], name))
        made.token[name] = served.token(made.browser[name], name)
    return made


def test_a_sandbox_holds_what_its_user_was_granted_for_the_purpose_that_they_chose(two):
    listed = "import os; print(sorted(d + '/' + e for d in os.listdir('/data') if os.path.isdir('/data/' + d) "
    listed += "for e in os.listdir('/data/' + d)))"
    assert two.run("ada", listed).strip() == "['irve/open', 'irve/raw']"
    assert two.run("bob", listed).strip() == "['irve/open', 'secret/raw']"
    assert "['a', 'b', 'c']" in two.run("ada", "import lab; print(sorted(lab.table('irve@raw.bornes').df()['id']))")


def test_what_is_to_leave_is_taken_and_checked_while_the_sandbox_runs(two):
    two.run("ada", "import lab; open('t.csv', 'w').write('n\\n50\\n'); lab.release('t.csv', why='figure 1')")
    store = Submissions.of(two.served.lab)
    (made,) = two.served.until(lambda: [one for one in store.all() if one.state != "submitted"])
    assert (made.user, made.why) == ("ada", "figure 1")
    told = "import pathlib; print((pathlib.Path.home() / 'outbox' / 'answers.jsonl').read_text())"
    assert two.served.until(lambda: '"file": "t.csv"' in two.run("ada", told))


def test_the_audit_log_has_whence_a_sandbox_was_opened(two):
    opened = {event["who"]: event for event in two.served.audit("open") if event["door"] == "sandbox"}
    assert opened["user:ada"]["purpose"] == "mobility"
    assert opened["user:ada"]["origin"] == "127.0.0.1"
    assert opened["user:bob"]["purpose"] is None


def test_a_project_is_a_folder_that_its_group_shares_and_nobody_else_sees(two):
    assert two.run("ada", "open('/projects/partners/note', 'w').write('hello'); print('written')").strip() == "written"
    assert two.run("bob", "import os; print(os.path.exists('/projects'))").strip() == "False"
    folder = two.served.lab.var / "projects" / "partners"
    assert (folder / "note").read_text() == "hello"
    assert folder.stat().st_gid == (folder / "note").stat().st_gid


def test_nobodys_server_opens_to_another_user_or_their_token(two):
    for path in ("/user/ada/api/contents", "/user/ada/lab", "/user/ada/api/kernels"):
        answer = httpx.get(f"{two.served.url}{path}", headers={"Authorization": f"token {two.token['bob']}"})
        assert answer.status_code == 403, path
        browsed = two.browser["bob"].get(path, follow_redirects=True)
        assert browsed.status_code == 403, path
        own = httpx.get(f"{two.served.url}{path}", headers={"Authorization": f"token {two.token['ada']}"})
        assert own.status_code == 200, path  # the control: it is there, for ada


@pytest.mark.parametrize("name", ["ada%2F..%2Fbob", "bob/", "ADA", "ada%00", "..%2Fada"])
def test_a_crafted_server_name_is_nobody_elses(two, name):
    said = {"Authorization": f"token {two.token['bob']}"}
    for method, path in (
        ("POST", f"/hub/api/users/{name}/server"),
        ("POST", f"/hub/api/users/bob/servers/{name}"),
        ("DELETE", f"/hub/api/users/{name}/server"),
    ):
        answer = httpx.request(method, f"{two.served.url}{path}", headers=said, timeout=SECONDS)
        assert answer.status_code in {400, 403, 404, 405}, (method, path, answer.status_code, answer.text)
    assert two.served.keeper("ada") is not None


def test_a_user_can_do_nothing_at_the_hub_for_another(two):
    said = {"Authorization": f"token {two.token['bob']}"}
    for method, path in (
        ("DELETE", "/hub/api/users/ada/server"),
        ("POST", "/hub/api/users/ada/tokens"),
        ("GET", "/hub/api/users/ada"),
        ("GET", "/hub/api/users"),
        ("GET", "/hub/api/services"),
        ("POST", "/hub/api/users/mallory"),
        ("POST", "/hub/api/shutdown"),
        ("GET", "/hub/api/proxy"),
    ):
        answer = httpx.request(method, f"{two.served.url}{path}", headers=said, timeout=SECONDS)
        assert answer.status_code in {403, 404}, (path, answer.text)
    own = httpx.get(f"{two.served.url}/hub/api/users/bob", headers=said, timeout=SECONDS)
    assert own.json()["name"] == "bob"


def test_a_sandbox_may_ask_the_hub_whose_a_token_is_and_nothing_else(two):
    asked = f"{RAW}\nprint([ask(path).status for path in "
    asked += "['/hub/api/user', '/hub/api/users/ada', '/hub/api/users', '/hub/api', '/hub/login', '/']])"
    assert two.run("ada", asked).strip() == "[200, 403, 403, 200, 403, 403]"
    others = f"{RAW}\nprint([ask(path, 'POST').status for path in ['/hub/api/users/bob/activity', "
    others += "'/hub/api/users/ada/tokens', '/hub/api/users/ada/server', '/hub/api/users/ada/../bob/activity']])"
    assert two.run("ada", others).strip() == "[403, 403, 403, 403]"
    # The control: past the relay, a token that ada may paste into her notebook is told more
    stronger = f"{RAW}\nos.environ['JUPYTERHUB_API_TOKEN'] = {two.token['ada']!r}\n"
    assert two.run("ada", f"{stronger}print(ask('/hub/api/users/ada').status)").strip() == "403"
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(two.served.places.hub)), base_url="http://hub") as hub:
        told = hub.get("/hub/api/users/ada", headers={"Authorization": f"token {two.token['ada']}"})
        assert told.status_code == 200


def test_from_a_sandbox_no_other_socket_of_the_front_door_is_seen(two):
    walk = "import os; print(sorted(os.listdir('/run/datalab')), os.path.exists('/run/datalab-0'), "
    walk += "[n for n in ('proxy.sock', 'portal.sock') if os.path.exists('/run/datalab/' + n)])"
    assert two.run("bob", walk).strip() == "['hub.sock'] False []"
    replaced = "import os\ntry:\n os.unlink('/run/datalab/hub.sock')\nexcept OSError as e: print(e.strerror)"
    assert two.run("bob", replaced).strip() == "Read-only file system"
    ports = "import socket\ns = socket.socket()\ns.settimeout(3)\n"
    ports += f"print(s.connect_ex(('127.0.0.1', {two.served.url.rpartition(':')[2]})) != 0)"
    assert two.run("bob", ports).strip() == "True"


def test_the_files_of_another_are_not_there(two):
    two.run("ada", "open('/home/lab/mine', 'w').write('ada')")
    assert two.run("bob", "import os; print(os.path.exists('/home/lab/mine'))").strip() == "False"
    assert two.run("ada", "import os; print(os.path.exists('/home/lab/mine'))").strip() == "True"
    said = {"Authorization": f"token {two.token['ada']}"}
    for path in ("..%2F..%2Fbob%2F", "%2Fdata%2Fsecret", "../../bob"):
        got = httpx.get(f"{two.served.url}/user/ada/api/contents/{path}", headers=said, timeout=SECONDS)
        assert got.status_code in {400, 403, 404}, path


def test_what_is_revoked_is_gone_from_a_sandbox_that_runs_and_what_is_granted_is_there(two):
    policy = two.served.lab.root / "policies" / "secret.yaml"
    before = policy.read_text()
    there = "import os; print(os.path.exists('/data/secret/raw'))"
    assert [two.run(name, there).strip() for name in ("ada", "bob")] == ["False", "True"]
    os.kill(two.served.child("sandbox.hub.grants"), signal.SIGKILL)  # another takes its place
    try:
        policy.write_text(before.replace("user:bob", "user:ada"))
        two.served.until(lambda: [two.run(name, there).strip() for name in ("ada", "bob")] == ["True", "False"])
    finally:
        policy.write_text(before)
    two.served.until(lambda: [two.run(name, there).strip() for name in ("ada", "bob")] == ["False", "True"])


def test_the_download_buttons_are_off(two):
    said = {"Authorization": f"token {two.token['ada']}"}
    page = httpx.get(f"{two.served.url}/user/ada/lab", headers=said, timeout=SECONDS).text
    told = json.loads(page.partition('<script id="jupyter-config-data" type="application/json">')[2].partition("<")[0])
    assert {name for name in told["disabledExtensions"] if "download" in name} >= {
        "@jupyterlab/docmanager-extension:download",
        "@jupyterlab/filebrowser-extension:download",
    }


def test_a_files_settings_in_a_home_change_nothing_of_who_may_enter(two):
    two.run(
        "bob",
        "import os, pathlib; p = pathlib.Path('/home/lab/.jupyter'); p.mkdir(exist_ok=True); "
        "(p / 'jupyter_server_config.py').write_text('c.ServerApp.allow_unauthenticated_access = True\\n"
        'c.IdentityProvider.token = ""\\nc.ServerApp.identity_provider_class = "x"\\n\')',
    )
    two.served.stop(two.browser["bob"], "bob")
    two.served.start(two.browser["bob"], "bob")
    assert httpx.get(f"{two.served.url}/user/bob/api/contents", timeout=SECONDS).status_code == 403
    assert "jupyter_server_config.py" in two.run("bob", "import os; print(os.listdir('/home/lab/.jupyter'))")
    closed = [event for event in two.served.audit("close") if event["who"] == "user:bob"]
    assert len(closed) == 1


def test_who_has_no_role_for_a_sandbox_gets_none_and_others_errors_say_whom_to_ask(served):
    assert served.login("eve").get("/hub/spawn").status_code == 403
    steward = served.login("sue")
    assert steward.get("/hub/spawn").status_code == 403
    assert steward.get("/me/", follow_redirects=True).status_code == 200
    browser = served.login("bob")
    served.until(lambda: served.keeper("bob"))
    served.stop(browser, "bob")
    for wrong, why in (
        ({"purpose": "espionage"}, "'espionage' is not on offer to you"),
        ({"project": "../partners"}, "is not on offer to you"),
        ({"size": "huge"}, "is not on offer to you"),
    ):
        refused = served.ask(browser, **wrong)
        assert refused.status_code == 400, refused.text
        assert why in refused.text.replace("&#39;", "'")
        assert "la cellule" in refused.text
    token = xsrf(browser.get("/hub/home"))
    by_program = browser.post("/hub/api/users/bob/server", json={"project": "partners"}, headers={"X-XSRFToken": token})
    assert by_program.status_code == 400
    assert served.keeper("bob") is None
