"""Opendatasoft: the catalogue of its Explore API v2.1, a hundred datasets a page.

https://help.opendatasoft.com/apis/ods-explore-v2/: the API gives the first 10 000 datasets of a search at most.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ingest.harvest.portals import Failed, Page, Portal, listed, paged, strings, text, whole
from ingest.harvest.record import Area, Field, Link, Party, Record
from ingest.sources.cut import value_at
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.harvest.asking import Asking
    from ingest.harvest.portals import Item

SHAPE = re.compile(
    r"(?P<base>.*?)(?:/api/explore/v2\.[01]/catalog(?:/datasets(?:/(?P<id>[^/]+))?)?|/explore(?:/dataset/(?P<page>[^/]+))?)"
    r"(?:/.*)?"
)
"""The paths of an Opendatasoft portal: what stands before is the portal."""
_SIZE = 100
_MOST = 10_000
_KEPT = {"where", "refine", "exclude", "lang"}
_SHAPES = {"geo_shape", "geo_point_2d", "file"}


def open_opendatasoft(url: str, asking: Asking) -> Portal:
    """The portal at an address of its: the start, a search of its catalogue (`refine.theme=…`), a dataset, its API."""
    at = urlsplit(url)
    found = SHAPE.fullmatch(at.path.rstrip("/"))
    path = at.path if found is None else found["base"]
    base = urlunsplit((at.scheme, at.netloc, path.rstrip("/") + "/", "", ""))
    single = None if found is None else found["id"] or found["page"]
    query = [(name, value) for name, value in parse_qsl(at.query) if name in _KEPT]
    for name, value in parse_qsl(at.query):
        if name.startswith(("refine.", "exclude.")):
            query.append((name.partition(".")[0], f'{name.partition(".")[2]}:"{value}"'))
    return Portal(
        kind="opendatasoft",
        address=base,
        scope=single or urlencode(query),
        items=lambda: _items(base, query, single, asking),
        single=single is not None,
    )


def is_opendatasoft(base: str, asking: Asking) -> bool:
    """Whether an Opendatasoft portal answers there. Raises SourceError if nothing does."""
    answer = asking.json(f"{base.rstrip('/')}/api/explore/v2.1/catalog/datasets?limit=1")
    return whole(value_at(answer, "total_count")) is not None


def _items(base: str, query: list[tuple[str, str]], single: str | None, asking: Asking) -> Iterator[Item]:
    api = f"{base}api/explore/v2.1/catalog/datasets"
    if single is not None:
        url = f"{api}/{quote(single, safe='@')}"
        yield _item(asking.json(url), base, url)
        return
    order = [("order_by", "dataset_id")]

    def at(offset: int) -> str:
        return f"{api}?{urlencode([*query, *order, ('limit', str(_SIZE)), ('offset', str(offset))])}"

    def offset_of(url: str) -> int:
        return int(dict(parse_qsl(urlsplit(url).query))["offset"])

    def ask(url: str) -> Page:
        answer = asking.json(url)
        found, total = value_at(answer, "results"), whole(value_at(answer, "total_count"))
        if not isinstance(found, list) or total is None:
            raise SourceError(f"{url}: expected `results` and `total_count`; is this an Opendatasoft portal?")
        after = offset_of(url) + len(found)
        items = [_item(one, base, url) for one in found]
        more = found and after < total
        if more and after >= _MOST:
            items.append(Failed(None, url, f"the portal gives {_MOST} of {total}; ask for less: ?refine.theme=…"))
            more = False
        return Page(tuple(items), at(after) if more else None, total)

    def skip(url: str, total: int | None) -> str | None:
        after = offset_of(url) + _SIZE
        return at(after) if total is not None and after < min(total, _MOST) else None

    yield from paged(at(0), ask, skip, asking.settings.max_pages)


def _item(dataset: Any, portal: str, url: str) -> Item:
    if not isinstance(dataset, dict) or text(dataset.get("dataset_id")) is None:
        return Failed(None, url, f"expected a dataset with its dataset_id, found {str(dataset)[:80]}")
    try:
        return record_of(dataset, portal)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Failed(dataset["dataset_id"], url, f"the dataset cannot be understood: {error}")


def record_of(dataset: dict[str, Any], portal: str) -> Record:
    """What Opendatasoft says of one dataset, as `/catalog/datasets/ID` gives it."""
    key = dataset["dataset_id"]

    def said(path: str) -> str | None:
        return next(iter(strings(value_at(dataset, f"metas.{path}"))), None)

    lang = said("default.metadata_languages") or said("default.language") or "fr"
    page = f"{portal}explore/dataset/{quote(key, safe='@')}/"
    publisher = said("default.publisher") or said("dcat.creator")
    federated = said("default.source_domain_title") or said("default.source_domain")
    start, _, end = (said("dcat.temporal") or said("dcat.temporal_coverage") or "").partition("/")
    return Record(
        portal=portal,
        identifier=key,
        name=key.partition("@")[0],
        title={"": said("default.title") or key},
        description={"": said("default.description") or ""},
        page=page,
        language=lang,
        publisher=None if publisher is None else Party(name=publisher),
        contacts=(Party(name=said("dcat.contact_name"), email=said("dcat.contact_email")),),
        themes=tuple(strings(value_at(dataset, "metas.default.theme"))),
        keywords={"": tuple(strings(value_at(dataset, "metas.default.keyword")))},
        licences=tuple(filter(None, map(said, ("default.license", "default.license_url")))),
        licence_note=said("default.attributions"),
        frequency=said("dcat.accrualperiodicity") or said("default.update_frequency"),
        areas=_areas(dataset, said("dcat.spatial")),
        start=start.strip() or None,
        end=end.strip() or None,
        issued=said("dcat.issued"),
        created=said("dcat.created"),
        modified=said("default.modified") or said("default.data_processed"),
        restricted="its data are not visible to everyone" if dataset.get("data_visible") is False else None,
        links=tuple(_links(dataset, portal, page, said("default.title") or key)),
        notes=() if federated is None else (("publisher", f"the portal has it from {federated}"),),
    )


def _areas(dataset: dict[str, Any], named: str | None) -> tuple[Area, ...]:
    names = strings(value_at(dataset, "metas.default.territory")) or strings([named])
    box = value_at(dataset, "metas.default.bbox")
    return (
        Area(name=", ".join(names)[:200] or None, shape=box if isinstance(box, dict) and box.get("geometry") else None),
    )


def _links(dataset: dict[str, Any], portal: str, page: str, title: str) -> Iterator[Link]:
    key = dataset["dataset_id"]
    if dataset.get("has_records"):
        fields = [one for one in listed(dataset.get("fields")) if isinstance(one, dict) and text(one.get("name"))]
        yield Link(
            key=key,
            title={"": title},
            url=page,
            source={"opendatasoft": portal, "dataset": key},
            fields=tuple(_field(one) for one in fields if one.get("type") not in _SHAPES),
        )
    api = f"{portal}api/explore/v2.1/catalog/datasets/{quote(key, safe='@')}"
    for room in ("attachments", "alternative_exports"):
        for one in listed(dataset.get(room)):
            if isinstance(one, dict) and text(one.get("id")):
                url = f"{api}/{room}/{quote(one['id'], safe='')}"
                yield Link(
                    key=f"{room}/{one['id']}", title={"": text(one.get("title")) or one["id"]}, url=url, form=_form(one)
                )


def _form(attachment: dict[str, Any]) -> str | None:
    return text(attachment.get("mimetype")) or text(attachment.get("title"))


def _field(one: dict[str, Any]) -> Field:
    unit = value_at(one, "annotations.unit")
    unit = unit[0] if isinstance(unit, list) and unit else unit
    return Field(
        name=one["name"], title=text(one.get("label")), description=text(one.get("description")), unit=text(unit)
    )
