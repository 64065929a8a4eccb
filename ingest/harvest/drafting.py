"""What a portal says of a dataset → a draft of its descriptor. Pure; nothing is guessed in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import HttpUrl, TypeAdapter, ValidationError

from catalog.model import Dataset
from catalog.vocabulary import HVD
from ingest.harvest.dates import day, moment
from ingest.harvest.draft import KEYS, NEEDED, Draft, Note, Values
from ingest.harvest.names import slug
from ingest.harvest.places import spatial
from ingest.harvest.plain import line_of, text_of
from ingest.harvest.resources import resources
from ingest.harvest.words.frequencies import frequency
from ingest.harvest.words.languages import language
from ingest.harvest.words.licences import licence
from ingest.harvest.words.themes import themes
from ingest.semantics.siren import SIREN
from policies.errors import SourceError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ingest.harvest.draft import Kind
    from ingest.harvest.record import Party, Record, Texts

_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
_DIGITS = re.compile(r"[0-9]{9}([0-9]{5})?")
_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
_KEYWORDS = 60
_LONG = 2_000  # signs of a note on the licence
_NO_LANGUAGE = "a language that descriptors have not"
_BNA = "http://data.europa.eu/bna/"


def draft_of(record: Record, taken: Collection[str] = (), names: Mapping[str, str] = MappingProxyType({})) -> Draft:
    """The draft of a record.

    `taken` are the slugs that are another's; `names` are the names of its resources that are known from before, by the
    portal's keys. Raises SourceError for a record that has no identifier or no title.
    """
    return _Drafting(record, dict(names)).draft(taken)


@dataclass
class _Drafting:
    record: Record
    names: dict[str, str]
    values: Values = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def draft(self, taken: Collection[str]) -> Draft:
        record = self.record
        title = self._texts("title", record.title, line_of)
        if not record.identifier or not title:
            said = f"{record.portal}: {record.identifier or 'a dataset without identifier'}"
            raise SourceError(f"{said}: it has no {'title' if record.identifier else 'identifier'}; tell the portal")
        self.values["title"] = title
        self._put("description", self._texts("description", record.description, self._text), "the portal has none")
        self._people()
        self._words()
        self._where_and_when()
        self._law()
        if record.portal is not None:
            self.values["harvested"] = {
                "portal": record.portal,
                "identifier": record.identifier,
                **({} if moment(record.modified) is None else {"modified": moment(record.modified)}),
            }
        self._resources()
        self._told(record.notes)
        self._checked()
        french = title.get("fr") or next(iter(title.values()))
        name = slug((record.name, french), f"{record.portal} {record.identifier}", taken)
        values = {key: self.values[key] for key in KEYS if key in self.values}
        return Draft(slug=name, values=values, notes=tuple(dict.fromkeys(self.notes)), names=self.names)

    def _note(self, key: str, kind: Kind, what: str) -> None:
        self.notes.append(Note((key,), kind, what))

    def _put(self, key: str, value: Any, otherwise: str | None = None) -> None:
        """The key's value, if there is one; else `otherwise` says why one is missing."""
        if value:
            self.values[key] = value
        elif otherwise is not None:
            self._note(key, "missing", otherwise)

    def _text(self, said: str) -> str:
        return text_of(said, markdown=self.record.markdown)

    def _texts(self, key: str, said: Texts, clean: Callable[[str], str]) -> dict[str, str]:
        """The texts by language; one in a language that the lab does not know is left out, and named."""
        found: dict[str, str] = {}
        for lang, text in said.items():
            cleaned = clean(text)
            if not cleaned:
                continue
            code = language(lang or self.record.language)
            if code is None:
                shown = lang or self.record.language
                self._note(key, "told", f"left out: a text in {shown[:20]!r}, {_NO_LANGUAGE}")
            elif lang or code not in found:  # a text that says its language goes before one that does not
                found[code] = cleaned
        return found

    def _people(self) -> None:
        record = self.record
        publisher = _publisher(record.publisher)
        self._put("publisher", publisher, "the portal names no organisation")
        for party in record.contacts:
            email = _EMAIL.search(party.email or "")
            if email is not None:
                name = line_of(party.name or "") or (publisher or {}).get("name") or email[0]
                self.values["contact"] = {"name": name, "email": email[0].removeprefix("mailto:")}
                return
        named = next((party.name for party in record.contacts if party.name), None)
        said = "the portal says no e-mail address" + (f"; whom to ask: {line_of(named)}" if named else "")
        self._note("contact", "missing", said)

    def _words(self) -> None:
        record = self.record
        keywords = self._keywords()
        found = themes(record.themes, [word for words in keywords.values() for word in words])
        codes = [one.word for one in found if one.word is not None]
        why = "; ".join(one.why for one in found if one.why)
        self._put("themes", codes, why or "the portal says none")
        if codes and why:
            self._note("themes", "guessed", why)
        self._put("keywords", keywords, "the portal says none")
        meant = licence(record.licences)
        self._put("licence", meant.word, meant.why)
        if meant.word is not None and meant.why:
            self._note("licence", "guessed", meant.why)
        note = text_of(record.licence_note or "")
        self._put("licence_note", note if len(note) <= _LONG else note[: _LONG - 1] + "…")
        often = frequency(record.frequency)
        self.values["frequency"] = often.word
        if often.why:
            self._note("frequency", "guessed", often.why)

    def _keywords(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for lang, words in self.record.keywords.items():
            code = language(lang or self.record.language)
            if code is None:
                self._note("keywords", "told", f"left out: those in {lang[:20]!r}, {_NO_LANGUAGE}")
                continue
            cleaned = (line_of(word, 100) for word in words)
            found[code] = list(dict.fromkeys([*found.get(code, ()), *(word for word in cleaned if word)]))[:_KEYWORDS]
        return {code: words for code, words in found.items() if words}

    def _where_and_when(self) -> None:
        record = self.record
        placed = spatial(record.areas)
        self._put("spatial", placed.values, "; ".join(dict.fromkeys(placed.told)) or "the portal says no place")
        for what in placed.guessed if placed.values else ():
            self._note("spatial", "guessed", what)
        for what in placed.told if placed.values else ():
            self._note("spatial", "told", what)
        start, end = day(record.start), day(record.end, last=True)
        if start is not None and end is not None and start > end:
            self._note("temporal", "told", f"the portal says a period from {start} to {end}, which cannot be")
        else:
            self._put("temporal", _days(start=start, end=end))
        issued, created = day(record.issued), day(record.created)
        if issued is None and created is not None:
            self._note("issued", "guessed", "the day on which the portal's own record was made")
        self._put("issued", _days(day=issued or created).get("day"), "the portal says no date of publication")
        self._put("landing_page", _address(record.page))

    def _law(self) -> None:
        record = self.record
        by_address = {str(known["uri"]): word for word, known in HVD.items()}
        found = [by_address.get(one, one) for one in record.hvd if one in by_address or one in HVD or _is_hvd(one)]
        self._put("hvd", list(dict.fromkeys(found)))
        for one in record.hvd:
            if one not in by_address and one not in HVD and not _is_hvd(one):
                self._note("hvd", "told", f"the portal says {one[:80]!r}, which is no category of EU 2023/138")
        laws: list[Values] = []
        for name, url in record.basis:
            address = _address(url)
            cleaned = line_of(name) or address
            if cleaned:
                laws.append({"name": cleaned, **({} if address is None else {"url": address})})
        self._put("legal_basis", laws)
        self._put("provenance", self._texts("provenance", record.provenance, self._text))
        if record.restricted:
            self.values["sensitivity"] = "internal"
            self._note("sensitivity", "guessed", f"the portal says {line_of(record.restricted)!r}")

    def _resources(self) -> None:
        made = resources(self.record, self.names, self._texts)
        self.names = made.names
        self.notes += made.notes
        self._put("resources", made.values, "no link of the portal's leads to a table that the lab can read")

    def _told(self, notes: Iterable[tuple[str, str]]) -> None:
        for key, what in notes:
            self._note(key, "told", what)

    def _checked(self) -> None:
        """Take out what the model would refuse after all, and say why: a draft lacks things, but is not wrong."""
        for _ in range(len(KEYS) + len(self.values.get("resources", ()))):
            try:
                Dataset.model_validate(self.values)
            except ValidationError as error:
                wrong = [one for one in error.errors() if one["type"] != "missing" or len(one["loc"]) > 1]
                if not wrong:
                    return
                key, *rest = (str(step) for step in wrong[0]["loc"])
                why = f"what the portal says is refused: {wrong[0]['msg'].removeprefix('Value error, ')}"
                if key == "resources" and rest and len(self.values[key]) > 1:
                    self.values[key].pop(rest[0])
                else:
                    self.values.pop(key, None)
                self._note(key, "missing" if key in NEEDED and key not in self.values else "told", why[:300])
            else:
                return


def _publisher(party: Party | None) -> Values | None:
    """Its name, its SIREN where the portal says one or a SIRET whose key is good, and its address."""
    name = "" if party is None else line_of(party.name or "")
    if party is None or not name:
        return None
    digits = re.sub(r"[\s.\u00a0]", "", party.number or "")
    siren = digits[:9] if _DIGITS.fullmatch(digits) and SIREN.valid(digits[:9]) else None
    url = _address(party.url)
    return {
        "name": name,
        **({} if siren is None else {"siren": siren}),
        **({} if url is None else {"url": url}),
    }


def _address(url: str | None) -> str | None:
    """The address, if it is one of the web and has no password in it."""
    try:
        found = _URL.validate_python((url or "").strip())
    except ValidationError:
        return None
    return None if found.username is not None or found.password is not None else (url or "").strip()


def _days(**days: dt.date | None) -> dict[str, str]:
    return {name: one.isoformat() for name, one in days.items() if one is not None}


def _is_hvd(address: str) -> bool:
    return address.startswith(_BNA) and address != _BNA
