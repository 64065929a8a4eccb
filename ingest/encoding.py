"""Bytes → the encoding they are written in: by their mark, as UTF-8, or by what makes words of them."""

from __future__ import annotations

import codecs
import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

from policies.errors import ReadingError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 22
_CONTEXTS = 20_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LEGACY = ("cp1252", "iso8859_15", "mac_roman", "cp850")
_IN_CONTEXT = re.compile(rb"(?s)(?=(.[\x80-\xff].))")
_ASCII = bytes(range(0x80))
_BESIDE = frozenset("’‘“”«»–—…€°²³ºª½¼¾")
_ELIDED = frozenset("cdjlmnstu")  # l’eau, qu’il: what a French apostrophe stands after
_FRENCH = frozenset("éèêëàâäîïôöùûüçœæÉÈÊËÀÂÎÏÔÙÛÜÇŒÆ")


def detect_encoding(path: Path) -> str:
    """The encoding of the file: by its mark, else UTF-8 if it mostly is, else the likeliest legacy one.

    Text that has more good UTF-8 sequences than bad ones is UTF-8 with broken rows, which are rejected, not a reason to
    read all the others otherwise. Raises ReadingError on NUL bytes: those are no text.
    """
    with path.open("rb") as file:
        marked = _marked(path, file.read(4))
    if marked is not None:
        return marked
    if _is_utf8(path):
        return "utf-8"
    broken, good = _utf8_sequences(path)
    if broken < good:
        return "utf-8"
    seen, contexts = _high_bytes(path)
    possible = [encoding for encoding in _LEGACY if _knows(encoding, seen)]
    return max(possible, key=lambda encoding: _likeliness(contexts, encoding))


def _is_utf8(path: Path) -> bool:
    """Whether the whole file is UTF-8; raises ReadingError on NUL bytes."""
    decoder, offset, holds = codecs.getincrementaldecoder("utf-8")(), 0, True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                raise ReadingError(
                    f"{path}: a NUL byte at offset {offset + chunk.index(0)}: this is no text file; "
                    "if it is UTF-16, declare encoding: utf-16-le under read:, and if it is packed, unpack it"
                )
            offset += len(chunk)
            try:
                if holds:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                holds = False
    return holds and not decoder.getstate()[0]


def _utf8_sequences(path: Path) -> tuple[int, int]:
    """How many sequences past ASCII are no UTF-8, and how many are."""
    broken = signs = 0
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        while text := file.read(_CHUNK):
            broken += text.count("\ufffd")
            signs += len(text) - len(text.encode("ascii", errors="ignore"))
    return broken, signs - broken


def _high_bytes(path: Path) -> tuple[set[int], Counter[bytes]]:
    """Which bytes past ASCII the file has, and the first of them with their neighbours."""
    seen: set[int] = set()
    contexts: Counter[bytes] = Counter()
    left = _CONTEXTS
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            high = chunk.translate(None, _ASCII)
            seen.update(high)
            if high and left > 0:
                found = [match[1] for match in itertools.islice(_IN_CONTEXT.finditer(chunk), left)]
                contexts.update(found)
                left -= len(found)
    return seen, contexts


def _marked(path: Path, start: bytes) -> str | None:
    """The encoding that the file's first bytes name, if they name one."""
    if start in {codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE}:
        raise ReadingError(f"{path}: this is UTF-32; save it as UTF-8")
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _knows(encoding: str, seen: set[int]) -> bool:
    try:
        bytes(seen).decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _likeliness(contexts: Counter[bytes], encoding: str) -> int:
    """How well the bytes past ASCII, read so, sit between their neighbours: letters in words, in the word's case."""
    score = 0
    for context, count in contexts.items():
        before, sign, after = list(context.decode(encoding, errors="replace"))
        score += count * _fit(before, sign, after)
    return score


def _fit(before: str, sign: str, after: str) -> int:
    if not sign.isprintable():
        return 0 if sign == "\xa0" else -5
    in_word = before.isalpha() or after.isalpha()
    if sign == "’" and before.lower() in _ELIDED and after.isalpha():
        return 4
    if sign in _BESIDE:
        return 1
    if not (in_word and sign.isalpha()):
        return -2 if in_word else -int(sign.isalpha())
    lower_in_capitals = sign.islower() and after.isupper()
    capital_in_word = sign.isupper() and before.islower()
    if lower_in_capitals or capital_in_word:
        return -2
    return 3 if sign in _FRENCH else 1
