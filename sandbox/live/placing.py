"""What goes out of a running sandbox, or comes in → the order that a helper carries out. Reads the lake, no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from catalog.cog.macros import macros
from catalog.lake import POINTER
from policies.errors import DocumentError
from sandbox.data import data_of, describe
from sandbox.live.helper import Order
from sandbox.past import HISTORY, PAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from catalog.lab import Granted, Lab
    from policies.errors import DatalabError
    from sandbox.live.changes import Shown

REVOKED = "/data/revoked.json"
"""Which editions were taken out while the sandbox ran, and when: `{"irve/raw": "2026-03-01T12:00:00+00:00"}`."""

_LIST, _MACROS = "/data/datasets.json", "/data/macros.sql"


def taking(lab: Lab, gone: Iterable[Shown], left: tuple[Granted, ...], revoked: Mapping[str, str]) -> Order:
    """Takes editions out; `left` are those that stay, `revoked` what is said of all that went."""
    folders = tuple(f"{above}/{one.name}" for one in gone for above in ("/data", PAST))
    return Order(gone=folders, last=_said(lab, left, revoked))


def giving(
    lab: Lab,
    come: tuple[Granted, ...],
    there: tuple[Granted, ...],
    revoked: Mapping[str, str],
    left_out: Callable[[DatalabError], None],
) -> tuple[Order, tuple[Granted, ...]]:
    """Puts editions in, and says which: one with a damaged file is left out, and `left_out` told of it.

    `there` are those that the sandbox has already. Raises SandboxError if it could not read a file.
    """
    data = data_of(lab, come, private=True, left_out=left_out)
    whole = tuple(one for one in come if f"/data/{one.dataset}/{one.edition}/{POINTER}" in data.files)
    order = Order(
        files={path: text for path, text in data.files.items() if path.endswith((f"/{POINTER}", HISTORY))},
        mounts=tuple((str(mount.source), mount.target) for mount in data.mounts),
        last=_said(lab, _in_order(lab, (*there, *whole)), revoked),
    )
    return order, whole


def _in_order(lab: Lab, editions: tuple[Granted, ...]) -> tuple[Granted, ...]:
    """Dataset by dataset, and in each from the least to the most detailed edition, as `Lab.granted` has them."""

    def place(one: Granted) -> tuple[str, int]:
        policy = lab.policy(one.dataset)
        names = [] if policy is None else list(policy.editions)
        return one.dataset, names.index(one.edition) if one.edition in names else len(names)

    return tuple(sorted(editions, key=place))


def _said(lab: Lab, editions: tuple[Granted, ...], revoked: Mapping[str, str]) -> dict[str, bytes | None]:
    """The files that say what there is. A descriptor that is wrong hides its dataset: no word of it can be said."""
    whole = tuple(one for one in editions if _described(lab, one))
    codes = macros(whole)
    return {
        REVOKED: json.dumps(dict(revoked)).encode() if revoked else None,
        _MACROS: None if codes is None else codes.encode(),
        _LIST: json.dumps(describe(lab, whole), ensure_ascii=False, indent=1).encode(),
    }


def _described(lab: Lab, one: Granted) -> bool:
    try:
        lab.dataset(one.dataset)
    except DocumentError:
        return False
    return True
