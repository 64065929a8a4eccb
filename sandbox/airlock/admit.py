"""The way in: somebody asks that a file of theirs enters a user's sandbox, and another person lets it.

What comes in is not checked for what it tells: it is the asker's. It is bounded, hashed, shown and decided on like what
goes out, by the same words, and then lies in the user's `~/inbox/`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from policies.audit.event import LONGEST
from policies.errors import LakeError, UsageError
from sandbox.airlock import told
from sandbox.airlock.beneath import UnsafeFileError, open_beneath, open_file
from sandbox.airlock.copying import copied
from sandbox.airlock.outbox import check_name, opened_outbox
from sandbox.airlock.release import check_same
from sandbox.airlock.settings import AirlockSettings
from sandbox.airlock.store import Submissions
from sandbox.airlock.submission import Submission
from sandbox.homes import check_room, home_of
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lab import Lab
    from sandbox.airlock.speaker import Speaker

_CHUNK = 1 << 20


def admit(lab: Lab, path: Path, user: str, *, by: Speaker, why: str) -> Submission:
    """Ask that a copy of a file is let into the sandboxes of a user.

    Raises UsageError for an unknown user, a reason that is no line, or what is no plain file within [airlock] size.
    """
    settings = lab.section("airlock", AirlockSettings)
    lab.people.of_user(user)
    if not 1 <= len(why.strip()) <= LONGEST - 50 or not why.isprintable():
        raise UsageError(f"--why: expected one line of 1 to {LONGEST - 50} characters")
    check_room(lab, lab.section("sandbox", SandboxSettings).free)
    store = Submissions.of(lab)
    if sum(one.user == user for one in store.waiting()) >= settings.waiting:
        raise UsageError(f"{user}: so many files wait already as [airlock] waiting allows ({settings.waiting})")
    try:
        check_name(path.name)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            file = open_file(folder, path.name, int(settings.size))
        finally:
            os.close(folder)
        with store.hold(), os.fdopen(file, "rb"):
            number = store.next_number()
            size, sha256 = copied(file, store.copy(number), int(settings.size), path.name)
            made = Submission(
                number=number,
                user=user,
                name=path.name,
                size=size,
                sha256=sha256,
                why=why,
                taken=dt.datetime.now(dt.UTC).replace(microsecond=0),
                state="checked",
                direction="in",
                asker=by.name,
            )
            lab.audit.write(told.step("request", made, by=by, why=f"let in: {why}"))
            store.put(made)
    except (OSError, UnsafeFileError) as error:
        raise UsageError(f"{path}: {error}") from None
    return made


def put_in(lab: Lab, copy: Path, submission: Submission, before: Callable[[], None]) -> None:
    """Write the copy into the user's `~/inbox/`, if it has the hash that was reviewed; as `put_out`.

    A file of the same name stays, and the new one has its number before. Raises LakeError where the inbox is no folder.
    """
    home, _ = home_of(lab, submission.user, lab.section("sandbox", SandboxSettings))
    try:
        with opened_outbox(home, make=True, name="inbox") as inbox:
            new = f".{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOCTTY
            try:
                with os.fdopen(open_beneath(inbox, new, flags, 0o600), "wb") as file, copy.open("rb") as source:
                    digest = hashlib.sha256()
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                    check_same(submission, digest.hexdigest())
                    before()
                    owner = os.fstat(inbox)
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                taken = submission.name in os.listdir(inbox)  # noqa: PTH208  a descriptor
                name = f"{submission.number}-{submission.name}" if taken else submission.name
                os.rename(new, name, src_dir_fd=inbox, dst_dir_fd=inbox)
            except BaseException:
                os.unlink(new, dir_fd=inbox)
                raise
    except (OSError, UnsafeFileError) as error:
        raise LakeError(f"{home / 'inbox'}: cannot be written: {error}") from None
