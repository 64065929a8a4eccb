"""`datalab add`: what a portal says of a dataset, or a file its name; what its rows say; what the steward says."""

from __future__ import annotations

import datetime as dt
import filecmp
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter

from catalog.model import RESERVED, Dataset
from catalog.sources import Source
from ingest.add.found import columns, period, territory, titled, told
from ingest.add.look import look
from ingest.add.policy import policy_text
from ingest.harvest.asking import Asking
from ingest.harvest.draft import KEYS, Draft, Note
from ingest.harvest.drafting import draft_of
from ingest.harvest.names import slug
from ingest.harvest.portals import Failed
from ingest.harvest.portals.kinds import portal_of_dataset
from ingest.harvest.record import Link, Record
from ingest.harvest.yamltext import descriptor_yaml
from ingest.settings import IngestSettings
from policies.document import parse_yaml
from policies.errors import DatalabError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.lab import Lab
    from ingest.add.look import Seen

_SOURCE: TypeAdapter[Any] = TypeAdapter(Source)
_SUFFIXES = re.compile(
    r"(\.(csv|tsv|txt|xlsx?|ods|json|ndjson|jsonl|geojson|zip|gz|tar|gpkg|kmz|kml|gpx|gml|xml|parquet))+$"
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WORDS = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True, kw_only=True)
class Added:
    """What is to be written: the descriptor's text, the policy's, and the file of the source, if it is to be copied."""

    draft: Draft
    tables: dict[str, Seen]
    copied: tuple[Path, Path] | None = None

    def with_draft(self, draft: Draft) -> Added:
        """The same with another draft."""
        return replace(self, draft=draft)


def looked_at(lab: Lab, where: str, name: str | None, say: Callable[[str], None]) -> Added:
    """A draft of the dataset at `where`: a web address, a portal's page of a dataset, or a file, and what was seen.

    `name` is the slug to be, found if None. Nothing is written. Raises UsageError for what is there already,
    SourceError or ReadingError for what cannot be fetched or read at all.
    """
    settings = lab.section("ingest", IngestSettings)
    taken = {*lab.slugs, *(path.stem for path in (lab.root / "drafts").glob("*.yaml"))}
    if name is not None and (_NAME.fullmatch(name) is None or name in RESERVED):
        raise UsageError(f"--name {name!r}: a dataset's name is lower-case letters, digits and _, such as bornes_2024")
    if name is not None and name in taken:
        raise UsageError(f"{name}: there is a dataset or a draft of that name; say another one with --name")
    copied = None
    if where.startswith(("http://", "https://")):
        say("ask the portal")
        draft = _of_portal(where, Asking(settings, lab.var / "locks" / "hosts"), taken) or _of_file(
            where, where, taken, named=name is not None
        )
    else:
        path, copied = _placed(lab, where)
        draft = _of_file(path, where, taken, named=name is not None, local=True)
    draft = draft if name is None else replace(draft, slug=name)
    with tempfile.TemporaryDirectory(prefix=".datalab-add-", dir=lab.var) as scratch:
        root = lab.root if copied is None else copied[0].parent
        return _with_rows(draft, root, Path(scratch), settings, copied, say)


def write(lab: Lab, added: Added, *, granted: bool) -> tuple[Path, ...]:
    """Write the descriptor to datasets/, or to drafts/ if it lacks anything, the policy, and the file of the source.

    Returns what was written. Raises DocumentError for a descriptor that the lab would refuse, or OSError; nothing that
    is there is written over.
    """
    draft, text = added.draft, descriptor_yaml(added.draft)
    if not draft.missing:
        parse_yaml(text, f"datasets/{draft.slug}.yaml", Dataset)  # what is wrong is said before anything is written
    room = lab.root / ("drafts" if draft.missing else "datasets")
    written = [room / f"{draft.slug}.yaml"]
    room.mkdir(exist_ok=True)
    if added.copied is not None and not added.copied[1].exists():
        added.copied[1].parent.mkdir(exist_ok=True)
        source, target = added.copied
        passing = target.with_name(f".{target.name}.new")  # a copy that is cut leaves no file that looks whole
        shutil.copyfile(source, passing)
        passing.replace(target)
        written.append(added.copied[1])
    _new(written[0], text)
    policy = lab.root / "policies" / f"{draft.slug}.yaml"
    if not draft.missing and added.tables and not policy.exists():
        policy.parent.mkdir(exist_ok=True)
        contact = draft.values["contact"]
        owner = f"{contact['name']} <{contact['email']}>"
        _new(policy, policy_text(owner, added.tables, granted=granted))
        written.append(policy)
    return tuple(written)


def _new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _of_portal(url: str, asking: Asking, taken: set[str]) -> Draft | None:
    """The draft of the dataset whose page, at a portal, this address is; None if it is another address."""
    portal = portal_of_dataset(url, asking)
    if portal is None:
        return None
    for item in portal.items():
        if isinstance(item, Record):
            return draft_of(item, taken)
        if isinstance(item, Failed):
            raise SourceError(f"{item.where}: {item.why}")
    raise SourceError(f"{url}: the portal has no such dataset")


