"""udata (data.gouv.fr): its API 1, a hundred datasets a page, and the SIREN of each organisation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ingest.harvest.portals import Failed, Page, Portal, Skipped, listed, paged, strings, text, whole
from ingest.harvest.record import Area, Link, Party, Record
from ingest.sources.cut import value_at
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.harvest.asking import Asking
    from ingest.harvest.portals import Item

SHAPE = re.compile(
    r"(?P<base>.*?)(?:/[a-z]{2})?(?:/api/[12])?/(?P<room>datasets|organizations)(?:/(?P<rest>[^/]+))?(?:/.*)?"
)
"""The paths of a udata: what stands before is the portal."""
_SIZE = 100
_OURS = {"page", "page_size", "sort"}
_ASIDE = {"documentation": "documentation", "api": "an API", "code": "a repository of code"}


def open_udata(url: str, asking: Asking) -> Portal:
    """The portal at an address of its: the start, an organisation, a search, a dataset, or its API."""
    at = urlsplit(url)
    found = SHAPE.fullmatch(at.path.rstrip("/"))
    query = {name: value for name, value in parse_qsl(at.query) if name not in _OURS}
    path = at.path if found is None else found["base"]
    base = urlunsplit((at.scheme, at.netloc, path.rstrip("/") + "/", "", ""))
    rest = None if found is None else found["rest"]
    single = rest if found is not None and found["room"] == "datasets" and rest != "search" else None
    organisation = rest if found is not None and found["room"] == "organizations" else None
    scope = urlencode({**query, **({} if organisation is None else {"organization": organisation})})
    return Portal(
        kind="udata",
        address=base,
        scope=single or scope,
        items=lambda: _Reading(base, asking).items(query, single, organisation),
        single=single is not None,
    )


def is_udata(base: str, asking: Asking) -> bool:
    """Whether a udata answers there. Raises SourceError if nothing does."""
    answer = asking.json(f"{base.rstrip('/')}/api/1/datasets/?page_size=1")
    return isinstance(value_at(answer, "data"), list) and value_at(answer, "page_size") is not None


class _Reading:
    """One reading of a catalogue; each organisation is asked for once."""

    def __init__(self, base: str, asking: Asking) -> None:
        self._base, self._asking = base, asking
        self._organisations: dict[str, dict[str, Any]] = {}

    def items(self, query: dict[str, str], single: str | None, organisation: str | None) -> Iterator[Item]:
        datasets = f"{self._base}api/1/datasets/"
        if single is not None:
            url = f"{datasets}{quote(single, safe='')}/"
            yield self._item(self._asking.json(url), url)
            return
        if organisation is not None:
            known = self._organisation(organisation)
            if text(known.get("id")) is None:
                url = f"{self._base}api/1/organizations/{quote(organisation, safe='')}/"
                raise SourceError(f"{url}: the organisation has no id; check the address")
            query = {**query, "organization": known["id"]}

        def at(page: int) -> str:
            return f"{datasets}?{urlencode({**query, 'sort': 'created', 'page_size': _SIZE, 'page': page})}"

        def number(url: str) -> int:
            return int(dict(parse_qsl(urlsplit(url).query))["page"])

        def ask(url: str) -> Page:
            answer = self._asking.json(url)
            found, total = value_at(answer, "data"), whole(value_at(answer, "total"))
            if not isinstance(found, list) or total is None:
                raise SourceError(f"{url}: expected a page of datasets with `data` and `total`; is this a udata?")
            more = value_at(answer, "next_page") is not None and found
            return Page(tuple(self._item(one, url) for one in found), at(number(url) + 1) if more else None, total)

        def skip(url: str, total: int | None) -> str | None:
            return at(number(url) + 1) if total is not None and number(url) * _SIZE < total else None

        yield from paged(at(1), ask, skip, self._asking.settings.max_pages)

    def _item(self, dataset: Any, url: str) -> Item:
        if not isinstance(dataset, dict) or text(dataset.get("id")) is None:
            return Failed(None, url, f"expected a dataset with its id, found {str(dataset)[:80]}")
        if dataset.get("deleted") or dataset.get("private"):
            return Skipped(dataset["id"], "it is deleted" if dataset.get("deleted") else "it is private")
        try:
            named = value_at(dataset, "organization.id")
            organisation = self._organisation(named) if isinstance(named, str) else {}
            return record_of(dataset, self._base, organisation)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            return Failed(dataset["id"], url, f"the dataset cannot be understood: {error}")

    def _organisation(self, key: str) -> dict[str, Any]:
        """What the portal says of an organisation; nothing if it cannot be had, for it only adds to a dataset."""
        if key not in self._organisations:
            try:
                found = self._asking.json(f"{self._base}api/1/organizations/{quote(key, safe='')}/")
            except SourceError:
                found = {}
            self._organisations[key] = found if isinstance(found, dict) else {}
        return self._organisations[key]


def record_of(dataset: dict[str, Any], portal: str, organisation: dict[str, Any]) -> Record:
    """What udata says of one dataset, as `/api/1/datasets/ID/` gives it, and of its organisation (`{}` if unknown)."""
    own = dataset.get("organization") if isinstance(dataset.get("organization"), dict) else {}
    told = {**(own or {}), **organisation}
    owner = dataset.get("owner") if isinstance(dataset.get("owner"), dict) else None
    spatial = dataset.get("spatial") if isinstance(dataset.get("spatial"), dict) else {}
    badges = [one.get("kind") for one in listed(dataset.get("badges")) if isinstance(one, dict)]
    tags = tuple(strings(dataset.get("tags")))
    notes = []
    if "hvd" in badges or "hvd" in tags:
        notes.append(("hvd", "the portal calls it a high-value dataset; say its category (EU 2023/138)"))
    if dataset.get("archived"):
        notes.append(("frequency", f"the portal archived it on {str(dataset['archived'])[:10]}"))
    return Record(
        portal=portal,
        identifier=dataset["id"],
        name=text(dataset.get("slug")),
        title={"": text(dataset.get("title")) or ""},
        description={"": text(dataset.get("description")) or text(dataset.get("description_short")) or ""},
        page=text(dataset.get("page")) or f"{portal}datasets/{quote(dataset.get('slug') or dataset['id'], safe='')}/",
        markdown=True,
        publisher=_publisher(told, owner),
        contacts=tuple(_contacts(dataset)),
        keywords={"": tuple(tag.replace("-", " ") for tag in tags)},
        licences=tuple(strings(dataset.get("license"))),
        frequency=text(dataset.get("frequency")),
        areas=(Area(shape=(spatial or {}).get("geom") or None), Area(codes=_zones(spatial or {}))),
        start=text(value_at(dataset, "temporal_coverage.start")),
        end=text(value_at(dataset, "temporal_coverage.end")),
        issued=text(value_at(dataset, "harvest.issued_at")),
        created=text(value_at(dataset, "harvest.created_at"))
        or text(dataset.get("created_at"))
        or text(dataset.get("created_at_internal")),
        modified=text(dataset.get("last_modified")) or text(dataset.get("last_modified_internal")),
        links=tuple(_link(one, dataset["id"], portal) for one in listed(dataset.get("resources")) if _is_link(one)),
        notes=tuple(notes),
    )


def _publisher(organisation: dict[str, Any], owner: dict[str, Any] | None) -> Party | None:
    name = text(organisation.get("name"))
    if name is not None:
        number = text(organisation.get("business_number_id"))
        return Party(name=name, url=text(organisation.get("url")), number=number)
    if owner is None:
        return None
    return Party(name=" ".join(filter(None, (text(owner.get("first_name")), text(owner.get("last_name"))))) or None)


def _contacts(dataset: dict[str, Any]) -> Iterator[Party]:
    for one in listed(dataset.get("contact_points")):
        if isinstance(one, dict):
            yield Party(name=text(one.get("name")), email=text(one.get("email")), url=text(one.get("contact_form")))


def _zones(spatial: dict[str, Any]) -> tuple[str, ...]:
    zones = (one.get("id") if isinstance(one, dict) else one for one in listed(spatial.get("zones")))
    return tuple(one for one in zones if isinstance(one, str))


def _is_link(resource: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(resource, dict) and text(resource.get("id")) is not None


def _link(resource: dict[str, Any], dataset: str, portal: str) -> Link:
    schema = resource.get("schema") if isinstance(resource.get("schema"), dict) else {}
    named = " ".join(strings([(schema or {}).get("name"), (schema or {}).get("version")]))
    return Link(
        key=resource["id"],
        title={"": text(resource.get("title")) or ""},
        description={"": text(resource.get("description")) or ""},
        url=text(resource.get("url")),
        form=text(resource.get("format")) or text(resource.get("mime")),
        source={"udata": portal, "dataset": dataset, "resource": resource["id"]},
        schema=text((schema or {}).get("url")) or named or None,
        aside=_ASIDE.get(str(resource.get("type"))),
    )
