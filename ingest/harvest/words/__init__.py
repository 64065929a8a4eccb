"""What portals write → the controlled words of `catalog.vocabulary`. Pure; one small file a vocabulary.

What is not known for certain is no word: the answer says why, and a steward decides.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """The word for what a portal says, None if there is none; `why` says what was guessed, or what is unknown.

    A word without `why` is what the portal says itself.
    """

    word: str | None
    why: str = ""


def folded(text: str) -> str:
    """The text in lower case, without accents, and with one space for what is neither letter nor digit."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]+", " ", plain.replace("œ", "oe").replace("æ", "ae")).strip()


def last_of(uri: str) -> str:
    """What stands at the end of an address, after the last `/` or `#`."""
    return re.split(r"[/#]", uri.rstrip("/#"))[-1]
