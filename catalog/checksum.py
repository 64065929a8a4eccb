"""The SHA-256 of a file that is served as the lake holds it: reckoned once, then remembered beside the lake.

A Parquet file of the lake never changes under its name, so what was reckoned of it stays true. It is kept in
`var/checksums/<dataset>/<edition>/<resource>`, one a table: that of the snapshot which is served.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from catalog.download import as_it_is

if TYPE_CHECKING:
    from catalog.entries import Entry
    from catalog.lab import Lab


def sha256(lab: Lab, entry: Entry, resource: str) -> str | None:
    """The hexadecimal SHA-256 of the Parquet download; None where that file is made when it is asked for.

    A gigabyte takes about a second the first time. Raises LakeError if the file is gone or has another size.
    """
    served = entry.current.resources[resource]
    if not as_it_is(served):
        return None
    (path,) = lab.lake.files(entry.slug, entry.edition, resource, served)
    kept = lab.var / "checksums" / entry.slug / entry.edition / resource
    try:
        name, known = kept.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        name = known = ""
    if name == path.name:
        return known
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_name(f".{uuid.uuid4().hex}.new")
    new.write_text(f"{path.name} {found}\n", encoding="ascii")
    new.replace(kept)
    return found
