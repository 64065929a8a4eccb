"""One small file a kind of portal: what it answers → records. `kinds.portal_at` finds which it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.harvest.record import Record
from ingest.sources.pages import number_of
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FAILED_PAGES = 3


@dataclass(frozen=True)
class Failed:
    """What could not be had or understood: a record by its identifier, or, None, a whole page; where, and why."""

    identifier: str | None
    where: str
    why: str


@dataclass(frozen=True)
class Skipped:
    """What stands in the catalogue and is no dataset: a service, a map."""

    identifier: str
    why: str


@dataclass(frozen=True)
class Total:
    """How many things the portal says that its catalogue lists."""

    number: int


Item = Record | Failed | Skipped | Total


@dataclass(frozen=True, kw_only=True)
class Portal:
    """A portal, and what of it is harvested.

    `address` is the portal's own, which descriptors keep; `scope` says which part of its catalogue is asked for, and is
    empty for the whole; it may be one dataset, `single`. `items` asks for it, page by page.
    """

    kind: str
    address: str
    scope: str
    items: Callable[[], Iterator[Item]]
    single: bool = False


@dataclass(frozen=True)
class Page:
    """One page: what it lists, how many there are of all pages if it says so, and the address of the next."""

    items: tuple[Item, ...]
    next: str | None
    total: int | None = None


def paged(
    first: str,
    ask: Callable[[str], Page],
    after: Callable[[str, int | None], str | None],
    max_pages: int,
) -> Iterator[Item]:
    """What all pages list.

    A page that fails is one Failed; `after` says the address of the page that comes after it, given the total, None
    where that cannot be known.
    """
    at: str | None = first
    seen: set[str] = set()
    failures, total = 0, None
    while at is not None:
        if at in seen or len(seen) == max_pages:
            why = "it leads back to a page before" if at in seen else f"more than {max_pages} pages (max_pages)"
            yield Failed(None, at, why)
            return
        seen.add(at)
        try:
            page = ask(at)
        except SourceError as error:
            failures += 1
            yield Failed(None, at, str(error).removeprefix(f"{at}: "))
            at = after(at, total) if failures < _FAILED_PAGES else None
            continue
        if page.total is not None:
            total = page.total
            yield Total(total)
        yield from page.items
        at = page.next


def texts(value: object) -> dict[str, str]:
    """A mapping of texts by language, as some portals have; empty if it is none."""
    if not isinstance(value, dict):
        return {}
    return {str(lang): text for lang, text in value.items() if isinstance(text, str) and text.strip()}


def text(value: object) -> str | None:
    """The value, if it is a text that says something."""
    return value if isinstance(value, str) and value.strip() else None


def whole(value: object) -> int | None:
    """The whole number that a value of JSON, an attribute or a literal is; None if it is none."""
    return number_of(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None


def listed(value: object) -> list[object]:
    """The value as a list: none for None, one for a value that is no list."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) else [value]


def strings(value: object) -> list[str]:
    """The texts in a value that is one or a list of them."""
    return [one for one in listed(value) if isinstance(one, str) and one.strip()]
