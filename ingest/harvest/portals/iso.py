"""ISO 19139 (gmd, gco, gmx, srv), INSPIRE's metadata: one `MD_Metadata` → a record.

Elements are known by their local names: catalogues mix the namespaces of several years.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.harvest.portals import Skipped
from ingest.harvest.portals.isolinks import links_of
from ingest.harvest.portals.xmlpage import anywhere, inside, local, said
from ingest.harvest.record import Area, Party, Record
from ingest.harvest.words.licences import licence
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

GMD = "http://www.isotc211.org/2005/gmd"
_LANG = "{http://www.w3.org/1999/xlink}href"
_DATASETS = {"dataset", "series", "nongeographicdataset", "tile", "featuretype", "feature", "attribute", ""}
_PUBLISHERS = (
    "publisher",
    "owner",
    "custodian",
    "resourceProvider",
    "pointOfContact",
    "author",
    "originator",
    "distributor",
)
_ASKED = ("pointOfContact", "custodian", "distributor", "resourceProvider", "owner", "publisher")
_SECRET = {"restricted", "confidential", "secret", "topSecret"}


def identifier_of(metadata: Element) -> str | None:
    """The record's identifier, None if it has none."""
    return said(next(inside(metadata, "fileIdentifier"), None))


def item_of(metadata: Element, portal: str) -> Record | Skipped:
    """The record of a dataset or a series, or why it is none. Raises SourceError if it lacks what every record has."""
    identifier = identifier_of(metadata)
    if identifier is None:
        raise SourceError("it has no fileIdentifier")
    level = _code(next(inside(metadata, "hierarchyLevel"), None)) or ""
    info = next(inside(metadata, "identificationInfo"), None)
    body = None if info is None else next(iter(info), None)
    if level.lower() not in _DATASETS or (body is not None and local(body) == "SV_ServiceIdentification"):
        return Skipped(identifier, f"it describes a {level or 'service'}, not data")
    if body is None:
        raise SourceError("it has no identificationInfo")
    return _record(metadata, body, identifier, portal)


def _record(metadata: Element, body: Element, identifier: str, portal: str) -> Record:
    locales = {
        one.get("id", ""): _code(next(inside(one, "languageCode"), None)) or ""
        for one in inside(metadata, "locale", "PT_Locale")
    }
    citation = next(inside(body, "citation", "CI_Citation"), None)
    parties = list(_parties(body, metadata))
    dates = _dates(citation)
    keywords, themes = _keywords(body, locales)
    terms, notes = _terms(body)
    start, end = _period(body)
    maintenance = [_code(one) for one in anywhere(body, "maintenanceAndUpdateFrequency")]
    lineage = next(anywhere(metadata, "lineage"), None)
    statement = None if lineage is None else next(anywhere(lineage, "statement"), None)
    classes = {_code(one) for one in anywhere(body, "classification")}
    return Record(
        portal=portal,
        identifier=identifier,
        title={} if citation is None else _texts(next(inside(citation, "title"), None), locales),
        description=_texts(next(inside(body, "abstract"), None), locales),
        page=_page(metadata),
        language=_code(next(inside(metadata, "language"), None))
        or said(next(inside(metadata, "language"), None))
        or "fr",
        publisher=_publisher(parties),
        contacts=tuple(one for role in (*_ASKED, None) for said_role, one in parties if role in {None, said_role}),
        themes=tuple(themes),
        keywords=keywords,
        licences=tuple(terms),
        licence_note="\n".join(notes) or None,
        frequency=next(filter(None, maintenance), None),
        areas=tuple(_areas(body)),
        start=start,
        end=end,
        issued=dates.get("publication"),
        created=dates.get("creation") or dates.get("revision"),
        modified=said(next(inside(metadata, "dateStamp"), None)),
        provenance=_texts(statement, locales),
        restricted=next((f"classification {one}" for one in sorted(filter(None, classes)) if one in _SECRET), None),
        links=tuple(links_of(metadata)),
    )


def _code(element: Element | None) -> str | None:
    """The value of a code list in an element: its attribute, or its text."""
    if element is None:
        return None
    found = next((one.get("codeListValue") for one in element.iter() if one.get("codeListValue")), None)
    return found or said(element)


