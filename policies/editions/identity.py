"""What names an edition's table and its pseudonyms: digests that change with what is published."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.editions.model import EditionTable


def pseudonymiser(key: bytes, dataset: str, edition: str) -> hashlib.blake2b:
    """A keyed BLAKE2b to copy and update with a value; its key is derived for this dataset and edition alone.

    Two editions, and so two partners, get different pseudonyms of the same value and cannot join on them; within one
    edition a value has the same pseudonym in every table. The digest has 16 bytes.
    """
    derived = hashlib.blake2b(f"{dataset}/{edition}".encode(), key=key, digest_size=32).digest()
    return hashlib.blake2b(key=derived, digest_size=16)


def definition(table: EditionTable) -> str:
    """Names what an edition keeps of a table: while it is the same, so is what may be seen of the same rows."""
    return hashlib.sha256(table.model_dump_json().encode()).hexdigest()


def fingerprint(table: EditionTable, raw: str, key: bytes) -> str:
    """Names what an edition's table was made of: its definition, the `raw` content and the key (by a digest of it).

    While it stays the same there is nothing to build again.
    """
    key_name = hashlib.blake2b(b"fingerprint", key=key, digest_size=8).hexdigest()
    material = f"{definition(table)}|{raw}|{key_name if table.pseudonymise else '-'}"
    return hashlib.sha256(material.encode()).hexdigest()
