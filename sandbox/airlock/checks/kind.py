"""Only kinds of files that a person can look through leave, and each is what its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .candidate import Kind
    from .facts import Facts

KINDS: dict[str, Kind] = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "ndjson": "json",
    "parquet": "parquet",
    "png": "png",
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "txt": "text",
    "md": "text",
    "ipynb": "notebook",
    **dict.fromkeys(
        ("pkl", "pickle", "joblib", "pt", "pth", "onnx", "h5", "hdf5", "keras", "safetensors", "gguf", "rds", "pmml"),
        "model",
    ),
}
"""By a name's ending. SVG and PDF are not among them: they hold every point that was drawn, and scripts."""
TEXTS = frozenset({"csv", "json", "text", "notebook"})
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "png"),
    (b"\xff\xd8\xff", "a JPEG image", "jpeg"),
    (b"PAR1", "Parquet", "parquet"),
    (b"PK", "a ZIP archive", None),
    (b"\x1f\x8b", "a gzip archive", None),
    (b"BZh", "a bzip2 archive", None),
    (b"\xfd7zXZ", "an xz archive", None),
    (b"7z\xbc\xaf", "a 7z archive", None),
    (b"Rar!", "a RAR archive", None),
    (b"(\xb5/\xfd", "a zstd archive", None),
    (b"\x7fELF", "a program", None),
    (b"MZ", "a program", None),
    (b"#!", "a script", None),
    (b"%PDF", "a PDF", None),
    (b"\x89HDF", "HDF5", None),
    (b"SQLite format 3", "a database", None),
)

_HEAD = 16


def kind_of(name: str) -> Kind | None:
    """What a file is by its name, None where nothing of that name may leave."""
    return KINDS.get(name.rpartition(".")[2].lower()) if "." in name else None


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    named, content = kind_of(candidate.name), candidate.content
    if named is None:
        may = ", ".join(sorted(ending for ending, kind in KINDS.items() if kind != "model"))
        yield Finding("kind", "stop", candidate.name, f"files of this name do not leave; those that may end in {may}")
        return
    if named == "model":
        return  # models.py speaks of it
    really = next(((said, kind) for magic, said, kind in _MAGIC if content.startswith(magic)), None)
    if really is not None and really[1] != named and not (named in TEXTS and _printable(content[:_HEAD])):
        yield Finding("kind", "stop", candidate.name, f"the file is {really[0]} and not what its name says")
    elif named not in TEXTS and (really is None or really[1] != named):
        yield Finding("kind", "stop", candidate.name, f"the file is no {named} and not what its name says")
    elif named == "parquet" and not content.endswith(b"PAR1"):
        yield Finding("kind", "stop", candidate.name, "the file does not end as Parquet does")
    elif named in TEXTS and not _utf8(content):
        yield Finding("kind", "stop", candidate.name, "the file is no text in UTF-8")
    elif not content:
        yield Finding("kind", "stop", candidate.name, "the file is empty")


def _printable(head: bytes) -> bool:
    """Whether a text begins as its kind does by chance: `PK;n` is a header of CSV."""
    return all(char.isprintable() or char in "\t\r\n" for char in head.decode("ascii", "replace"))


def _utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


KIND = Check(
    word="kind",
    run=_run,
    good=(
        Example("t.csv", b"region;n\nEst;12\n"),
        Example("t.csv", b"PK;n\nEst;12\n"),  # a column of that name
        Example("notes.md", "# Résultats\n".encode()),
    ),
    bad=(
        Example("all.zip", b"PK\x03\x04"),
        Example("t.csv", b"PK\x03\x04\x14\0\0\0"),
        Example("t.csv.gz", b"\x1f\x8b\x08"),
        Example("plot.png", b"\x1f\x8b\x08"),
        Example("run.sh", b"#!/bin/sh\n"),
        Example("t.csv", b"\x7fELF\x02"),
        Example("plot.svg", b"<svg/>"),
        Example("doc.pdf", b"%PDF-1.7"),
        Example("t.csv", "région;n\n".encode("cp1252")),
        Example("t.csv", b""),
        Example("noname", b"a"),
        Example("page.html", b"<script>"),
    ),
)