def _texts(element: Element | None, locales: dict[str, str]) -> dict[str, str]:
    """A free text by language: `""` is the record's own, the others those of its locales."""
    if element is None:
        return {}
    found: dict[str, str] = {}
    for child in element:
        if local(child) in {"CharacterString", "Anchor"} and (own := "".join(child.itertext()).strip()):
            found[""] = own
    for one in anywhere(element, "LocalisedCharacterString"):
        lang, words = locales.get(one.get("locale", "").lstrip("#"), ""), "".join(one.itertext()).strip()
        if lang and words:
            found.setdefault(lang, words)
    return found


def _parties(body: Element, metadata: Element) -> Iterator[tuple[str, Party]]:
    """Who is named, with their role; those of the data before those of the record."""
    for where in (
        *inside(body, "pointOfContact"),
        *inside(body, "citation", "CI_Citation", "citedResponsibleParty"),
        *inside(metadata, "contact"),
    ):
        for one in inside(where, "CI_ResponsibleParty"):
            mails = [text for mail in anywhere(one, "electronicMailAddress") for text in (said(mail),) if text]
            name = said(next(inside(one, "organisationName"), None)) or said(next(inside(one, "individualName"), None))
            url = next((said(url) for url in anywhere(one, "URL")), None)
            yield _code(next(inside(one, "role"), None)) or "", Party(name=name, email=next(iter(mails), None), url=url)


def _publisher(parties: list[tuple[str, Party]]) -> Party | None:
    named = [(role, one) for role, one in parties if one.name]
    return next((one for role in (*_PUBLISHERS, None) for said_role, one in named if role in {None, said_role}), None)


def _dates(citation: Element | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in () if citation is None else inside(citation, "date", "CI_Date"):
        kind, day = _code(next(inside(one, "dateType"), None)), said(next(inside(one, "date"), None))
        if kind and day:
            found[kind] = min(found.get(kind, day), day) if kind != "revision" else max(found.get(kind, day), day)
    return found


def _keywords(body: Element, locales: dict[str, str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Keywords by language, and those that are INSPIRE's themes or ISO's topics."""
    words: dict[str, list[str]] = {}
    themes: list[str] = []
    for group in anywhere(body, "MD_Keywords"):
        thesaurus = said(next(inside(group, "thesaurusName"), None)) or ""
        for one in inside(group, "keyword"):
            texts = _texts(one, locales)
            for lang, text in texts.items():
                words.setdefault(lang, []).append(text)
            if "inspire" in thesaurus.lower() and "theme" in thesaurus.lower():
                themes += [anchor for child in one if (anchor := child.get(_LANG))] + list(texts.values())
    themes += [topic for one in anywhere(body, "topicCategory") if (topic := said(one))]
    return {lang: tuple(dict.fromkeys(found)) for lang, found in words.items()}, themes


def _terms(body: Element) -> tuple[list[str], list[str]]:
    """What is said of use: all of it as it may name a licence, and what is no licence's name as a note."""
    found: list[str] = []
    for name in ("useLimitation", "otherConstraints"):
        for one in anywhere(body, name):
            text = said(one)
            found += [text] if text else []
            found += [href for child in one if (href := child.get(_LANG))]
    terms = list(dict.fromkeys(found))
    limits = {text for one in anywhere(body, "useLimitation") if (text := said(one))}
    notes = [one for one in terms if one in limits and licence([one]).word is None]
    return terms, notes


def _areas(body: Element) -> Iterator[Area]:
    for extent in anywhere(body, "EX_Extent"):
        name = said(next(inside(extent, "description"), None))
        names = [text for one in anywhere(extent, "EX_GeographicDescription") if (text := said(one))]
        boxes = list(anywhere(extent, "EX_GeographicBoundingBox"))
        for box in boxes:
            edges = [
                said(next(inside(box, edge), None)) or ""
                for edge in ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
            ]
            yield Area(name=name or next(iter(names), None), box=(edges[0], edges[1], edges[2], edges[3]))
        if not boxes and (name or names):
            yield Area(name=name or names[0])


def _period(body: Element) -> tuple[str | None, str | None]:
    for one in anywhere(body, "TimePeriod"):
        start = next(
            (text for name in ("beginPosition", "begin") for at in inside(one, name) if (text := said(at))), None
        )
        end = next((text for name in ("endPosition", "end") for at in inside(one, name) if (text := said(at))), None)
        if start or end:
            return start, end
    return None, None


def _page(metadata: Element) -> str | None:
    """The record's page, where the record has a link that leads to one."""
    for one in anywhere(metadata, "URL"):
        url = said(one) or ""
        if re.search(r"/catalog\.search#/metadata/|/metadata/[0-9a-zA-Z-]+$|/srv/[a-z]{3}/catalog\.", url):
            return url
    return None
