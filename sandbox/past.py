"""The snapshots before the one at /data that a jail may read, too: for `as_of`, and to repeat what was cited.

    /data/<dataset>/<edition>/history.json                     what there is of each table, newest first
    /data/.past/<dataset>/<edition>/<resource>/<version>/…     their files

They lie apart, so that `/data/irve/open/bornes/*.parquet` stays exactly one snapshot. What today's policy would not
make the same way is not there, nor what lies before it: a moment in a gap would be answered by a wrong snapshot.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from catalog.history import unbroken
from policies.errors import LakeError
from sandbox.jail import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Granted, Lab
    from catalog.lake import Served
    from policies.errors import DatalabError

MOST_FILES = 300
"""So many files of the past are handed in at most, the newest first: each is a mount, and bubblewrap takes few."""

HISTORY = "history.json"
PAST = "/data/.past"
_DEPTH = 50


def past_of(
    lab: Lab, granted: tuple[Granted, ...], told: tuple[str, ...], left_out: Callable[[DatalabError], None]
) -> tuple[tuple[Mount, ...], dict[str, bytes]]:
    """The mounts and the generated files of what lies before the snapshots that `granted` names.

    Of each snapshot the fields `told` are said. `left_out` hears of a table whose history is damaged.
    """
    older = []
    for edition in granted:
        for resource in edition.current.resources:
            try:
                older.append((edition, resource, list(islice(unbroken(lab, edition, resource), 1, _DEPTH))))
            except LakeError as error:
                left_out(error)
    mounts: list[Mount] = []
    listed: dict[str, dict[str, list[dict[str, object]]]] = {}
    for edition, resource, served in _newest_first(older):
        files = lab.lake.files(edition.dataset, edition.edition, resource, served)
        if len(mounts) + len(files) > MOST_FILES:
            break
        folder = f"{PAST}/{edition.dataset}/{edition.edition}/{resource}/{served.version}"
        mounts += [Mount(path, f"{folder}/{path.name}") for path in files]
        fields = served.model_dump(mode="json")
        tables = listed.setdefault(f"/data/{edition.dataset}/{edition.edition}/{HISTORY}", {})
        tables.setdefault(resource, []).append({name: fields[name] for name in told})
    return tuple(mounts), {path: json.dumps(tables, ensure_ascii=False).encode() for path, tables in listed.items()}


def _newest_first(older: list[tuple[Granted, str, list[Served]]]) -> Iterator[tuple[Granted, str, Served]]:
    """The snapshot just before of every table, then the one before that, and so on."""
    for depth in range(_DEPTH):
        for edition, resource, found in older:
            if depth < len(found):
                yield edition, resource, found[depth]
