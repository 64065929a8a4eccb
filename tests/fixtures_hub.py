"""A lab served as a person serves it: the real proxy, the real Hub, portal, gateway and sandboxes, on a free port.

`ada` is a partner, `bob` a researcher, `sue` a steward, `eve` in no group at all; all have the password PASSWORD, but
`new`, who has a first one. Whatever a module's tests start is ended with the module.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import websocket
from fixtures_sandbox import make_lab

from catalog.lab import Lab
from policies.audit.reading import told
from sandbox.hub import accounts
from sandbox.hub.held import Held
from sandbox.hub.launch import ended
from sandbox.hub.places import Places, places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[1]
PASSWORD = "a long enough phrase"  # noqa: S105  of users of a test
SECONDS = 90


@dataclass
class Served:
    """A lab that is served at `url` by the process `datalab`."""

    lab: Lab
    url: str
    datalab: subprocess.Popen
    first: str
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return places_of(self.lab)

    def browser(self, **headers: str) -> httpx.Client:
        """Somebody's browser: it keeps cookies, and follows no redirect by itself."""
        made = httpx.Client(base_url=self.url, timeout=SECONDS, headers=headers)
        self.clients.append(made)
        return made

    def login(self, name: str, password: str = PASSWORD, *, follow: str = "", browser=None) -> httpx.Client:
        """A browser in which somebody has signed in."""
        browser = browser or self.browser()
        answer = self.try_login(browser, name, password, follow=follow)
        assert answer.status_code == 302, answer.text
        return browser

    def try_login(self, browser, name: str, password: str, *, follow: str = "") -> httpx.Response:
        page = browser.get(f"/hub/login{follow}")
        return browser.post(f"/hub/login{follow}", data={"username": name, "password": password, "_xsrf": xsrf(page)})

    def start(self, browser, name: str, **chosen: str) -> httpx.Response:
        """Ask for a sandbox by the form, and wait until it is there or refused; the last answer."""
        answer = self.ask(browser, **chosen)
        if answer.status_code != 302:
            return answer
        page = self.until(lambda: self.there(browser, name))
        assert "JupyterLab" in page.text
        return page

    def ask(self, browser, **chosen: str) -> httpx.Response:
        """Send the form."""
        form = browser.get("/hub/spawn")
        assert form.status_code == 200, form.text
        where = re.search(r'action="([^"]+)"', form.text)[1].replace("&amp;", "&")
        return browser.post(where, data=chosen)

    def there(self, browser, name: str) -> httpx.Response | None:
        """The page of somebody's JupyterLab, once it answers."""
        answer = browser.get(f"/user/{name}/lab", follow_redirects=True)
        return answer if answer.url.path == f"/user/{name}/lab" and answer.status_code == 200 else None

    def until(self, tried: Callable[[], object], seconds: float = SECONDS):
        """What `tried` returns once it is something."""
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            with contextlib.suppress(httpx.TransportError):
                found = tried()
                if found:
                    return found
            time.sleep(0.1)
        raise AssertionError(self.logs())

    def stop(self, browser, name: str) -> None:
        """Stop somebody's sandbox, as its user."""
        token = xsrf(browser.get("/hub/home"))
        answer = browser.delete(f"/hub/api/users/{name}/server", headers={"X-XSRFToken": token})
        assert answer.status_code in {202, 204}, answer.text
        self.until(lambda: self.keeper(name) is None)

    def token(self, browser, name: str, *scopes: str) -> str:
        """A token of the Hub that a user makes; with what it may, or all that its user may."""
        asked = {"note": "test", **({"scopes": list(scopes)} if scopes else {})}
        guard = {"X-XSRFToken": xsrf(browser.get("/hub/home"))}
        made = browser.post(f"/hub/api/users/{name}/tokens", json=asked, headers=guard)
        assert made.status_code == 201, made.text
        return made.json()["token"]

    def run(self, name: str, token: str, code: str) -> str:
        """What Python says to this, in a kernel of somebody's sandbox."""
        with self._kernel(name, token) as channel:
            _ask(channel, code)
            return _said(channel)

    @contextlib.contextmanager
    def working(self, name: str, token: str, code: str) -> Iterator[None]:
        """While a kernel of somebody's sandbox does this."""
        with self._kernel(name, token) as channel:
            _ask(channel, code)
            yield

    @contextlib.contextmanager
    def _kernel(self, name: str, token: str) -> Iterator[websocket.WebSocket]:
        said = {"Authorization": f"token {token}"}
        kernels = f"{self.url}/user/{name}/api/kernels"
        made = httpx.post(kernels, headers=said, json={"name": "python3"}, timeout=SECONDS)
        assert made.status_code == 201, made.text
        kernel = made.json()["id"]
        where = f"{kernels.replace('http', 'ws', 1)}/{kernel}/channels"
        channel = websocket.create_connection(where, header=[f"Authorization: token {token}"], timeout=SECONDS)
        try:
            yield channel
        finally:
            channel.close()
            httpx.delete(f"{kernels}/{kernel}", headers=said, timeout=SECONDS)

    def keeper(self, name: str) -> Held | None:
        """The process that holds somebody's sandbox."""
        with contextlib.suppress(OSError):
            found = Held(**json.loads((self.places.sandbox(name) / "keeper.json").read_bytes()))
            return found if found.lives else None
        return None

    def child(self, word: str) -> int:
        """The process id of one of the children, by a word of its command."""
        children = Path(f"/proc/{self.datalab.pid}/task/{self.datalab.pid}/children").read_text().split()
        return next(int(pid) for pid in children if word in Path(f"/proc/{pid}/cmdline").read_text())

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-4000:]}" for path in self.places.logs.glob("*.log"))

    def audit(self, what: str) -> list[dict]:
        found = [one.event for one in told(self.lab.audit.folder)]
        return [json.loads(event.model_dump_json()) for event in found if event.what == what]