def _of_file(where: str, said: str, taken: set[str], *, named: bool, local: bool = False) -> Draft:
    """The draft of one file: its name is all that it says of itself."""
    file = unquote(urlsplit(where).path.rstrip("/").rpartition("/")[2]) if not local else Path(where).name
    stem = _SUFFIXES.sub("", file.lower()) and file[: len(_SUFFIXES.sub("", file.lower()))]
    title = titled(stem.replace("-", " ")) or "Sans titre"
    record = Record(
        portal=None,
        identifier=Path(where).name if local else said,
        title={"": title},
        description={},
        links=(
            Link(key=file, title={"": title}, url=None if local else where, source={"file": where} if local else None),
        ),
    )
    draft = draft_of(record, taken)
    values = dict(draft.values)
    notes = [note for note in draft.notes if note.kind != "missing" and note.place[0] not in {"resources", "frequency"}]
    notes.append(Note(("title",), "guessed", "of the file's name"))
    values.setdefault("frequency", "UNKNOWN")
    values["issued"] = dt.datetime.now(dt.UTC).date().isoformat()
    made = slug((stem, title), said, ())
    if made in taken and not named:
        raise UsageError(f"{made}: there is a dataset or a draft of that name; say another one with --name")
    return replace(draft, slug=made, values=values, notes=tuple(notes))


def _placed(lab: Lab, where: str) -> tuple[str, tuple[Path, Path] | None]:
    """A file's path in the lab, and, of one that lies elsewhere, from where to where it is to be copied."""
    path = Path(where).expanduser()
    if not path.is_file() or not where:
        what = "is a folder; name a file in it" if where and path.is_dir() else "no such file"
        raise UsageError(f"{where!r}: {what}; expected a web address, a portal's page of a dataset, or a file")
    path = path.resolve()
    if path.is_relative_to(lab.root):
        return str(path.relative_to(lab.root)), None
    target = lab.root / "sources" / path.name
    if target.exists() and filecmp.cmp(path, target, shallow=False):
        return f"sources/{path.name}", None
    if target.exists():
        raise UsageError(f"{target}: there is a file of that name in the lab; name that one, or rename {where}")
    return f"sources/{path.name}", (path, target)


def _with_rows(
    draft: Draft,
    root: Path,
    scratch: Path,
    settings: IngestSettings,
    copied: tuple[Path, Path] | None,
    say: Callable[[str], None],
) -> Added:
    """The draft with what the rows of its resources say; a file of several tables becomes as many resources."""
    resources: dict[str, Any] = {}
    notes = list(draft.notes)
    tables: dict[str, Seen] = {}
    for name, resource in draft.values.get("resources", {}).items():
        asked = resource["source"] if copied is None else {"file": copied[0].name}
        try:
            seen, failed = look(_SOURCE.validate_python(asked), root, scratch / name, settings, say)
        except DatalabError as error:
            if len(draft.values["resources"]) == 1:
                raise
            notes.append(Note(("resources", name), "told", f"cannot be read: {error}"))
            resources[name] = resource
            continue
        for table, facts in seen.items():
            own = name if len(seen) == 1 else slug((table,), table, resources.keys(), fallback="table")
            made = dict(resource)
            if len(seen) + len(failed) > 1:
                made["title"] = {"fr": titled(table)}
                made["read"] = {"table": table}
            made["columns"] = columns(facts, made.get("columns", {}))
            resources[own] = {key: made[key] for key in _ORDER if made.get(key)}
            tables[own] = facts
            notes += told(own, facts)
        notes += [Note(("resources",), "told", f"left out: {table or name}: {why}") for table, why in failed.items()]
    draft = replace(draft, values={**draft.values, "resources": resources}, notes=tuple(notes))
    return Added(draft=_filled(draft, list(tables.values())), tables=tables, copied=copied)


_ORDER = ("title", "description", "source", "origin", "read", "tableschema", "columns", "mode", "key", "refresh")


def _filled(draft: Draft, seen: list[Seen]) -> Draft:
    """The draft with the territory and the period of the rows, and keywords of its title, where it has none."""
    values, notes = dict(draft.values), list(draft.notes)
    if "spatial" not in values:
        where = territory(seen)
        if where is not None:
            values["spatial"], why = where
            notes = [note for note in notes if note.place != ("spatial",)]
            notes.append(Note(("spatial",), "guessed", why))
    days = period(seen)
    if "temporal" not in values and days is not None:
        values["temporal"] = days
        notes.append(Note(("temporal",), "guessed", "the first and the last day of the one column of dates"))
    if "keywords" not in values:
        words = dict.fromkeys(word.lower() for word in _WORDS.findall(" ".join(values["title"].values())))
        if words:
            values["keywords"] = {"fr": list(words)[:8]}
            notes = [note for note in notes if note.place != ("keywords",)]
            notes.append(Note(("keywords",), "guessed", "the words of the title"))
    return replace(draft, values={key: values[key] for key in KEYS if key in values}, notes=tuple(notes))
