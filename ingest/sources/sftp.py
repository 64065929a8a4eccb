"""Files on an SFTP server whose key the steward has written down; fetched again only when size or time has changed."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import asyncssh

from ingest.sources import Fetched, fetched_file, fetched_files
from ingest.sources.copies import Copies
from ingest.sources.secret import secret
from ingest.sources.way import CONNECT, late, reached, said, too_many, too_much
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path, PurePath

    from catalog.sources import SftpSource
    from ingest.settings import IngestSettings

_CHUNK = 1 << 22
_LISTED = 100
"""Entries that may be listed for each file that may match."""
_FILES = {asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN}


def fetch_sftp(source: SftpSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the file, or all that match a glob, into `cache`; what is there already and is the same stays.

    Raises SourceError: another key than the descriptor's, password or private key refused, no such file, a file that
    changes as it is read, more than `max_files` or `max_bytes`, folders of far more files, or `timeout` seconds passed.
    """
    origin = f"sftp://{source.sftp}:{source.port}"
    place = f"{origin}/{source.path.removeprefix('/')}"
    visit = _Visit(source, place, Copies(cache, origin), settings)
    try:
        return asyncio.run(asyncio.wait_for(visit.fetch(), settings.timeout))
    except TimeoutError:
        raise late(place) from None
    except asyncssh.HostKeyNotVerifiable:
        raise SourceError(
            f"{place}: the server's key is not the descriptor's host_key: another server answers, or its key was "
            "renewed; ask its operator before you change it"
        ) from None
    except asyncssh.PermissionDenied:
        raise SourceError(f"{place}: {source.user!r} is refused; check user, password or private_key") from None
    except asyncssh.SFTPError as error:
        raise SourceError(f"{place}: the server says {said(error)}; check the path") from None
    except (asyncssh.Error, UnicodeError) as error:
        raise SourceError(f"{place}: cannot be fetched: {said(error)}") from None
    except OSError as error:
        raise SourceError(f"{place}: cannot be fetched into {cache}: {said(error)}") from None


@dataclass(frozen=True)
class _Visit:
    """One visit to the server."""

    source: SftpSource
    place: str
    copies: Copies
    settings: IngestSettings

    async def fetch(self) -> Fetched:
        source, copies = self.source, self.copies
        async with await self.connected() as connection, connection.start_sftp_client() as client:
            single = not any(mark in source.path for mark in "*?[")
            found = await self.one(client) if single else await self.found(client)
            await self.bring(client, found)
        copies.remember({path: _stamp(state) for path, state in found.items()})
        if single:
            return fetched_file(copies.path(source.path), posixpath.basename(source.path), self.place)
        return fetched_files([(copies.path(path), path) for path in found], self.place)

    async def connected(self) -> asyncssh.SSHClientConnection:
        """A connection to a checked address, whose key is the descriptor's; nothing of the operator's own account."""
        source = self.source
        try:
            trusted = asyncssh.import_public_key(source.host_key)
        except asyncssh.KeyImportError:
            raise SourceError(
                f"{self.place}: host_key is no public key; expected `ssh-ed25519 AAAA…`, as ssh-keyscan says it"
            ) from None
        try:
            keys = [] if source.private_key is None else [asyncssh.import_private_key(secret(source.private_key))]
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise SourceError(
                f"{self.place}: {source.private_key} holds no private key without a passphrase, as ssh-keygen writes it"
            ) from None
        password = None if source.password is None else secret(source.password)
        return await asyncssh.connect(
            source.sftp,
            source.port,
            sock=reached(source.sftp, source.port, self.settings, self.place),
            username=source.user,
            password=password,
            client_keys=keys or None,
            known_hosts=([trusted], [], []),
            x509_trusted_certs=None,
            config=None,
            agent_path=None,
            gss_host=None,
            login_timeout=min(self.settings.timeout, 3 * CONNECT),
        )

    async def one(self, client: asyncssh.SFTPClient) -> dict[str, asyncssh.SFTPAttrs]:
        """The file that the path names."""
        state = await client.stat(self.source.path)
        if state.type not in _FILES:
            raise SourceError(f"{self.place}: is no file; for all files of a folder write {self.source.path}/*")
        return {self.source.path: state}

    async def found(self, client: asyncssh.SFTPClient) -> dict[str, asyncssh.SFTPAttrs]:
        """The files that match the glob."""
        found: dict[str, asyncssh.SFTPAttrs] = {}
        self.bound_listing(client)
        for one in await client.glob_sftpname(self.source.path):
            path = str(one.filename)
            state = await client.stat(path)
            if state.type not in _FILES:
                continue
            found[path] = state
            if len(found) > self.settings.max_files:
                raise too_many(self.place, self.settings)
        if not found:
            raise SourceError(f"{self.place}: no file matches; check the path")
        return found

    def bound_listing(self, client: asyncssh.SFTPClient) -> None:
        """Let the client list no more than so many entries: its glob keeps all of them, matches or not."""
        listed, most, seen = client.scandir, _LISTED * self.settings.max_files, itertools.count(1)

        async def bounded(path: str | bytes | PurePath = ".") -> AsyncIterator[asyncssh.SFTPName]:
            async for entry in listed(path):
                if next(seen) > most:
                    raise SourceError(f"{self.place}: more than {most} entries are listed; name a smaller folder")
                yield entry

        client.scandir = bounded  # type: ignore[method-assign]  # its glob asks for nothing else

    async def bring(self, client: asyncssh.SFTPClient, found: dict[str, asyncssh.SFTPAttrs]) -> None:
        """Every file that is not here as it is there."""
        known = self.copies.remembered()
        left = self.settings.max_bytes
        for path, state in found.items():
            if path not in known or known[path] != _stamp(state):
                await self.bring_one(client, path, state, left)
            left -= self.copies.path(path).stat().st_size
            if left < 0:
                raise too_much(self.place, self.settings)

    async def bring_one(self, client: asyncssh.SFTPClient, path: str, state: asyncssh.SFTPAttrs, left: int) -> None:
        """One file, whole or not at all."""
        copy = self.copies.path(path)
        part = copy.with_suffix(".part")
        size = 0
        async with client.open(path, "rb") as remote:
            with part.open("wb") as file:
                while chunk := cast(bytes, await remote.read(_CHUNK, size)):
                    size += len(chunk)
                    if size > left:
                        raise too_much(self.place, self.settings)
                    file.write(chunk)
            after = await remote.stat()
        if _stamp(after) != _stamp(state) or size != after.size:
            raise SourceError(f"{self.place}: {path} changed while it was fetched; try again")
        part.replace(copy)


def _stamp(state: asyncssh.SFTPAttrs) -> str | None:
    """Another stamp, another content; None if the server does not say enough."""
    return None if state.size is None or state.mtime is None else f"{state.size} bytes, {int(state.mtime)}"
