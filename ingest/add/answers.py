"""What the steward says: by flags, or when asked for what nothing else tells. Pure but for who asks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from catalog.vocabulary import FREQUENCIES, LICENCES, THEMES
from ingest.harvest.draft import KEYS, Draft
from policies.document import suggest
from policies.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from catalog.model import Dataset

    Ask = Callable[[str, str, str | None], str]
    """Asks for a value: its name, what is expected, and what is taken for no answer."""

_LEVELS = {"commune": "communes", "epci": "epci", "departement": "departements", "region": "regions"}
_CODED = re.compile(rf"({'|'.join(_LEVELS)}):([0-9A-Z]+(,[0-9A-Z]+)*)")
_CONTACT = re.compile(r"(?P<name>[^<>]*?)\s*<?(?P<email>[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+)>?")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was said by flags; None, or nothing, is what was not said.

    `contact` is `NAME <EMAIL>`, `spatial` the name of a territory, or INSEE codes: `departement:76,27`.
    """

    title: str | None = None
    description: str | None = None
    publisher: str | None = None
    contact: str | None = None
    licence: str | None = None
    frequency: str | None = None
    spatial: str | None = None
    themes: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


def answered(draft: Draft, answers: Answers) -> Draft:
    """The draft with what was said in the place of what it had. Raises UsageError for a word that is not known."""
    values = dict(draft.values)
    said = {
        "title": answers.title and {"fr": answers.title},
        "description": answers.description and {"fr": answers.description},
        "publisher": answers.publisher and {"name": answers.publisher},
        "contact": answers.contact and _contact(answers.contact),
        "licence": answers.licence and _known(answers.licence, LICENCES, "licence"),
        "frequency": answers.frequency and _known(answers.frequency, FREQUENCIES, "frequency"),
        "themes": [_known(theme, THEMES, "theme") for theme in answers.themes],
        "keywords": answers.keywords and {"fr": list(answers.keywords)},
    }
    given = {key: value for key, value in said.items() if value}
    values.update(given)
    if answers.spatial is not None:
        where = _territory(answers.spatial, values.get("spatial", {}))
        if where is None:
            raise UsageError(f"where {answers.spatial!r} lies is not known: say its codes, such as departement:76,27")
        values["spatial"] = given["spatial"] = where
    notes = tuple(note for note in draft.notes if note.place[:1] != () and note.place[0] not in given)
    general = tuple(note for note in draft.notes if note.place == ())
    ordered = {key: values[key] for key in KEYS if key in values}
    return replace(draft, values=ordered, notes=(*general, *notes))


def asked(draft: Draft, ask: Ask, usual: Answers) -> Answers:
    """What is asked for, of what the draft lacks; `usual` is what is taken for no answer."""
    expected = {
        "title": "what the dataset is called",
        "description": "what it holds, for whom, and how it came to be",
        "publisher": "who answers for the data",
        "contact": "whom to ask: NAME <EMAIL>",
        "licence": ", ".join(LICENCES),
        "themes": ", ".join(THEMES),
        "keywords": "parted by commas",
        "spatial": "INSEE codes of the territory, such as region:28 or departement:76,27",
    }
    said: dict[str, Any] = {}
    for key, what in expected.items():
        if key in draft.missing:
            otherwise = getattr(usual, key)
            text = ask(key, what, ", ".join(otherwise) if isinstance(otherwise, tuple) else otherwise).strip()
            if key in {"themes", "keywords"}:
                said[key] = tuple(filter(None, (word.strip() for word in text.split(","))))
            elif text:
                said[key] = text
    return Answers(**said)


def usual_of(datasets: Iterable[Dataset]) -> Answers:
    """What most of the lab's datasets say of those who answer for them."""
    publishers: Counter[str] = Counter()
    contacts: Counter[str] = Counter()
    for dataset in datasets:
        publishers[dataset.publisher.name] += 1
        contacts[f"{dataset.contact.name} <{dataset.contact.email}>"] += 1
    return Answers(publisher=_most(publishers), contact=_most(contacts))


def _most(counted: Counter[str]) -> str | None:
    return counted.most_common(1)[0][0] if counted else None


def _contact(said: str) -> dict[str, str]:
    found = _CONTACT.fullmatch(said.strip())
    if found is None:
        raise UsageError(f"{said!r} is no contact; expected NAME <EMAIL>, such as Service Données <donnees@region.fr>")
    return {"name": found["name"] or found["email"], "email": found["email"]}


def _territory(said: str, before: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `spatial` that was said: codes, or another name for where the rows lie; None if nothing says where."""
    found = _CODED.fullmatch(said.strip())
    if found is None:
        return {**before, "name": said} if len(before) > 1 else None
    codes = found[2].split(",")
    return {"name": before.get("name", f"{found[1].capitalize()} {', '.join(codes)}"), _LEVELS[found[1]]: codes}


def _known(word: str, known: Mapping[str, Any], kind: str) -> str:
    if word not in known:
        raise UsageError(f"unknown {kind} {word!r}; {suggest(word, list(known))}")
    return word
