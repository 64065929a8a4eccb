"""Licences: their addresses, ids and titles in many spellings → a word of LICENCES. What is unclear is not guessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from catalog.vocabulary import LICENCES
from ingest.harvest.words import Found, folded

if TYPE_CHECKING:
    from collections.abc import Iterable

_IDS = {
    "lov2": "LO-2.0",
    "fr lo 2 0": "LO-2.0",
    "etalab 2 0": "LO-2.0",
    "fr lo": "LO-1.0",
    "etalab 1 0": "LO-1.0",
    "odbl": "ODbL-1.0",
    "odc odbl": "ODbL-1.0",
    "odc bl": "ODbL-1.0",
    "odc by": "ODC-BY-1.0",
    "pddl": "PDDL-1.0",
    "odc pddl": "PDDL-1.0",
    "cc0": "CC0-1.0",
    "cc zero": "CC0-1.0",
    "unlicense": "Unlicense",
    "the unlicense": "Unlicense",
}
"""Ids of udata (https://www.data.gouv.fr/api/1/datasets/licenses/), CKAN, SPDX and the EU's authority table licence.

They are those that mean one version: `cc-by` may be any, so it is not here.
"""
_ADDRESSES = {
    "etalab.gouv.fr/wp-content/uploads/2014/05/licence_ouverte.pdf": "LO-1.0",
    "etalab.gouv.fr/wp-content/uploads/2014/05/open_licence.pdf": "LO-1.0",
    "data.gouv.fr/licence-ouverte-open-licence": "LO-1.0",
    "wiki.data.gouv.fr/wiki/licence_ouverte_/_open_licence": "LO-1.0",
    "etalab.gouv.fr/wp-content/uploads/2017/04/etalab-licence-ouverte-v2.0.pdf": "LO-2.0",
    "etalab.gouv.fr/wp-content/uploads/2018/11/open-licence.pdf": "LO-2.0",
    "github.com/etalab/licence-ouverte/blob/master/lo.md": "LO-2.0",
    "raw.githubusercontent.com/disic/politique-de-contribution-open-source/master/license": "LO-2.0",
    "opendatacommons.org/licenses/odbl": "ODbL-1.0",
    "opendatacommons.org/licenses/by": "ODC-BY-1.0",
    "opendatacommons.org/licenses/pddl": "PDDL-1.0",
    "opendefinition.org/licenses/odc-odbl": "ODbL-1.0",
    "opendefinition.org/licenses/odc-by": "ODC-BY-1.0",
    "opendefinition.org/licenses/odc-pddl": "PDDL-1.0",
    "opendefinition.org/licenses/cc-zero": "CC0-1.0",
    "unlicense.org": "Unlicense",
}
_NOT_SAID = {"", "notspecified", "not specified", "none", "unknown", "other", "non specifiee", "license not specified"}
_CC_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)|publicdomain/(zero)/1\.0)(?:/([a-z-]{2,}))?"
)
_CC_TEXT = re.compile(r"\bcc (by(?: nc)?(?: sa| nd)?|bync|bysa|bynd|byncsa|byncnd)(?: v| version)?(?: (\d) (\d))?\b")
_CC_WORDS = re.compile(r"\bcreative commons\b")
_NON_COMMERCIAL = re.compile(r"\bnon ?commercial|\bpas d utilisation commerciale|\bnc\b")
_SHARE_ALIKE = re.compile(r"\bshare ?alike|\bpartage (?:dans les memes|a l identique)|\bsa\b")
_NO_DERIVATIVES = re.compile(r"\bno ?deriv|\bpas de (?:modification|derive)|\bnd\b")
_VERSION = re.compile(r"\b(\d) (\d)\b")
_LO = re.compile(
    r"\b(?:licence ouverte|open licen[cs]e|etalab)\b(?: (?!1\b|2\b|v1|v2)[a-z]+){0,5}?"
    r"(?: v| version)? ?v?([12])\b(?: 0\b)?"
)
_LO_ANY = re.compile(r"\blicence ouverte\b|\blicen[cs]e etalab\b|\betalab\b")
_NOT_LO = re.compile(r"\bopen government licen[cs]e\b")
_LANGUAGES = {"fr", "en", "es", "de", "it", "nl", "pt", "ca", "eu", "legalcode", "deed"}
_SHOWN = 200


def licence(said: Iterable[str]) -> Found:
    """The licence that all that a portal says of it means: its id, address and title, or a text that names it.

    Several that disagree are none, and so is one whose version is not said.
    """
    told = [text for text in dict.fromkeys(" ".join(one.split()) for one in said) if folded(text) not in _NOT_SAID]
    if not told:
        return Found(None, "the portal says no licence")
    found = [_one(text) for text in told]
    words = {one.word: one for one in found if one.word is not None}
    quoted = ", ".join(repr(text[:_SHOWN]) for text in told[:4])
    if len(words) == 1:
        return next(iter(words.values()))
    if words:
        return Found(None, f"the portal says {quoted}, which are several: {', '.join(sorted(map(str, words)))}")
    hint = next((one.why for one in found if one.why), "no licence that the lab knows")
    return Found(None, f"the portal says {quoted}: {hint}")


def _one(text: str) -> Found:
    if text.startswith(("http://", "https://")) and " " not in text:
        return _by_address(text)
    plain = folded(text)
    known = next((word for word in LICENCES if plain in {folded(word), folded(LICENCES[word].title)}), None)
    if known or plain in _IDS:
        return Found(known or _IDS[plain])
    address = re.search(r"https?://[^\s<>\"')\]]+", text)
    by_address = Found(None) if address is None else _by_address(address[0].rstrip(".,;:"))
    by_words = _by_words(plain)
    if by_words.word is not None and by_address.word not in {None, by_words.word}:
        return Found(None, f"its words mean {by_words.word}, and its address {by_address.word}")
    return by_words if by_words.word is not None or by_address.word is None else by_address


def _by_address(url: str) -> Found:
    """The licence at an address, whatever its scheme, its language and the form of the page."""
    at = _bare(unquote(url).split("#")[0].split("?")[0])
    creative = _CC_ADDRESS.search(at)
    if creative is not None:
        return _creative_commons(url, creative)
    for start in _TABLES:
        if at.startswith(start):
            return _one(at.removeprefix(start).partition("/")[0].removesuffix(".html").removesuffix(".json"))
    known = {_bare(licence.uri): word for word, licence in LICENCES.items()} | _ADDRESSES
    found = next((word for there, word in known.items() if at == there or _is_variant(at, there)), None)
    return Found(found)


def _creative_commons(url: str, found: re.Match[str]) -> Found:
    kind, version, zero, port = found.groups()
    word = "CC0-1.0" if zero else f"CC-{kind.upper()}-{version}"
    if word not in LICENCES:
        return Found(None, f"{word} is not among the lab's licences")
    ported = port and port.split("-")[0] not in {"legalcode", "deed"} and version == "3.0"
    return Found(word, f"{url} is its version for {port.upper()}" if ported else "")


def _is_variant(at: str, there: str) -> bool:
    return at.startswith(f"{there}/") and at.removeprefix(f"{there}/").partition("/")[0] in _VARIANTS


_TABLES = (
    "spdx.org/licenses/",
    "publications.europa.eu/resource/authority/licence/",
    "opendefinition.org/licenses/",
)
"""Addresses that end with an id."""
_VARIANTS = {"1-0", "1.0", "summary", *_LANGUAGES}
"""What may follow a licence's address and mean the same licence."""


def _bare(url: str) -> str:
    return re.sub(r"^https?://(www\.)?", "", url.lower()).rstrip("/")


def _by_words(plain: str) -> Found:
    """The licence that a folded text names."""
    words = {word for word in (_open_licence(plain), _creative(plain), *_others(plain)) if word is not None}
    known = sorted(word for word in words if word in LICENCES)
    if len(known) == 1 and len(words) == 1:
        return Found(known[0])
    if words:
        return Found(None, f"{', '.join(sorted(words))}: {_unclear(words)}")
    return Found(None)


def _unclear(words: set[str]) -> str:
    if len(words) > 1:
        return "more than one licence"
    (word,) = words
    versions = [one for one in LICENCES if one.rpartition("-")[0] == word]
    if versions:
        return f"the version is not said; {' or '.join(versions)}"
    return "not among the lab's licences"


def _open_licence(plain: str) -> str | None:
    if _NOT_LO.search(plain):
        return None
    found = _LO.search(plain)
    if found is not None:
        return f"LO-{found[1]}.0"
    return "LO" if _LO_ANY.search(plain) else None


def _creative(plain: str) -> str | None:
    if re.search(r"\bcc ?0\b|\bcc ?zero\b|\bcreative commons zero\b|\bcc0 ", plain):
        return "CC0-1.0"
    short = _CC_TEXT.search(plain)
    if short is not None:
        kind = re.sub(r"(by|nc|sa|nd)(?=[a-z])", r"\1-", short[1].replace(" ", "-"))
        return f"CC-{kind.upper()}" + (f"-{short[2]}.{short[3]}" if short[2] else "")
    if not _CC_WORDS.search(plain):
        return None
    parts = ["CC", "BY"]
    parts += ["NC"] if _NON_COMMERCIAL.search(plain) else []
    parts += ["SA"] if _SHARE_ALIKE.search(plain) else ["ND"] if _NO_DERIVATIVES.search(plain) else []
    version = _VERSION.search(plain)
    return "-".join(parts) + (f"-{version[1]}.{version[2]}" if version else "")


def _others(plain: str) -> list[str]:
    found = []
    if re.search(r"\bodbl\b|\bopen database licen[cs]e\b", plain):
        found.append("ODbL-1.0")
    if re.search(r"\bodc by\b|\bopen data commons attribution\b", plain):
        found.append("ODC-BY-1.0")
    if re.search(r"\bpddl\b|\bpublic domain dedication and licen[cs]e\b", plain):
        found.append("PDDL-1.0")
    return found
