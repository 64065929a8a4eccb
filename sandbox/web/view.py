"""A submission as a page shows it: to its requester without what is others', to a steward whole. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.airlock.shown import beside, by_severity
from sandbox.airlock.submission import CLOSED, MOVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.airlock.submission import Found, Said, Submission, Word

OWN: tuple[Word, ...] = ("answer", "withdraw")
"""What a requester says."""

STEWARDS: tuple[Word, ...] = ("ask", "refuse", "approve")
"""What a steward says; the first is what the Enter key says, so it is the one that decides nothing."""


@dataclass(frozen=True)
class Page:
    """`words` are those that may be said now, `looks` the checks that an approval has to name.

    `earlier` are related releases, `beside` those of them that stand beside the file; both are empty for a requester.
    `readable`: the bytes are there; `image`: they are a picture.
    """

    one: Submission
    steward: bool
    words: tuple[Word, ...]
    findings: tuple[Found, ...]
    looks: tuple[str, ...]
    said: tuple[Said, ...]
    earlier: tuple[Submission, ...] = ()
    beside: tuple[Submission, ...] = ()
    readable: bool = False
    image: bool = False


def for_requester(one: Submission) -> Page:
    """Without the places of findings and without accounts, which may tell of others."""
    findings = tuple(found.model_copy(update={"place": ""}) for found in by_severity(one))
    said = tuple(each.model_copy(update={"account": ""}) for each in one.said if each.word != "check")
    return Page(one, steward=False, words=_words(one, own=True), findings=findings, looks=(), said=said)


def for_steward(one: Submission, earlier: Sequence[Submission]) -> Page:
    """Everything."""
    findings = tuple(by_severity(one))
    looks = tuple(dict.fromkeys(found.check for found in findings if found.severity == "look"))
    stopped = any(found.severity == "stop" for found in findings)
    words = tuple(word for word in _words(one, own=False) if not (stopped and word == "approve"))
    return Page(
        one,
        steward=True,
        words=words,
        findings=findings,
        looks=looks,
        said=one.said,
        earlier=tuple(reversed(earlier)),
        beside=tuple(beside(one, earlier)),
        readable=one.state not in CLOSED or (one.state, one.direction) == ("released", "out"),
        image=one.kind in ("png", "jpeg"),
    )


def _words(one: Submission, *, own: bool) -> tuple[Word, ...]:
    return tuple(word for word in (OWN if own else STEWARDS) if word in MOVES[one.state])
