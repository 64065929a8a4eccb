"""XML that portals answer: parsed with no entity, no DTD, and bounds on its depth and the number of its elements."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_DEEPEST = 100
_MOST = 1_000_000


def xml_page(body: bytes, url: str) -> Element:
    """The root of an answer. Raises SourceError for what is no XML, has a DTD, or is too deep or too much."""
    depth = count = 0
    root: Element | None = None
    try:
        for event, element in iterparse(io.BytesIO(body), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                root = element if root is None else root
                depth, count = depth + 1, count + 1
                if depth > _DEEPEST or count > _MOST:
                    what = f"nested more than {_DEEPEST} deep" if depth > _DEEPEST else f"more than {_MOST} elements"
                    raise SourceError(f"{url}: the XML is {what}; tell the portal")
            else:
                depth -= 1
    except DefusedXmlException:
        raise SourceError(
            f"{url}: the XML has a document type (DTD), which may hold entities; tell the portal"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise SourceError(f"{url}: expected XML: {error}; check the address") from None
    if root is None:
        raise SourceError(f"{url}: expected XML, found nothing; check the address")
    return root


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def inside(element: Element, *path: str) -> Iterator[Element]:
    """The elements at a path of local names below the element."""
    if not path:
        yield element
        return
    for child in element:
        if local(child) == path[0]:
            yield from inside(child, *path[1:])


def anywhere(element: Element, name: str) -> Iterator[Element]:
    """The elements of that local name, at any depth, in the order in which they stand."""
    for one in element.iter():
        if local(one) == name:
            yield one


def said(element: Element | None) -> str | None:
    """All text in an element, None if it says nothing."""
    if element is None:
        return None
    return " ".join("".join(element.itertext()).split()) or None
