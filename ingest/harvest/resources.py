"""A record's links → the `resources` of its draft: named, with the best connector, and what is said of columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.harvest.draft import Note, Values
from ingest.harvest.names import slug
from ingest.harvest.plain import line_of, text_of
from ingest.harvest.tables import tables, without_format
from ingest.harvest.words.languages import language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingest.harvest.record import Field, Link, Record, Texts

    Cleaned = Callable[[str, Texts, Callable[[str], str]], dict[str, str]]

_SHOWN = 20
_COLUMNS = 500
_LONGEST = 100  # signs of a column's name


@dataclass(frozen=True)
class Resources:
    """What stands under `resources`, the notes on it, and the names by the portal's keys."""

    values: Values
    notes: tuple[Note, ...]
    names: dict[str, str]


def resources(record: Record, known: Mapping[str, str], texts: Cleaned) -> Resources:
    """The resources of a record. `known` are the names of before; `texts` cleans texts by language, for a key."""
    chosen = tables(record.links)
    values: Values = {}
    names: dict[str, str] = {}
    notes = [Note(("resources",), "told", f"left out: {title!r}: {why}") for title, why in chosen.aside[:_SHOWN]]
    if len(chosen.aside) > _SHOWN:
        notes.append(Note(("resources",), "told", f"left out: {len(chosen.aside) - _SHOWN} more"))
    reserved = set(known.values())
    for table in chosen.taken:
        link = table.link
        title = {lang: without_format(text) if table.also else text for lang, text in link.title.items()}
        said = texts("resources", title, line_of) or {language(record.language) or "fr": line_of(link.key)}
        taken = {*names.values(), *reserved}
        name = known.get(link.key) or slug([*said.values(), link.key], link.key, taken, fallback="table")
        names[link.key] = name
        values[name] = _resource(record, link, said, texts)
        place = ("resources", name)
        if table.unsure is not None:
            notes.append(Note(place, "guessed", f"{table.unsure}: it may be no table"))
        if table.also:
            notes.append(Note(place, "told", f"the portal has the same as {', '.join(table.also)}"))
        if link.schema is not None and not link.schema.startswith(("http://", "https://")):
            notes.append(Note(place, "told", f"the portal says that it follows the schema {link.schema[:200]}"))
    return Resources(values, tuple(notes), names)


def _resource(record: Record, link: Link, title: dict[str, str], texts: Cleaned) -> Values:
    description = texts("resources", link.description, lambda said: text_of(said, markdown=record.markdown))
    columns = _columns(record, link.fields)
    made: dict[str, Any] = {
        "title": title,
        "description": description if description != title else None,
        "source": dict(link.source) if link.source is not None else {"url": link.url},
        "origin": link.url or record.page or record.portal or record.identifier,
        "tableschema": link.schema if (link.schema or "").startswith(("http://", "https://")) else None,
        "columns": columns,
    }
    return {key: value for key, value in made.items() if value}


def _columns(record: Record, fields: tuple[Field, ...]) -> Values:
    """What the portal says of columns beyond their names."""
    lang = language(record.language) or "fr"
    found: Values = {}
    for one in fields[:_COLUMNS]:
        title, description = line_of(one.title or ""), text_of(one.description or "")
        said: Values = {}
        if title and title != one.name:
            said["title"] = {lang: title}
        if description and description != title:
            said["description"] = {lang: description}
        if one.unit:
            said["unit"] = line_of(one.unit, 60)
        if said and one.name.isprintable() and 0 < len(one.name) <= _LONGEST:
            found[one.name] = said
    return found
