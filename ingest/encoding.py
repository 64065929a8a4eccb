"""Bytes → the encoding they are written in: by their mark, as UTF-8, or by what makes words of them."""

from __future__ import annotations

import codecs
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
_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_HIGH = bytes(range(0x80))
_BESIDE = frozenset("’‘“”«»–—…€°²³ºª½¼¾")
_ELIDED = frozenset("cdjlmnstu")  # l’eau, qu’il: what a French apostrophe stands after
_FRENCH = frozenset("éèêëàâäîïôöùûüçœæÉÈÊËÀÂÎÏÔÙÛÜÇŒÆ")


def detect_encoding(path: Path) -> str:
    """The encoding of the file: by its mark, else UTF-8 if it mostly is, else the likeliest legacy one.

    Text that has more good UTF-8 sequences than bad ones is UTF-8 with broken rows, which are rejected, not a reason to
    read all the others otherwise. Raises ReadingError on NUL bytes: those are no text.
    """
    seen: Counter[int] = Counter()
    contexts: Counter[bytes] = Counter()
    with path.open("rb") as file:
        marked = _marked(path, file.read(4))
        if marked is not None:
            return marked
        file.seek(0)
        offset, good, decoder = 0, 0, codecs.getincrementaldecoder("utf-8")()
        is_utf8 = True
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                raise ReadingError(
                    f"{path}: a NUL byte at offset {offset + chunk.index(0)}: this is no text file; "
                    "if it is UTF-16, declare encoding: utf-16-le under read:, and if it is packed, unpack it"
                )
            offset += len(chunk)
            high = chunk.translate(None, _HIGH)
            if high:
                seen.update(high)
                good += len(_MULTIBYTE.findall(chunk))
                if len(contexts) < _CONTEXTS:
                    contexts.update(_IN_CONTEXT.findall(chunk))
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
    if (is_utf8 and not decoder.getstate()[0]) or _broken(path) < good:
        return "utf-8"
    possible = [encoding for encoding in _LEGACY if _knows(encoding, seen)]
    return max(possible, key=lambda encoding: _likeliness(contexts, encoding))


def _marked(path: Path, start: bytes) -> str | None:
    """The encoding that the file's first bytes name, if they name one."""
    if start in {codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE}:
        raise ReadingError(f"{path}: this is UTF-32; save it as UTF-8")
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def _broken(path: Path) -> int:
    """How many bytes or sequences are no UTF-8."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return sum(text.count("\ufffd") for text in iter(lambda: file.read(_CHUNK), ""))


def _knows(encoding: str, seen: Counter[int]) -> bool:
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
