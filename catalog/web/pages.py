"""What each page says, as data that a template only lays out."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from deltalake.exceptions import DeltaError

from catalog import download
from catalog.dcat import LABELS
from catalog.versions import Version, proofs, versions
from catalog.web.altered import altered
from catalog.web.origins import Origin, origin
from catalog.web.texts import TEXTS
from policies.errors import DatalabError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.download import Format
    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.lake import ServedColumn
    from catalog.metadata import Lang
    from catalog.model import Column
    from policies.editions import EditionTable

LOG = logging.getLogger("datalab.portal")

PREVIEW_COLUMNS = 40
VERSIONS = 10

TABLES_KEPT = 256
"""How many tables' facts stay in memory; one takes some 100 kB at most."""

_KINDS = (
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"DECIMAL.*", "decimal"),
    (r"FLOAT|DOUBLE|REAL", "float"),
    (r"BOOLEAN", "boolean"),
    (r"DATE", "date"),
    (r"TIMESTAMP.*|TIME.*", "timestamp"),
    (r"GEOMETRY", "geometry"),
)


class Told(NamedTuple):
    """A text, and the language it is really in: a page in English may hold a title in French."""

    text: str
    lang: str


class Cell(NamedTuple):
    """One cell of a preview; `text` None is NULL."""

    text: str | None
    cut: bool


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """One line of the table of columns; None is what nobody said."""

    name: str
    title: Told | None
    description: Told | None
    kind: str
    sql: str
    number: bool
    unit: str | None
    nulls: int | None
    why: str | None
    changed: str | None


@dataclass(frozen=True, kw_only=True)
class TableView:
    """One resource of one edition. `preview` and `versions` None: they cannot be read now."""

    name: str
    anchor: str
    title: Told
    description: Told | None
    rows: int
    columns: tuple[ColumnView, ...]
    preview: tuple[tuple[Cell, ...], ...] | None
    versions: tuple[Version, ...] | None
    versions_total: int
    origin: Origin
    downloads: tuple[tuple[str, str, int | None], ...]
    """Label, path and size in bytes, where that is known before the file is made."""


@dataclass(frozen=True, kw_only=True)
class EditionView:
    """One edition of the dataset, with its tables."""

    name: str
    tables: tuple[TableView, ...]


def tell(text: Mapping[str, str] | None, lang: Lang) -> Told | None:
    """The text in `lang`, or in the language there is; None when there is none."""
    if not text:
        return None
    return Told(text[lang], lang) if lang in text else next(Told(said, other) for other, said in text.items())


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What has to be read from the lake to show one snapshot of a table; None is what cannot be read now."""

    versions: tuple[Version, ...] | None
    why: Mapping[str, str]
    nulls: Mapping[str, int]
    preview: tuple[tuple[Cell, ...], ...] | None

    @property
    def complete(self) -> bool:
        """Whether everything could be read."""
        return self.versions is not None and self.preview is not None


class Reader:
    """Reads tables' facts, and keeps those of the last TABLES_KEPT snapshots shown. Safe between threads."""

    def __init__(self, lab: Lab) -> None:
        """Read nothing yet."""
        self.lab = lab
        self._kept: OrderedDict[tuple[object, ...], Facts] = OrderedDict()
        self._lock = threading.Lock()

    def facts(self, entry: Entry, name: str, kept: EditionTable | None) -> Facts:
        """The facts of the snapshot that `entry` serves of `name`; read again when a part could not be read."""
        served = entry.current.resources[name]
        key = (entry.slug, entry.edition, name, served.version, tuple(served.files.items()))
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        if found is not None and self._is_whole(entry, name):
            return found
        found = _read(self.lab, entry, name, kept)
        with self._lock:
            self._kept.pop(key, None)
            if found.complete:
                self._kept[key] = found
                if len(self._kept) > TABLES_KEPT:
                    self._kept.popitem(last=False)
        return found

    def _is_whole(self, entry: Entry, name: str) -> bool:
        """Whether the snapshot's files are still as committed: a file that was damaged since is told of, not hidden."""
        try:
            self.lab.lake.files(entry.slug, entry.edition, name, entry.current.resources[name])
        except DatalabError:
            return False
        return True


