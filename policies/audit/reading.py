"""The events of the log again, for who looks at them; `verify.py` says whether they are all there and genuine."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from policies.audit.event import Event
from policies.audit.files import log_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Told:
    """An event, its number, and when it was written (UTC)."""

    n: int
    at: dt.datetime
    event: Event


def told(folder: Path) -> Iterator[Told]:
    """Every event of the log in `folder`, the oldest first; what cannot be read is passed over."""
    for name in log_files(folder)[0] if folder.is_dir() else []:
        with (folder / name).open("rb") as file:
            for raw in file:
                try:
                    whole = json.loads(raw)
                    yield Told(whole["n"], dt.datetime.fromisoformat(whole["at"]), Event.model_validate(whole["event"]))
                except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
                    continue


def concerns(event: Event, *, user: str | None, dataset: str | None) -> bool:
    """Whether an event is by or to a user (or another principal), and about a dataset or one of its editions."""
    slug, _, edition = (dataset or "").partition("/")
    of_user = user is None or bool({event.who, event.to, event.origin} & {user, f"user:{user}", f"account:{user}"})
    of_dataset = dataset is None or any(one.dataset == slug and edition in {"", one.edition} for one in event.editions)
    return of_user and of_dataset
