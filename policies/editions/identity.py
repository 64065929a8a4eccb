"""What names an edition's table: digests that change with what is published; and the keys of its pseudonyms."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.editions.model import EditionTable

_FIRST = frozenset({"keep", "pseudonymise", "generalise", "where"})
"""What every definition tells. A key that came later is told where it says something, so that older digests hold;
`drop` never: it says what is not there anyway."""


def definition(table: EditionTable) -> str:
    """Names what an edition keeps of a table: while it is the same, so is what may be seen of the same rows."""
    later = type(table).model_fields.keys() - _FIRST
    silent: dict[str, Any] = {name: True for name in later if name == "drop" or not getattr(table, name)}
    if table.anonymity is not None and table.anonymity.of is None:
        silent["anonymity"] = {"of"}
    return hashlib.sha256(table.model_dump_json(exclude=silent).encode()).hexdigest()


def made_with(table: EditionTable, key: bytes, zones: Mapping[str, str]) -> dict[str, str]:
    """What a table was made with beside its definition, as its receipt keeps it: the key's name (a digest, which tells
    nothing of the key), which tables gave the zones, and whether its rows were put in an order of their own.
    """
    named = {f"zones.{name}": said for name, said in sorted(zones.items()) if name in table.generalise.values()}
    # Not of the definition: no door closes before the next ingest has built again what stands in the source's order.
    # What stands so in the past is unlike what that ingest builds, and no longer read: it could be joined by row number
    named |= {"order": "values"} if table.ordered else {}
    return (
        {"key": hashlib.blake2b(b"fingerprint", key=key, digest_size=8).hexdigest(), **named}
        if table.pseudonymise
        else named
    )


def alike(receipt: Mapping[str, Any], served: Mapping[str, Any]) -> bool:
    """Whether a snapshot was made as the served one was, by their receipts: the same definition, key and zones.

    Needs no key, so every door can ask. What does not tell how it was made is unlike all that does: after a new key no
    older pseudonym is read, also where nobody knows which key made it.
    """
    return all(receipt.get(one) == served.get(one) for one in ("definition", "made_with"))


def fingerprint(definition: str, made: Mapping[str, str], raw: str, contents: Mapping[str, str]) -> str:
    """Names what an edition's table was made of: its definition, what it was made with, the `raw` content, and the
    contents of the tables of zones.

    While it stays the same there is nothing to build again.
    """
    beside = "".join(f"|{name}={said}" for name, said in sorted({**made, **contents}.items()) if name != "key")
    material = f"{definition}|{raw}|{made.get('key', '-')}{beside}"
    return hashlib.sha256(material.encode()).hexdigest()


def scope_of(table: EditionTable, dataset: str, edition: str) -> str:
    """What a table's pseudonyms are made for: its purpose, or this dataset and edition alone."""
    return f"{dataset}/{edition}" if table.purpose is None else f"purpose:{table.purpose}"


def pseudonymiser(key: bytes, scope: str) -> hashlib.blake2b:
    """A keyed BLAKE2b (RFC 7693) to copy and update with a value; its key is derived for this scope alone.

    Within one scope a value has the same pseudonym in every table; of two scopes, and so two partners, nobody can join
    them. The digest has 16 bytes.
    """
    derived = hashlib.blake2b(scope.encode(), key=key, digest_size=32).digest()
    return hashlib.blake2b(key=derived, digest_size=16)
