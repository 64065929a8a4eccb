"""The sketches of what was released before, as the checks of a new file are given them.

Each was made when its table was checked, and lies beside the record, which has its SHA-256. One that is gone or is
another is made again from the released bytes, in the jail.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from policies.errors import DeniedError, SandboxError
from sandbox.airlock.judge import judge
from sandbox.airlock.release import check_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.lab import Lab
    from sandbox.airlock.store import Submissions
    from sandbox.airlock.submission import Submission


def sketches(lab: Lab, store: Submissions, releases: Sequence[Submission]) -> bytes:
    """A line each, as `checks/` reads them. Raises SandboxError where one is gone and cannot be made again."""
    found = []
    for one in releases:
        kept = store.sketch(one)
        found.append(b"%d %s\n" % (one.number, _made_again(lab, store, one) if kept is None else kept))
    return b"".join(found)


def _made_again(lab: Lab, store: Submissions, one: Submission) -> bytes:
    path = store.released(one)
    if not path.is_file():
        raise SandboxError(f"{path}: the release {one.number} is gone, and nothing can be compared with it; restore it")
    judged = judge(lab, path, one, {"at_least": 2, "dominance": 1, "known": []}, b"")
    try:
        check_same(one, judged.sha256)
    except DeniedError:
        raise SandboxError(
            f"{path}: is not what was released, so nothing can be compared with it; restore the release {one.number}"
        ) from None
    again = one.model_copy(update={"sketch": hashlib.sha256(judged.sketch).hexdigest()})
    store.put_sketch(again, judged.sketch)
    store.put(again)
    return judged.sketch
