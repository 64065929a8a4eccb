"""Bytes → the encoding they are written in: by their mark, as UTF-8, or by what makes words of them."""

from __future__ import annotations

import codecs
import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_WINDOWS = 32
LARGE = _CHUNK * _WINDOWS
"""A file of more bytes is looked at in windows first."""
_CONTEXTS = 20_000
_PAST_ASCII = 0x80
_HIGH = bytes(range(_PAST_ASCII, 256))
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LEGACY = ("cp1252", "iso8859_15", "mac_roman", "cp850")
_IN_CONTEXT = re.compile(rb"(?s)(?=(.[\x80-\xff].))")
_BESIDE = frozenset("’‘“”«»–—…€°²³ºª½¼¾")
_ELIDED = frozenset("cdjlmnstu")  # l’eau, qu’il: what a French apostrophe stands after
_FRENCH = frozenset("éèêëàâîïôöùûüçœæÉÈÊËÀÂÎÏÔÙÛÜÇŒÆ")


def detect_encoding(path: Path, *, sure: bool = True) -> str:
    """The encoding of the file: by its mark, else UTF-8 if it mostly is, else the likeliest legacy one.

    Text that has more good UTF-8 sequences than bad ones is UTF-8 with broken rows, which are rejected, not a reason to
    read all the others otherwise; so is text in cp1252 with a few of the five bytes that it does not know. Not `sure`,
    a large file is UTF-8 if windows of it are: who reads it finds out.
    Raises ReadingError on NUL bytes: those are no text.
    """
    with path.open("rb") as file:
        start = file.read(4)
        marked = _marked(path, start) or _unmarked_utf16(start + file.read(_CHUNK))
    if marked is not None:
        return marked
    if not sure and path.stat().st_size > LARGE:
        if all(_is_utf8(window) for window in windows(path)):
            return "utf-8"
    elif _is_all_utf8(path):
        return "utf-8"
    broken, good = _utf8_sequences(path)
    if broken < good:
        return "utf-8"
    _refuse_ebcdic(path)
    contexts = _contexts(path)
    return max(_LEGACY, key=lambda encoding: _likeliness(contexts, encoding))


def may_break(encoding: str) -> bool:
    """Whether bytes that the encoding does not know are those of single rows, which are rejected."""
    return codecs.lookup(encoding).name in {"utf-8", "utf-8-sig", "cp1252"}


def _refuse_ebcdic(path: Path) -> None:
    """Raise ReadingError where most bytes are past ASCII and no line ends: letters and digits are so in EBCDIC."""
    with path.open("rb") as file:
        start = file.read(_CHUNK)
    if b"\n" not in start and len(start.translate(None, delete=_HIGH)) * 2 < len(start):
        raise ReadingError(
            f"{path}: most bytes are past ASCII and no line ends: this may be EBCDIC; declare its encoding "
            "(cp500, cp1147 or another) under read:"
        )


def _unmarked_utf16(start: bytes) -> str | None:
    """UTF-16 without its mark: mostly signs below 256, so every other byte is 0."""
    half = len(start) // 2
    low, high = start[1::2].count(0), start[0::2].count(0)
    if half > 0 and low > half * 0.5 and high == 0:
        return "utf-16-le"
    return "utf-16-be" if half > 0 and high > half * 0.5 and low == 0 else None


def windows(path: Path) -> Iterator[bytes]:
    """Pieces from all over the file, the first of them its start."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for start in range(0, size, max(size // _WINDOWS, _CHUNK)):
            file.seek(start)
            yield file.read(_CHUNK)


def _is_utf8(window: bytes) -> bool:
    """Whether what was cut out of a text is UTF-8, but for a sign cut at either end."""
    start = next((place for place in range(min(4, len(window))) if window[place] & 0xC0 != 0x80), 0)  # noqa: PLR2004
    try:
        codecs.getincrementaldecoder("utf-8")().decode(window[start:])
    except UnicodeDecodeError:
        return False
    return True


def _is_all_utf8(path: Path) -> bool:
    """Whether the whole file is UTF-8; raises ReadingError on NUL bytes."""
    decoder, offset, holds = codecs.getincrementaldecoder("utf-8")(), 0, True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                raise ReadingError(
                    f"{path}: a NUL byte at offset {offset + chunk.index(0)}, on line {nul_line(path)}: this is no "
                    "text file; if it is UTF-16, declare encoding: utf-16-le under read:, and if it is packed, unpack "
                    "it"
                )
            offset += len(chunk)
            try:
                if holds:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                holds = False
    return holds and not decoder.getstate()[0]


def nul_line(path: Path, encoding: str = "latin-1") -> int:
    """The line of the first NUL in the text; the last one, if there is none."""
    line, nul = 1, ""
    with path.open(encoding=encoding, errors="replace") as file:
        while not nul and (chunk := file.read(_CHUNK)):
            before, nul, _ = chunk.partition("\0")
            line += before.count("\n")
    return line


def _utf8_sequences(path: Path) -> tuple[int, int]:
    """How many sequences past ASCII are no UTF-8, and how many are, in windows of the file."""
    broken = signs = 0
    for window in windows(path):
        text = window.decode("utf-8", errors="replace")
        broken += text.count("\ufffd")
        signs += len(text) - len(text.encode("ascii", errors="ignore"))
    return broken, signs - broken


def _contexts(path: Path) -> Counter[bytes]:
    """The first bytes past ASCII with their neighbours."""
    contexts: Counter[bytes] = Counter()
    left = _CONTEXTS
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(_CHUNK)):
            # The first and the last sign of a file have a neighbour too
            found = [match[1] for match in itertools.islice(_IN_CONTEXT.finditer(b"\n" + chunk + b"\n"), left)]
            contexts.update(found)
            left -= len(found)
    return contexts


def _marked(path: Path, start: bytes) -> str | None:
    """The encoding that the file's first bytes name, if they name one."""
    if start in {codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE}:
        raise ReadingError(f"{path}: this is UTF-32; save it as UTF-8")
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _likeliness(contexts: Counter[bytes], encoding: str) -> int:
    """How well the bytes past ASCII, read so, sit between their neighbours: letters in words, in the word's case."""
    score = 0
    for context, count in contexts.items():
        before, sign, after = list(context.decode(encoding, errors="replace"))
        score += count * _fit(before, sign, after)
    return score


def _fit(before: str, sign: str, after: str) -> int:
    if not sign.isprintable() or sign == "\ufffd":  # a byte that the encoding does not know
        return 0 if sign == "\xa0" else -5
    in_word = before.isalpha() or after.isalpha()
    if sign == "’" and before.lower() in _ELIDED and after.isalpha():
        return 4
    if sign in _BESIDE:
        return 1
    if not (in_word and sign.isalpha()):
        box = "\u2500" <= sign <= "\u259f"
        return -6 if box else -2 if in_word else -int(sign.isalpha())
    lower_in_capitals = sign.islower() and after.isupper()
    capital_in_word = sign.isupper() and before.isalpha() and (before.islower() or after.islower())
    if lower_in_capitals or capital_in_word:
        return -2
    # In French, à and ù end words, and hardly any begins with another small letter than é
    odd = (sign in "àùÀÙ" and after.isalpha()) or (sign in "èêëîïôöûü" and not before.isalpha())
    return 3 if sign in _FRENCH and not odd else 1