def _ask(channel: websocket.WebSocket, code: str) -> None:
    header = {"msg_id": "one", "username": "u", "session": "s", "msg_type": "execute_request", "version": "5.3"}
    asked = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "content": asked}
    channel.send(json.dumps(message))


def _said(channel: websocket.WebSocket) -> str:
    said = ""
    while True:
        told = json.loads(channel.recv())
        kind, content = told["msg_type"], told["content"]
        if told["parent_header"].get("msg_id") != "one":
            continue
        if kind == "stream":
            said += content["text"]
        elif kind == "error":
            said += "\n".join(content["traceback"])
        elif kind == "status" and content["execution_state"] == "idle":
            return said


def xsrf(page: httpx.Response) -> str:
    """The token that a page of the Hub has for its forms."""
    found = re.search(r'name="_xsrf" value="([^"]+)"', page.text) or re.search(r'xsrf_token: "([^"]+)"', page.text)
    assert found, page.text[:2000]
    return found[1]


def hub_lab(root: Path, extra: str = "", *, warm: int = 0) -> tuple[Lab, str]:
    """The lab of `make_lab` with accounts, and the first password of `new`; `warm` goes into [hub]."""
    section = f"[hub]\nwarm = {warm}\n"
    extra = extra.replace("[hub]\n", section) if "[hub]\n" in extra else f"{section}{extra}"
    make_lab(root, bounds='memory = "1GiB"\npids = 256\n')
    settings = root / "datalab.toml"
    text = settings.read_text().replace("bob = []", 'bob = ["researchers"]')
    settings.write_text(text.replace("eve = []", 'eve = []\nsue = ["stewards"]') + f"\n{extra}")
    lab = Lab.open(root)
    for name in ("ada", "bob", "eve", "sue"):
        accounts.add(lab, name)
        accounts.choose(lab, name, PASSWORD)
    return lab, accounts.add(lab, "new", ("partners",))


@contextlib.contextmanager
def serving(lab: Lab, first: str = "", *, port: int = 0, **environment: str) -> Iterator[Served]:
    """`datalab serve`, and at the end nothing that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "datalab", "--lab", str(lab.root), "serve", "--port", str(port)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served(lab, "", process, first)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read() + served.logs()
        served.url = line.split()[0].rstrip("/")
        yield served
    finally:
        for client in served.clients:
            client.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
            for known in (served.places.run / "s").glob("*/keeper.json"):
                ended(Held(**json.loads(known.read_bytes())), 20)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    """One served lab for all tests of a file."""
    lab, first = hub_lab(tmp_path_factory.mktemp("hub") / "lab", '[hub]\nask = "la cellule"\ngrace = 5\n')
    with serving(lab, first) as served:
        yield served
