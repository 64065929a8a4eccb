from __future__ import annotations

import asyncio
import os
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh
import pytest
from fixtures_servers import PASSWORD

from catalog.sources import SftpSource
from ingest.settings import IngestSettings
from ingest.sources.sftp import fetch_sftp
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWED = IngestSettings(allow_hosts=("localhost",))


@dataclass
class Sftp:
    """An SFTP server: its files, its key, the key that it lets in, and the paths that were read."""

    root: Path
    port: int
    host_key: str
    client_key: str
    opened: list[str] = field(default_factory=list)
    on_read: list = field(default_factory=list)


class Door(asyncssh.SSHServer):
    """Who may come in."""

    def __init__(self, served: Sftp) -> None:
        self.served = served

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("lecteur", PASSWORD)

    def public_key_auth_supported(self):
        return True

    def validate_public_key(self, username, key):
        return username == "lecteur" and key == asyncssh.import_private_key(self.served.client_key).convert_to_public()


class Files(asyncssh.SFTPServer):
    """What is seen then."""

    def __init__(self, channel, served: Sftp) -> None:
        super().__init__(channel, chroot=str(served.root).encode())
        self.served = served

    def open(self, path, pflags, attrs):
        self.served.opened.append(path.decode())
        return super().open(path, pflags, attrs)

    def read(self, file_obj, offset, size):
        for one in self.served.on_read:
            one()
        return super().read(file_obj, offset, size)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Sftp]:
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    made = Sftp(
        tmp_path_factory.mktemp("sftp"),
        0,
        host.export_public_key().decode(),
        client.export_private_key().decode(),
    )

    async def listen():
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: Door(made),
            server_host_keys=[host],
            sftp_factory=lambda channel: Files(channel, made),
        )

    async def end():
        server.close()
        await server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    made.port = server.get_port()
    yield made
    asyncio.run_coroutine_threadsafe(end(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def sftp(served, monkeypatch) -> Sftp:
    """The server, with no file."""
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    for path in sorted(served.root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    served.opened.clear()
    served.on_read.clear()
    return served


@pytest.fixture
def get(sftp, tmp_path):
    def fetch(path: str, bounds: IngestSettings = ALLOWED, **changes: object):
        usual = {
            "sftp": "localhost",
            "port": sftp.port,
            "path": path,
            "user": "lecteur",
            "host_key": sftp.host_key,
            "password": "SFTP_PASSWORD",
        }
        return fetch_sftp(SftpSource(**{**usual, **changes}), tmp_path, bounds)

    return fetch


def put(sftp, path, content, when=1_700_000_000):
    target = sftp.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    os.utime(target, (when, when))


def refused(get, path, **changes):
    with pytest.raises(SourceError) as error:
        get(path, **changes)
    assert PASSWORD not in str(error.value)
    assert "BEGIN" not in str(error.value)
    return str(error.value)


def contents(fetched):
    return {part.name: part.path.read_bytes() for part in fetched.parts}


def test_a_file_is_fetched_whole_and_again_only_when_size_or_time_has_changed(sftp, get):
    body = os.urandom(10_000_000)
    put(sftp, "depot/a.csv", body)
    first = get("/depot/a.csv")
    assert contents(first) == {"a.csv": body}
    assert first.place == f"sftp://localhost:{sftp.port}/depot/a.csv"
    assert len(sftp.opened) == 1
    assert get("/depot/a.csv").sha256 == first.sha256
    assert len(sftp.opened) == 1
    put(sftp, "depot/a.csv", b"b" * 10_000_000, when=1_700_000_001)
    assert contents(get("/depot/a.csv")) == {"a.csv": b"b" * 10_000_000}


def test_a_copy_that_was_damaged_is_fetched_again(sftp, get):
    put(sftp, "a.csv", b"a\n1\n")
    get("/a.csv").parts[0].path.write_bytes(b"a\n9\n")
    assert contents(get("/a.csv")) == {"a.csv": b"a\n1\n"}


def test_a_glob_gives_every_match_and_fetches_the_changed_alone(sftp, get, tmp_path):
    for number in (1, 2, 3):
        put(sftp, f"depot/2024-{number}.csv", b"a")
    put(sftp, "depot/2023-1.csv", b"a")
    (sftp.root / "depot/2024-dossier.csv").mkdir()
    assert sorted(contents(get("/depot/2024-*.csv"))) == [f"/depot/2024-{number}.csv" for number in (1, 2, 3)]
    sftp.opened.clear()
    put(sftp, "depot/2024-2.csv", b"bb")
    (sftp.root / "depot/2024-3.csv").unlink()
    assert contents(get("/depot/2024-*.csv")) == {"/depot/2024-1.csv": b"a", "/depot/2024-2.csv": b"bb"}
    assert len(sftp.opened) == 1
    assert len(list((tmp_path / "files").iterdir())) == 2


def test_what_another_server_had_is_not_taken_for_this_one_s(sftp, get):
    bounds = IngestSettings(allow_hosts=("localhost", "127.0.0.1"))
    put(sftp, "a.csv", b"a")
    get("/a.csv", bounds=bounds)
    put(sftp, "a.csv", b"b")
    assert contents(get("/a.csv", bounds=bounds, sftp="127.0.0.1")) == {"a.csv": b"b"}


def test_a_private_key_opens_too(sftp, get, monkeypatch):
    monkeypatch.setenv("SFTP_KEY", sftp.client_key)
    put(sftp, "a.csv", b"a")
    assert contents(get("/a.csv", password=None, private_key="SFTP_KEY")) == {"a.csv": b"a"}


def test_another_server_s_key_is_refused_before_the_password_is_said(sftp, get):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    put(sftp, "a.csv", b"a")
    assert "host_key" in refused(get, "/a.csv", host_key=other)


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        ("/rien.csv", {}, "No such file"),
        ("/rien-*.csv", {}, "No matches found"),
        ("/dossier", {}, "is no file"),
        ("/doss*", {}, "no file matches"),
        ("/a.csv", {"user": "personne"}, "'personne' is refused"),
        ("/a.csv", {"password": "SFTP_WRONG"}, "'lecteur' is refused"),
        ("/a.csv", {"password": None}, "'lecteur' is refused"),
        ("/a.csv", {"password": "SFTP_NOT_SET"}, "SFTP_NOT_SET"),
        ("/a.csv", {"host_key": "AAAA"}, "host_key is no public key"),
        ("/a.csv", {"private_key": "SFTP_WRONG"}, "SFTP_WRONG holds no private key"),
    ],
)
def test_what_cannot_be_had_is_said(sftp, get, monkeypatch, path, changes, said):
    monkeypatch.setenv("SFTP_WRONG", f"not {PASSWORD}")
    put(sftp, "a.csv", b"a")
    (sftp.root / "dossier").mkdir()
    assert said in refused(get, path, **changes)


def test_a_server_that_is_down_inner_or_silent_is_refused(get):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        bounds = IngestSettings(allow_hosts=("localhost",), timeout=0.3)
        assert "not here in time" in refused(get, "/a.csv", port=port, bounds=bounds)
    assert "Connection refused" in refused(get, "/a.csv", port=port)
    assert "allow_hosts" in refused(get, "/a.csv", bounds=IngestSettings())


def test_more_bytes_or_files_than_allowed_are_refused_and_the_copies_stay(sftp, get):
    put(sftp, "a/1.csv", b"1" * 600)
    put(sftp, "a/2.csv", b"2" * 600)
    before = get("/a/*")
    small = IngestSettings(allow_hosts=("localhost",), max_bytes=1000)
    assert "max_bytes" in refused(get, "/a/*", bounds=small)
    few = IngestSettings(allow_hosts=("localhost",), max_files=1)
    assert "max_files" in refused(get, "/a/*", bounds=few)
    assert get("/a/*").sha256 == before.sha256


def test_a_folder_of_endless_files_is_not_listed_to_its_end(sftp, get):
    put(sftp, "a/1.csv", b"1")
    for number in range(97):  # with `.` and `..`, which are listed too
        put(sftp, f"a/{number}.txt", b"")
    few = IngestSettings(allow_hosts=("localhost",), max_files=1)
    assert list(contents(get("/a/*.csv", bounds=few))) == ["/a/1.csv"]
    put(sftp, "a/more.txt", b"")
    assert "a/*.csv: more than 100 entries are listed; name a smaller folder" in refused(get, "/a/*.csv", bounds=few)


def test_a_file_that_grows_while_it_is_read_is_refused(sftp, get):
    put(sftp, "a.csv", b"a\n")
    sftp.on_read.append(lambda: put(sftp, "a.csv", b"a\n1\n", when=1_700_000_009))
    assert "changed while it was fetched" in refused(get, "/a.csv")
