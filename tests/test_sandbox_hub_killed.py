"""The Hub, the proxy, all of `datalab serve` killed: sandboxes go on, and are found again."""

from __future__ import annotations

import os
import signal

import httpx
import pytest
from fixtures_hub import SECONDS, serving


@pytest.fixture(scope="module")
def running(served):
    """A sandbox in which something was begun, and its user's token."""
    browser = served.login("bob")
    served.start(browser, "bob")
    token = served.token(browser, "bob")
    said = {"Authorization": f"token {token}"}
    made = httpx.post(f"{served.url}/user/bob/api/kernels", headers=said, json={"name": "python3"}, timeout=SECONDS)
    return served, said, made.json()["id"]


def kernels(served, said):
    """Once its sandbox answers."""
    where = f"{served.url}/user/bob/api/kernels"
    answer = served.until(lambda: (got := httpx.get(where, headers=said)).status_code == 200 and got)
    return [kernel["id"] for kernel in answer.json()]


@pytest.mark.parametrize("word", ["sandbox.hub.app", "configurable-http-proxy", "portal", "gateway"])
def test_a_child_that_is_killed_is_started_again_and_the_sandbox_goes_on(running, word):
    served, said, kernel = running
    before, keeper = served.child(word), served.keeper("bob")
    os.kill(before, signal.SIGKILL)
    served.until(lambda: (new := _child(served, word)) and new != before)
    assert kernels(served, said) == [kernel]
    assert served.keeper("bob") == keeper
    served.until(lambda: httpx.get(f"{served.url}/hub/login").status_code == 200)
    browser = served.login("bob")
    assert served.until(lambda: browser.get("/hub/home").status_code == 200)
    assert served.until(lambda: browser.get("/me/", follow_redirects=True).status_code == 200)
    model = httpx.get(f"{served.url}/hub/api/users/bob", headers=said, timeout=SECONDS).json()
    assert model["server"] == "/user/bob/"


def test_a_sandbox_that_dies_while_nobody_looks_is_told_to_be_gone_and_can_be_started_again(running):
    served, said, _ = running
    keeper = served.keeper("bob")
    keeper.signal(signal.SIGKILL)
    served.until(lambda: not keeper.lives)
    browser = served.login("bob")
    served.until(lambda: httpx.get(f"{served.url}/hub/api/users/bob", headers=said).json()["server"] is None)
    served.start(browser, "bob")
    assert kernels(served, said) == []
    assert served.keeper("bob") not in {None, keeper}


def test_all_of_it_ends_and_begins_again_around_a_sandbox_that_runs(running):
    served, said, _ = running  # the last test of this file: it ends what the others need
    keeper = served.keeper("bob")
    served.datalab.send_signal(signal.SIGTERM)
    served.datalab.communicate(timeout=60)
    assert served.datalab.returncode == 0
    assert keeper.lives
    with serving(served.lab) as second:
        assert kernels(second, said) == []  # it answers
        assert second.keeper("bob") == keeper
        second.stop(second.login("bob"), "bob")
        assert not keeper.lives


def _child(served, word):
    try:
        return served.child(word)
    except (StopIteration, OSError):
        return None
