"""CKAN (2.9 and later): `package_search`, a hundred datasets a page, and what ckanext-dcat and scheming add to them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ingest.harvest.portals import Failed, Page, Portal, listed, paged, strings, text, texts, whole
from ingest.harvest.record import Area, Link, Party, Record
from ingest.harvest.words.languages import language
from ingest.sources.cut import value_at
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.harvest.asking import Asking
    from ingest.harvest.portals import Item

SHAPE = re.compile(
    r"(?P<base>.*?)(?:/[a-z]{2}(?:_[A-Za-z]+)?)?/(?P<room>api/(?:3/)?action|dataset|organization|group)(?:/(?P<rest>.*))?"
)
"""The paths of a CKAN: what stands before is the portal."""
_ROWS = 100
_FACETS = ("organization", "groups", "tags", "res_format", "license_id")
_PUBLIC = "/PUBLIC"


def open_ckan(url: str, asking: Asking) -> Portal:
    """The portal at an address of its: the start, an organisation, a group, a search, a dataset, or its API."""
    base, query, single = _asked_for(url)
    return Portal(
        kind="ckan",
        address=base,
        scope=single or urlencode(query),
        items=lambda: _items(base, query, single, asking),
        single=bool(single),
    )


def is_ckan(base: str, asking: Asking) -> bool:
    """Whether a CKAN answers there. Raises SourceError if nothing does."""
    return value_at(asking.json(f"{base.rstrip('/')}/api/3/action/status_show"), "success") is True


def _asked_for(url: str) -> tuple[str, dict[str, str], str]:
    """The portal's address, the search, and the one dataset that is asked for."""
    at = urlsplit(url)
    found = SHAPE.fullmatch(at.path.rstrip("/"))
    parameters = dict(parse_qsl(at.query))
    if found is None:
        return urlunsplit((at.scheme, at.netloc, at.path.rstrip("/") + "/", "", "")), {}, ""
    base = urlunsplit((at.scheme, at.netloc, found["base"] + "/", "", ""))
    room, rest = found["room"], (found["rest"] or "").split("/")[0]
    if room == "dataset" and rest:
        return base, {}, rest
    if room.startswith("api") and rest == "package_show" and parameters.get("id"):
        return base, {}, parameters["id"]
    filters = [f'{name}:"{parameters[name]}"' for name in _FACETS if parameters.get(name)]
    filters += [parameters["fq"]] if parameters.get("fq") else []
    if rest and room in {"organization", "group"}:
        filters.append(f'{"organization" if room == "organization" else "groups"}:"{rest}"')
    query = {"q": parameters.get("q", ""), "fq": " ".join(f"+{one}" if ":" in one else one for one in filters)}
    return base, {name: value for name, value in query.items() if value}, ""


def _items(base: str, query: dict[str, str], single: str, asking: Asking) -> Iterator[Item]:
    api = f"{base}api/3/action/"
    status = asking.json(f"{api}status_show")
    lang = language(text(value_at(status, "result.locale_default"))) or "fr"
    if single:
        url = f"{api}package_show?id={quote(single, safe='')}"
        yield _item(_result(asking, url), base, lang, url)
        return

    def at(start: int) -> str:
        return f"{api}package_search?{urlencode({**query, 'sort': 'id asc', 'rows': _ROWS, 'start': start})}"

    def start_of(url: str) -> int:
        return int(dict(parse_qsl(urlsplit(url).query))["start"])

    def ask(url: str) -> Page:
        result = _result(asking, url)
        packages, total = result.get("results"), whole(result.get("count"))
        if not isinstance(packages, list) or total is None:
            raise SourceError(f"{url}: expected a search's `count` and `results`; is this a CKAN?")
        after = start_of(url) + len(packages)
        more = bool(packages) and after < total
        return Page(tuple(_item(one, base, lang, url) for one in packages), at(after) if more else None, total)

    def skip(url: str, total: int | None) -> str | None:
        after = start_of(url) + _ROWS
        return at(after) if total is not None and after < total else None

    yield from paged(at(0), ask, skip, asking.settings.max_pages)


def _result(asking: Asking, url: str) -> Any:
    answer = asking.json(url)
    if value_at(answer, "success") is not True or not isinstance(value_at(answer, "result"), dict):
        raise SourceError(f"{url}: the portal refuses: {value_at(answer, 'error.message') or 'it does not say why'}")
    return answer["result"]


def _item(package: Any, portal: str, lang: str, url: str) -> Item:
    """The record of a package, or why it is none."""
    if not isinstance(package, dict) or text(package.get("id")) is None:
        return Failed(None, url, f"expected a dataset with its id, found {str(package)[:80]}")
    try:
        return record_of(package, portal, lang)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Failed(package["id"], url, f"the dataset cannot be understood: {error}")


