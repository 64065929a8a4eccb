"""What to write under a figure: the query, the snapshots it read, and a hash of the rows it gave."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

_TEXTS = ("name", "dataset", "edition", "resource", "committed", "sha256", "title", "publisher", "licence", "page")
_PHRASES = {
    "fr": (
        (
            "{publisher}, « {title} » ({resource}, édition {edition}), version {version} du {committed}, {page}, "
            "licence {licence}, SHA-256 {sha256}"
        ),
        "Ce qui en est tiré se partage à l'identique ({}).",
        "Requête du {cited}, lignes : {rows}, empreinte {sha256}.",
    ),
    "en": (
        (
            "{publisher}, “{title}” ({resource}, edition {edition}), version {version} of {committed}, {page}, "
            "licence {licence}, SHA-256 {sha256}"
        ),
        "What is made of it is to be shared alike ({}).",
        "Query of {cited}, rows: {rows}, hash {sha256}.",
    ),
}


@dataclass(frozen=True)
class Citation:
    """A query, the snapshots it read, and a hash of the rows it gave, whatever their order; `print` shows it.

    `tables` says of each its name in the query, dataset, edition, resource, version, committed, sha256 of its files,
    title, publisher, licence, page.
    """

    query: str
    tables: tuple[dict[str, Any], ...]
    rows: int
    sha256: str
    cited: str
    engine: str

    def __str__(self) -> str:
        return self.text("fr")

    def text(self, lang: str = "fr") -> str:
        """What to write: a line a table, what a licence asks of what is made of it, and the query. `fr` or `en`."""
        if lang not in _PHRASES:
            message = f"{lang!r}: a citation is written in {' or '.join(_PHRASES)}"
            raise ValueError(message)
        table, alike, query = _PHRASES[lang]
        told = [
            table.format(**{**one, "committed": one["committed"][:10], "sha256": one["sha256"][:16]})
            for one in self.tables
        ]
        shared = sorted({one["licence"] for one in self.tables if one["share_alike"]})
        if shared:
            told.append(alike.format(", ".join(shared)))
        told.append(query.format(cited=self.cited, rows=self.rows, sha256=self.sha256[:16]))
        return "\n".join(told)

    def bibtex(self) -> str:
        """An entry of BibTeX for each table."""
        return "\n\n".join(map(self._entry, self.tables))

    def _entry(self, one: dict[str, Any]) -> str:
        fields = {
            "author": f"{{{one['publisher']}}}",
            "title": one["title"],
            "version": str(one["version"]),
            "date": one["committed"][:10],
            "url": one["page"],
            "urldate": self.cited,
            "note": f"{one['resource']}, edition {one['edition']}, licence {one['licence']}, SHA-256 {one['sha256']}",
        }
        lines = [f"  {key} = {{{text if key == 'url' else _escaped(text)}}}" for key, text in fields.items()]
        return "\n".join([f"@misc{{{one['dataset']}_{one['resource']}_v{one['version']},", ",\n".join(lines), "}"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, from which `replay` reads it."""
        Path(path).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def _is_whole(self) -> bool:
        """Whether every part is of its kind; a file may have been edited."""
        dt.date.fromisoformat(self.cited)
        texts = [self.query, self.sha256, self.engine, *(one[key] for one in self.tables for key in _TEXTS)]
        numbers = [self.rows, *(one["version"] for one in self.tables)]
        return all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Citation:
        """The citation that was saved to a file. Raises ValueError if it holds none."""
        try:
            told = json.loads(Path(path).read_text(encoding="utf-8"))
            read = cls(**{**told, "tables": tuple(told["tables"])})
            whole = read._is_whole()
        except (ValueError, TypeError, KeyError, AttributeError):
            whole = False
        if not whole:
            message = f"{path}: holds no citation; expected what `lab.cite(…).save(…)` writes"
            raise ValueError(message)
        return read


def sha256_of(folder: Path, served: dict[str, Any]) -> str:
    """The SHA-256 of a snapshot: of its file, or of the lines that `sha256sum` writes of several."""
    digests = []
    for name in sorted(served["files"]):
        with (folder / name).open("rb") as file:
            digests.append((hashlib.file_digest(file, "sha256").hexdigest(), name))
    if len(digests) == 1:
        return digests[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in digests).encode()).hexdigest()


def _escaped(text: str) -> str:
    """A text as BibTeX takes it."""
    return re.sub(r"([&%$#_])", r"\\\1", text)