def edition_view(
    reader: Reader, entry: Entry, lang: Lang, uses: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> EditionView:
    """Everything the dataset page shows of one edition; what cannot be read is told as such, and logged."""
    try:
        policy = reader.lab.policy(entry.slug)
    except DatalabError:
        policy = None
    kept = {} if policy is None else policy.editions.get(entry.edition, {})
    tables = (
        _table_view(entry, name, reader.facts(entry, name, kept.get(name)), kept.get(name), lang, uses)
        for name in entry.resources
    )
    return EditionView(name=entry.edition, tables=tuple(tables))


def _read(lab: Lab, entry: Entry, name: str, kept: EditionTable | None) -> Facts:
    _, served = entry.resources[name]
    told: tuple[Version, ...] | None = None
    why: dict[str, str] = {}
    try:
        own, raw = (lab.lake.history(entry.slug, edition, name) for edition in (entry.edition, RAW))
        told, why = versions(own, raw), proofs(served.receipt, raw, kept)
    except (DatalabError, DeltaError, OSError) as error:
        LOG.warning("%s.%s: the history cannot be read: %s", entry.slug, name, error)
    nulls: dict[str, int] = {}
    cells: tuple[tuple[Cell, ...], ...] | None = None
    try:
        nulls = download.null_counts(lab, entry, name)
        rows = download.preview(lab, entry, name, served.columns[:PREVIEW_COLUMNS])
        cells = tuple(tuple(_cell(text) for text in row) for row in rows)
    except DatalabError as error:
        LOG.warning("%s", error)
    return Facts(versions=told, why=why, nulls=nulls, preview=cells)


def _table_view(
    entry: Entry,
    name: str,
    facts: Facts,
    kept: EditionTable | None,
    lang: Lang,
    uses: Mapping[str, tuple[str, ...]],
) -> TableView:
    resource, served = entry.resources[name]
    columns = tuple(
        _column_view(column, resource.columns.get(column.name), altered(column.name, kept, lang), facts, lang)
        for column in served.columns
    )
    return TableView(
        name=name,
        anchor=f"{entry.edition}-{name}",
        title=Told(*(tell(resource.title, lang) or (name, lang))),
        description=tell(resource.description, lang),
        rows=served.rows,
        columns=columns,
        preview=facts.preview,
        versions=None if facts.versions is None else facts.versions[:VERSIONS],
        versions_total=len(facts.versions or ()),
        origin=origin(entry, name, next(iter(facts.versions or ()), None), uses),
        downloads=tuple(_downloads(entry, name)),
    )


def _downloads(entry: Entry, name: str) -> Iterable[tuple[str, str, int | None]]:
    served = entry.current.resources[name]
    sizes: dict[Format, int] = {"parquet": sum(served.files.values())} if download.as_it_is(served) else {}
    for form in download.FORMATS:
        yield LABELS[form], f"data/{entry.slug}/{entry.edition}/{name}.{form}", sizes.get(form)


def _column_view(
    column: ServedColumn,
    known: Column | None,
    changed: str | None,
    facts: Facts,
    lang: Lang,
) -> ColumnView:
    return ColumnView(
        name=column.name,
        title=None if known is None else tell(known.title, lang),
        description=None if known is None else tell(known.description, lang),
        kind=TEXTS[lang]["kind_" + _kind(column.type)],
        sql=column.type,
        number=download.is_number(column),
        unit=None if known is None else known.unit,
        nulls=facts.nulls.get(column.name),
        why=facts.why.get(column.name),
        changed=changed,
    )


def _kind(sql: str) -> str:
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, sql)), "text")


def _cell(text: str | None) -> Cell:
    if text is None or len(text) <= download.PREVIEW_TEXT:
        return Cell(text, cut=False)
    return Cell(text[: download.PREVIEW_TEXT], cut=True)