def record_of(package: dict[str, Any], portal: str, lang: str) -> Record:
    """What CKAN says of one dataset, as `package_show` gives it, in a portal whose language is `lang`."""
    extras = {
        one["key"]: one["value"] for one in listed(package.get("extras")) if isinstance(one, dict) and "key" in one
    }
    said = _Said({**extras, **{key: value for key, value in package.items() if value not in (None, "", [])}})
    resources = [one for one in listed(package.get("resources")) if isinstance(one, dict)]
    tags = [one for one in listed(package.get("tags")) if isinstance(one, dict)]
    groups = [one for one in listed(package.get("groups")) if isinstance(one, dict)]
    themes = said.many("theme")
    languages = said.many("language")
    own = language(languages[0]) if len(languages) == 1 else None
    keywords = tuple(filter(None, (text(tag.get("display_name")) or text(tag.get("name")) for tag in tags)))
    name = text(package.get("name"))
    return Record(
        portal=portal,
        identifier=package["id"],
        name=name,
        title=texts(package.get("title_translated")) or {"": text(package.get("title")) or name or ""},
        description=texts(package.get("notes_translated")) or {"": text(package.get("notes")) or ""},
        page=said.one("url") or f"{portal}dataset/{quote(name or package['id'], safe='')}",
        language=own or lang,
        markdown=True,
        publisher=_publisher(said, package.get("organization")),
        contacts=_contacts(said),
        themes=tuple(
            themes or [str(group.get(key)) for group in groups for key in ("title", "name") if group.get(key)]
        ),
        keywords={"": keywords},
        licences=tuple(
            filter(None, (*map(said.one, ("license_id", "license_url", "license_title")), *_of_resources(resources)))
        ),
        licence_note=next((note for one in resources for note in (text(one.get("rights")),) if note), None),
        frequency=said.one("frequency") or said.one("update_frequency") or said.one("accrual_periodicity"),
        areas=_areas(said),
        start=said.one("temporal_start") or said.inside("temporal_coverage", "start"),
        end=said.one("temporal_end") or said.inside("temporal_coverage", "end"),
        issued=said.one("issued"),
        created=text(package.get("metadata_created")),
        modified=text(package.get("metadata_modified")),
        hvd=tuple(said.many("hvd_category")),
        basis=tuple((one, one) for one in said.many("applicable_legislation")),
        provenance={"": said.one("provenance") or ""},
        restricted=_restricted(said, package),
        links=tuple(
            _link(one, portal) for one in resources if one.get("state", "active") == "active" and one.get("id")
        ),
    )


class _Said:
    """A dataset's fields and extras under one roof: extras hold lists as JSON, ckanext-scheming as lists."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def all(self, key: str) -> list[object]:
        value = self._values.get(key)
        if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return [value]
        return listed(value)

    def many(self, key: str) -> list[str]:
        return strings(self.all(key))

    def one(self, key: str) -> str | None:
        return next(iter(self.many(key)), None)

    def inside(self, key: str, name: str) -> str | None:
        """What a list of mappings says first under `name`: scheming's repeating subfields."""
        found = (text(one.get(name)) for one in self.all(key) if isinstance(one, dict))
        return next(filter(None, found), None)

    def raw(self, key: str) -> Any:
        return self._values.get(key)


def _publisher(said: _Said, organisation: Any) -> Party | None:
    own = organisation if isinstance(organisation, dict) else {}
    name = (
        said.one("publisher_name")
        or said.inside("publisher", "name")
        or text(own.get("title"))
        or text(own.get("name"))
    )
    number = said.one("publisher_identifier") or said.inside("publisher", "identifier")
    url = said.one("publisher_url") or said.inside("publisher", "url")
    return None if name is None else Party(name=name, url=url, number=number)


def _contacts(said: _Said) -> tuple[Party, ...]:
    found = [Party(name=said.inside("contact", "name"), email=said.inside("contact", "email"))]
    for name, email in (
        ("contact_name", "contact_email"),
        ("maintainer", "maintainer_email"),
        ("author", "author_email"),
        ("publisher_name", "publisher_email"),
    ):
        found.append(Party(name=said.one(name), email=said.one(email)))
    return tuple(one for one in found if one.email or one.name)


def _areas(said: _Said) -> tuple[Area, ...]:
    covered = [one for one in said.all("spatial_coverage") if isinstance(one, dict)]
    areas = [
        Area(
            name=text(one.get("text")),
            shape=one.get("bbox") or one.get("geom") or None,
            codes=tuple(strings(one.get("uri"))),
        )
        for one in covered
    ]
    shape = said.raw("spatial")
    named, codes = said.one("spatial_text"), tuple(said.many("spatial_uri"))
    if isinstance(shape, str) and not re.match(r"\s*(\{|<|[A-Za-z]+ *\()", shape):
        named, shape = named or shape, None
    if shape or named or codes:
        areas.append(Area(name=named, shape=shape, codes=codes if not shape else ()))
    return tuple(areas)


def _of_resources(resources: list[dict[str, Any]]) -> list[str]:
    """The licences that resources say, where those of the dataset are none or another: all are told."""
    return list(dict.fromkeys(one for resource in resources for one in strings(resource.get("license"))))


def _restricted(said: _Said, package: dict[str, Any]) -> str | None:
    rights = said.one("access_rights")
    if package.get("private") is True:
        return "private"
    return None if rights is None or rights.rstrip("/").endswith(_PUBLIC) or not rights.startswith("http") else rights


def _link(resource: dict[str, Any], portal: str) -> Link:
    schema = next(iter(_Said(resource).many("conforms_to")), None) or text(resource.get("schema"))
    key = str(resource["id"])
    return Link(
        key=key,
        title=texts(resource.get("name_translated")) or {"": text(resource.get("name")) or ""},
        description=texts(resource.get("description_translated")) or {"": text(resource.get("description")) or ""},
        url=text(resource.get("url")),
        form=text(resource.get("format")) or text(resource.get("mimetype")),
        source={"ckan": portal, "resource": key},
        schema=schema if (schema or "").startswith("http") else None,
    )
