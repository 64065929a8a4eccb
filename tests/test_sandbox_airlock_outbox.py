"""A hostile outbox: links, fifos, devices, other people's files. Each with the control that shows what would happen."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
from fixtures_airlock import GOOD
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import LakeError, SandboxError
from sandbox.airlock import beneath
from sandbox.airlock import collect as collecting
from sandbox.airlock.beneath import UnsafeFileError, open_beneath, open_file
from sandbox.airlock.outbox import Asked, parcel, plain

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"region;n\nsecret;120\n"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_bytes(SECRET)
    os.utime(path, (1, 1))
    return path


def link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def in_the_home(path: Path, secret: Path) -> Path:
    """The secret in the same filesystem: neither `..` nor a second name leads out of a home that has its own."""
    copy = path.parent.parent / ".secret.csv"
    copy.write_bytes(secret.read_bytes())
    os.utime(copy, (1, 1))
    return copy


def relative_link(path: Path, secret: Path) -> None:
    path.symlink_to(os.path.relpath(in_the_home(path, secret), path.parent))


def magic_link(path: Path, secret: Path) -> None:
    path.symlink_to(f"/proc/{os.getpid()}/root{secret}")


def hard_link(path: Path, secret: Path) -> None:
    os.link(in_the_home(path, secret), path)


def fifo(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def device(path: Path, secret: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def a_socket(path: Path, secret: Path) -> None:
    where = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{where}/{path.name}")
    os.close(where)


def sparse(path: Path, secret: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


KINDS = [link, relative_link, magic_link, hard_link, fifo, device, a_socket, sparse]


@pytest.mark.parametrize("inside", [False, True], ids=["by hand", "by lab.release"])
@pytest.mark.parametrize("make", KINDS)
def test_what_is_no_plain_file_of_its_own_is_not_taken(airlock, secret, make, inside):
    placed = airlock.put("ada", "t.csv", hand=not inside)
    placed.unlink()
    make(placed, secret)
    assert airlock.collect() == ()
    assert airlock.store.all() == ()
    assert not airlock.store.folder.joinpath("1").exists()
    (event,) = airlock.events()
    assert (event.what, event.who) == ("deny", "user:ada")
    assert airlock.answers("ada")[0]["state"] == "not taken"
    assert airlock.warned[0].startswith("ada: t.csv: ")
    assert airlock.collect() == ()  # it is put away, and told of once
    assert len(airlock.warned) == 1


@pytest.mark.parametrize("make", [link, relative_link, magic_link, hard_link])
def test_the_control_a_plain_open_would_have_read_it(airlock, secret, make):
    placed = airlock.outbox("ada") / "t.csv"
    make(placed, secret)
    assert placed.read_bytes() == SECRET


@pytest.mark.parametrize("which", ["home/outbox", "outbox/entry"])
def test_a_folder_that_is_a_link_is_not_entered(airlock, secret, which):
    folder = secret.parent / "elsewhere"
    folder.mkdir()
    (folder / "t.csv").write_bytes(SECRET)
    (folder / "request.json").write_text('{"why": "mine"}')
    os.utime(folder / "t.csv", (1, 1))
    outbox = airlock.outbox("ada")
    if which == "home/outbox":
        outbox.rmdir()
        outbox.symlink_to(folder)
    else:
        (outbox / "r1").symlink_to(folder)
    assert airlock.collect() == ()
    assert airlock.store.all() == ()
    assert "link" in airlock.warned[0] or "folder" in airlock.warned[0]
    assert sorted(path.name for path in folder.iterdir()) == ["request.json", "t.csv"]  # and nothing is moved


def test_an_answers_file_that_is_a_link_is_not_written_through(airlock, secret):
    outbox = airlock.outbox("ada")
    (outbox / "answers.jsonl").symlink_to(secret)
    airlock.take("ada")
    assert secret.read_bytes() == SECRET
    assert "not told" in airlock.warned[0]
    (outbox / "answers.jsonl").unlink()
    os.mkfifo(outbox / "answers.jsonl")
    assert airlock.approve(1).state == "released"  # it does not hang, and decides nothing


@pytest.mark.parametrize("place", ["sent", "refused"])
def test_a_place_to_put_files_away_that_is_a_link_moves_nothing_out(airlock, secret, place):
    elsewhere = secret.parent / "elsewhere"
    elsewhere.mkdir()
    (airlock.outbox("ada") / place).symlink_to(elsewhere)
    airlock.put("ada", "t.csv", hand=True)
    (airlock.outbox("ada") / "fifo").symlink_to(secret)
    airlock.collect()
    assert list(elsewhere.iterdir()) == []
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize("number", [10**9 + 1, 10**300, 7])
def test_words_about_a_number_that_none_can_have_hold_nobody_up(airlock, number):
    airlock.words("ada", answers=number)
    airlock.put("bob", "t.csv")
    (made,) = airlock.collect()
    assert (made.user, made.state) == ("bob", "checked")
    assert [path.name for path in airlock.outbox("ada").iterdir() if path.name.startswith("r1")] == []


def test_an_outbox_that_cannot_be_read_holds_nobody_up(airlock, monkeypatch):
    real = collecting.opened_outbox

    def broken(home, **given):
        if home.name == "ada":
            raise OSError(5, "Input/output error")
        return real(home, **given)

    monkeypatch.setattr(collecting, "opened_outbox", broken)
    airlock.put("ada", "t.csv")
    airlock.put("bob", "t.csv")
    (made,) = airlock.collect()
    assert made.user == "bob"
    assert "ada: " in airlock.warned[0]


def test_a_copy_that_is_damaged_holds_no_other_up(airlock, monkeypatch):
    real = collecting.checked

    def damaged(lab, store, submission):
        if submission.user == "ada":
            raise LakeError("the copy is damaged")
        return real(lab, store, submission)

    monkeypatch.setattr(collecting, "checked", damaged)
    airlock.put("ada", "t.csv")
    airlock.put("bob", "t.csv")
    assert [(one.user, one.state) for one in airlock.collect()] == [("ada", "submitted"), ("bob", "checked")]
    assert "the copy is damaged" in airlock.warned[-1]


def test_what_cannot_be_put_away_is_refused_once_and_few_of_it_at_a_time(airlock):
    (airlock.outbox("ada") / "refused").write_text("no folder")
    for number in range(45):
        (airlock.outbox("ada") / f"empty{number:02}").mkdir()
    denied = [len([one for one in airlock.events() if one.what == "deny"]) for _ in range(5) if not airlock.collect()]
    assert denied == [20, 40, 45, 45, 45]


def test_of_each_user_one_file_is_checked_at_a_time_where_many_are_looked_after(airlock):
    for name in ("a.csv", "b.csv"):
        airlock.put("ada", name, GOOD + name.encode() + b";900\n")
    airlock.put("bob", "c.csv")
    states = lambda: [one.state for one in airlock.store.all()]  # noqa: E731  asked twice
    collecting.collect(airlock.lab, airlock.warned.append, of={"ada", "bob"})
    assert states() == ["checked", "submitted", "checked"]
    collecting.collect(airlock.lab, airlock.warned.append, of={"ada", "bob"})
    assert states() == ["checked", "checked", "checked"]


def test_who_is_not_asked_for_keeps_their_files(airlock):
    airlock.put("ada", "t.csv")
    assert collecting.collect(airlock.lab, airlock.warned.append, of={"bob"}) == ()
    (made,) = collecting.collect(airlock.lab, airlock.warned.append, of={"ada"})
    assert made.user == "ada"


def test_a_file_that_becomes_a_link_between_the_look_and_the_opening_is_not_followed(tmp_path, secret, monkeypatch):
    target = tmp_path / "t.csv"
    target.write_bytes(GOOD)
    folder = os.open(tmp_path, os.O_RDONLY)
    real = beneath.open_beneath

    def swap(*given):
        target.unlink()
        target.symlink_to(secret)
        return real(*given)

    monkeypatch.setattr(beneath, "open_beneath", swap)
    with pytest.raises(UnsafeFileError, match="cannot be opened"):
        open_file(folder, "t.csv", 1000)
    monkeypatch.setattr(beneath, "open_beneath", lambda f, name, flags: os.open(name, flags, dir_fd=f))
    target.unlink()
    target.write_bytes(GOOD)
    os.close(open_file(folder, "t.csv", 1000))
    os.close(folder)


def test_nothing_above_the_folder_is_opened(tmp_path, secret):
    (tmp_path / "in").mkdir()
    folder = os.open(tmp_path / "in", os.O_RDONLY)
    for name in ("../secret.csv", str(secret), "/proc/self/exe"):
        with pytest.raises(OSError, match="Invalid cross-device|Too many levels"):
            open_beneath(folder, name, os.O_RDONLY)
    os.close(os.open("../secret.csv", os.O_RDONLY, dir_fd=folder))  # the control
    os.close(folder)


def test_a_kernel_without_openat2_lets_nothing_out(airlock, monkeypatch):
    airlock.put("ada", "t.csv")
    monkeypatch.setattr(beneath, "_OPENAT2", 4000)  # a call that no kernel has
    with pytest.raises(SandboxError, match="no openat2"):
        airlock.collect()
    assert airlock.store.all() == ()
    monkeypatch.undo()
    assert len(airlock.collect()) == 1


def test_a_file_that_changes_while_it_is_copied_is_not_taken(airlock, monkeypatch):
    path = airlock.put("ada", "t.csv")
    real, done = os.read, []

    def read(descriptor, size):
        chunk = real(descriptor, size)
        if chunk.startswith(b"region;n") and not done:
            done.append(path.write_bytes(GOOD + GOOD))
        return chunk

    monkeypatch.setattr("sandbox.airlock.copying.os.read", read)
    assert airlock.collect() == ()
    assert "changed while it was read" in airlock.warned[0]
    assert airlock.store.all() == ()


@pytest.mark.parametrize(
    "name", ["-x.csv", "é\u202evsc.csv", "a\nb.csv", "a\x1b[2J.csv", "x" * 120 + ".csv", "_t.csv", "\udcff.csv"]
)
def test_a_name_that_could_deceive_is_not_taken(airlock, name):
    airlock.put("ada", name, hand=True)
    assert airlock.collect() == ()
    assert airlock.store.all() == ()
    assert airlock.warned[0].isprintable()


@pytest.mark.parametrize(
    "request_",
    [
        "{}",
        '{"why": ""}',
        '{"why": "a", "state": "released"}',
        '{"why": "a", "editions": ["../raw"]}',
        '{"why": "a", "answers": -1}',
        "[" * 60_000,
        "{" + " " * 70_000 + "}",
        "\x00",
    ],
)
def test_a_request_that_says_something_else_is_not_taken(airlock, request_):
    path = airlock.put("ada", "t.csv")
    (path.parent / "request.json").write_text(request_)
    assert airlock.collect() == ()
    assert airlock.store.all() == ()
    assert len(airlock.answers("ada")) == 1


def test_a_request_with_two_files_or_none_is_not_taken(airlock):
    (airlock.put("ada", "t.csv").parent / "u.csv").write_bytes(GOOD)
    airlock.put("ada", "t.csv").unlink()
    assert airlock.collect() == ()
    assert len(airlock.warned) == 2


def test_one_users_outbox_that_cannot_be_read_does_not_stop_the_others(airlock, secret):
    outbox = airlock.outbox("ada")
    outbox.rmdir()
    outbox.symlink_to(secret.parent)
    airlock.put("bob", "t.csv")
    assert [one.user for one in airlock.collect()] == ["bob"]


def test_what_was_taken_is_only_for_us(airlock):
    airlock.take("ada")
    airlock.approve(1)
    for path in (airlock.lab.var, airlock.store.folder, airlock.store.folder / "1", airlock.store.releases):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert airlock.store.released(airlock.store.one(1)).stat().st_mode & 0o222 == 0


@given(st.text(max_size=80))
def test_a_strangers_text_is_one_printable_line(text):
    assert plain(text) == "" or plain(text).isprintable()


def test_an_entry_that_is_still_written_is_left_and_closed(airlock):
    outbox = airlock.outbox("ada")
    (outbox / "t.csv").write_bytes(GOOD)
    folder = os.open(outbox, os.O_RDONLY)
    assert parcel(folder, "t.csv", 1000) is None
    os.utime(outbox / "t.csv", (1, 1))
    found = parcel(folder, "t.csv", 1000)
    assert (found.name, found.asked) == ("t.csv", Asked(why="put there by hand"))
    found.close()
    os.close(folder)
