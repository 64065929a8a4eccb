"""The front door's parts, each by itself: accounts, waiting, the relay, whose process it is, the choices."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from fixtures_hub import PASSWORD, hub_lab
from fixtures_sandbox import profile_for, run_profile
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import UsageError
from sandbox.hub import accounts, choices
from sandbox.hub.confusable import like, seen_as
from sandbox.hub.form import form
from sandbox.hub.held import Held, held
from sandbox.hub.logs import BoundedLog
from sandbox.hub.order import Order, read, written
from sandbox.hub.projects import project_of
from sandbox.hub.relay import Relay, allowed, judged
from sandbox.hub.settings import HubSettings
from sandbox.hub.throttle import FREE, LONGEST, Throttle
from sandbox.limits import Limits

GOOD = b"GET /hub/api/user HTTP/1.1\r\nHost: x\r\nAuthorization: token abc"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return hub_lab(tmp_path_factory.mktemp("parts") / "lab")[0]


@pytest.mark.parametrize("name", ["Ada", "\u0430da", "a" * 64, "a b", "../a", "", "1a", "ada\n", "everyone:x"])
def test_an_account_cannot_have_a_name_that_no_principal_can_have(lab, name):
    with pytest.raises(UsageError, match="is no name of a user or a group"):
        accounts.add(lab, name)


@pytest.mark.parametrize(("name", "other"), [("a-da", "ada"), ("b0b", "bob"), ("5ue", None), ("sve", None)])
def test_an_account_cannot_have_a_name_that_is_read_as_anothers(lab, name, other):
    if other is None:
        assert like(name, ["ada", "bob"]) is None
        return
    with pytest.raises(UsageError, match=f"'{name}' is read as '{other}', who is there already"):
        accounts.add(lab, name)


def test_names_that_look_alike_look_the_same():
    assert seen_as("barnier") == seen_as("bamier") == seen_as("barn-1er".replace("1", "i"))
    assert seen_as("ada") != seen_as("adam")


def test_an_account_is_made_once_and_groups_of_datalab_toml_stand_there(lab):
    with pytest.raises(UsageError, match="has an account already; `datalab user passwd ada`"):
        accounts.add(lab, "ada")
    with pytest.raises(UsageError, match="its groups stand in datalab.toml"):
        accounts.add(lab, "ada", ("stewards",))
    with pytest.raises(UsageError, match="'nobody' has no account"):
        accounts.remove(lab, "nobody")


def test_a_password_is_kept_as_argon2id_alone_and_a_new_one_ends_the_old(lab):
    first = accounts.add(lab, "kim", ("partners",))
    account = lab.people.accounts()["kim"]
    assert account.digest.startswith("$argon2id$")
    assert accounts.verified(lab, "kim", first) == account
    assert accounts.verified(lab, "kim", first + "x") is None
    assert accounts.verified(lab, "nobody", first) is None
    second = accounts.renew(lab, "kim")
    assert accounts.verified(lab, "kim", first) is None
    assert accounts.verified(lab, "kim", second).first
    for wrong in ("short", "x" * 201, "kim is my name, yes"):
        with pytest.raises(UsageError, match="password"):
            accounts.choose(lab, "kim", wrong)
    accounts.choose(lab, "kim", PASSWORD)
    assert not accounts.verified(lab, "kim", PASSWORD).first
    accounts.remove(lab, "kim")
    assert accounts.verified(lab, "kim", PASSWORD) is None


def test_the_commands_make_list_and_remove_accounts(folder, datalab):
    made = datalab("user", "add", "cyd", "--group", "partners")
    assert made.code == 0
    listed = datalab("user", "list").out
    assert "cyd" in listed
    assert "local, with a first password" in listed.replace("\n", " ")
    assert made.out.strip() not in listed
    assert datalab("user", "passwd", "cyd").out.strip() not in {"", made.out.strip()}
    assert datalab("user", "remove", "cyd").code == 0
    assert "cyd" not in datalab("user", "list").out
    again = datalab("user", "remove", "cyd")
    assert (again.code, "has no account" in again.err) == (1, True)
    shown = datalab("audit", "show", "--json").out
    assert shown.count('"account"') == 3
    assert made.out.strip() not in shown


def test_who_fails_waits_ever_longer_up_to_a_bound_and_what_is_kept_is_bounded():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(FREE - 1):
        throttle.failed("name:ada")
    assert throttle.wait("name:ada", "address:x") == 0
    waits = []
    for _ in range(12):
        throttle.failed("name:ada")
        waits.append(throttle.wait("name:ada"))
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST
    assert throttle.wait("name:bob") == 0
    now[0] += LONGEST
    assert throttle.wait("name:ada") == 0
    throttle.succeeded("name:ada")
    throttle.failed("name:ada")
    assert throttle.wait("name:ada") == 0
    for number in range(20_000):
        throttle.failed(f"name:{number}")
    assert len(throttle._failed) <= 10_000  # noqa: SLF001  a bound that nothing else shows


def test_the_relay_passes_on_what_a_jupyterlab_asks_written_anew():
    request = judged(GOOD, allowed("ada"))
    assert request.head() == (
        b"GET /hub/api/user HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nauthorization: token abc\r\n\r\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        GOOD.replace(b"/user", b"/users"),
        GOOD.replace(b"/user", b"/user/"),
        GOOD.replace(b"/user", b"/user?x"),
        GOOD.replace(b"/user", b"/user/../users"),
        GOOD.replace(b"/hub/api/user", b"http://hub/hub/api/user"),
        GOOD.replace(b"GET", b"DELETE"),
        GOOD.replace(b"GET", b"get"),
        GOOD.replace(b" HTTP/1.1", b""),
        GOOD.replace(b"/hub/api/user", b"/hub/api/%75ser"),
        GOOD + b"\r\nTransfer-Encoding: chunked",
        GOOD + b"\r\nContent-Length: 5\r\nContent-Length: 6",
        GOOD + b"\r\nContent-Length: -1",
        GOOD + b"\r\nContent-Length: 0x5",
        GOOD + b"\r\nContent-Length: 999999",
        GOOD + b"\r\n folded",
        GOOD + b"\nGET /hub/api/users HTTP/1.1",
        GOOD + b"\r\nX: \x00",
        b"POST /hub/api/users/bob/activity HTTP/1.1",
        b"",
    ],
)
def test_the_relay_lets_nothing_else_through(head):
    assert judged(head, allowed("ada")) is None


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_whatever_comes_the_relay_passes_on_one_request_of_its_list_or_none(before, after):
    for head in (before, GOOD + after, before + GOOD, GOOD.replace(b"token abc", b"token " + after)):
        request = judged(head, allowed("ada"))
        if request is not None:
            assert (request.method, request.path) in allowed("ada")
            assert request.head().count(b"\r\n\r\n") == 1
            assert request.head().count(b"HTTP/1.1") == 1 + head.partition(b"\r\n")[2].count(b"HTTP/1.1")


def test_a_hub_that_does_not_answer_is_told_and_the_next_request_is_served(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "relay"))
        listening.listen()
        Relay(listening, tmp_path / "hub", "ada").start()

        def ask(text: bytes) -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(tmp_path / "relay"))
                client.sendall(text)
                return client.recv(10_000)

        assert ask(GOOD + b"\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        assert ask(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
        with socket.socket(socket.AF_UNIX) as hub:
            hub.bind(str(tmp_path / "hub"))
            hub.listen()

            def answer() -> None:
                with hub.accept()[0] as connection:
                    connection.recv(10_000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            assert ask(GOOD + b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
            thread.join(20)


def test_a_process_is_known_by_its_start_so_that_no_other_is_taken_for_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = held(process.pid)
        assert known.lives
        reused = Held(known.pid, known.started - 1)
        assert not reused.lives
        reused.signal(signal.SIGKILL)
        assert process.poll() is None
        known.signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not known.lives  # dead, and not yet waited for
    known.signal(signal.SIGKILL)


def test_a_log_stays_small_and_keeps_the_newest(tmp_path):
    log = BoundedLog(tmp_path / "log", limit=1000)
    for number in range(1000):
        log.write(f"line {number}\n".encode())
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["log", "log.1"]
    assert all(path.stat().st_size <= 1000 for path in files)
    assert log.tail(1) == "line 999"
    log.write(b"x" * 5000 + b"end")
    assert (tmp_path / "log").stat().st_size == 1000
    assert log.tail().endswith("end")


def test_an_order_is_read_as_it_was_written(lab, tmp_path):
    order = Order(
        profile=profile_for(lab, "true"),
        limits=Limits(memory=1, pids=2, cpus=0.5),
        user="ada",
        folder=tmp_path,
        hub=tmp_path / "hub",
        base="/user/ada/",
        token="t",  # noqa: S106  of nobody
        log=tmp_path / "log",
        grace=1.5,
        lab=lab.root,
        purpose=None,
    )
    assert read(written(order)) == order


def test_on_offer_are_the_users_groups_the_purposes_of_grants_that_hold_and_the_labs_sizes(lab):
    settings = HubSettings.model_validate({"sizes": {"s": {"memory": "1GiB", "cpus": 1}}})
    assert choices.offer(lab, settings, "ada") == choices.Offer((None, "partners"), (None, "mobility"), ("s",))
    assert choices.offer(lab, HubSettings(), "eve") == choices.Offer((None,), (None,), (None,))
    page = form(choices.offer(lab, settings, "ada"), settings, "en")
    assert "1.0GiB of memory, 1 processor(s)" in page
    assert "Finalité" in form(choices.offer(lab, settings, "ada"), settings, "fr")


def test_a_purpose_whose_grant_has_ended_is_on_offer_no_more(tmp_path):
    lab, _ = hub_lab(tmp_path / "lab")
    policy = lab.root / "policies" / "irve.yaml"
    policy.write_text(policy.read_text().replace("2999-01-01", str(dt.datetime.now(dt.UTC).date())))
    assert choices.offer(lab, HubSettings(), "ada").purposes == (None,)


@pytest.mark.parametrize(
    "told", [{"size": "x"}, {"purpose": ["mobility", "mobility"]}, {"project": 3}, {"purpose": {"a": 1}}, {"uid": "0"}]
)
def test_what_is_not_on_offer_is_refused_whatever_it_is(lab, told):
    offer = choices.offer(lab, HubSettings(), "ada")
    if told == {"purpose": ["mobility", "mobility"]}:
        assert choices.chosen(offer, told).purpose is None  # two are none
        return
    with pytest.raises(UsageError, match="is not on offer to you|unknown option"):
        choices.chosen(offer, told)


def test_what_one_member_writes_into_a_project_another_changes_and_an_outsider_does_not(lab):
    mount, groups = project_of(lab, "partners", 1_900_000_000)
    assert project_of(lab, "partners", 1_900_000_000) == (mount, groups)

    def write(user: str, *, member: bool) -> str:
        shared = {"shared": (mount,), "groups": groups if member else ()}
        profile = profile_for(lab, "/bin/sh", "-c", f"echo {user} >> /projects/partners/note", user=user)
        return run_profile(type(profile)(**{**vars(profile), **shared})).err

    assert write("ada", member=True) == ""
    assert write("bob", member=True) == ""
    assert (mount.source / "note").read_text() == "ada\nbob\n"
    if os.geteuid() == 0:
        assert "Permission denied" in write("eve", member=False)
