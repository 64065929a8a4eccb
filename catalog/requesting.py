"""Asking for an edition, and a steward's word on it: the request, the policy's text, and the audit log, in step.

The audit log has its line before anything changes. A job that is killed in between is done again by the same command:
a grant that stands in the policy already is not written twice.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from policies.audit.event import LONGEST, Event, Opened
from policies.audit.origin import account, terminal
from policies.decide import decide
from policies.document import parse_yaml, suggest
from policies.editions.model import Purpose
from policies.errors import DocumentError, UsageError
from policies.expect import broken
from policies.grantfile import with_end, with_grant
from policies.model import Grant, Policy
from policies.replace import replace_file
from policies.requests import Request, Requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.lab import Lab
    from policies.audit.event import What
    from policies.requests import State

MOST_OPEN = 100
"""Requests that one user may have waiting."""


def requests_of(lab: Lab) -> Requests:
    """The lab's requests."""
    return Requests(lab.var / "requests")


def ask(lab: Lab, user: str, what: str, *, purpose: str, until: dt.date, why: str) -> Request:
    """Ask for `DATASET/EDITION` as a user of the lab.

    Raises UsageError where something of it is unknown, ends in the past, is granted already or was asked before.
    """
    slug, _, edition = what.partition("/")
    principals = lab.principals(f"user:{user.removeprefix('user:')}")
    policy = _policy(lab, slug)
    if edition not in policy.names:
        raise UsageError(f"unknown edition {what!r}; {suggest(edition, list(policy.names))}")
    _check(purpose, until, why)
    decision = decide(policy, edition, principals=principals, purpose=purpose, on=_today())
    if decision.allow:
        raise UsageError(f"{what} is granted already: {decision.reasons[0]}")
    requests, who = requests_of(lab), f"user:{user.removeprefix('user:')}"
    with requests.hold():
        waiting = [one for one in requests.all() if one.state == "asked" and one.who == who]
        for one in waiting:
            if (one.dataset, one.edition, one.purpose) == (slug, edition, purpose):
                raise UsageError(f"request {one.number} asks for that already, and waits for a steward")
        if len(waiting) >= MOST_OPEN:
            raise UsageError(f"{who} has {len(waiting)} requests waiting: withdraw some of them")
        request = Request(
            number=requests.next_number(),
            dataset=slug,
            edition=edition,
            who=who,
            purpose=purpose,
            until=until,
            why=why,
            asked=_now(),
        )
        lab.audit.write(_event("request", request, who=who, reason=why))
        requests.put(request)
    return request


def grant(lab: Lab, number: int, *, by: str, why: str, until: dt.date | None = None) -> tuple[Request, Grant]:
    """Grant what was asked, from today until the day asked for, or another: the policy's file has it then.

    Raises DeniedError where somebody grants to themselves, UsageError if the request was decided before or the grant
    would break what the policy expects, DocumentError if the file cannot be changed without touching more.
    """
    requests = requests_of(lab)
    with requests.hold():
        request = requests.one(number)
        moved = request.moved("granted", by=by, account=account(), when=_now(), reason=why)
        end = request.until if until is None else until
        _check(request.purpose, end, why)
        mark = f"(request {number})"
        given = Grant.model_validate(
            {
                "to": request.who,
                "edition": request.edition,
                "purposes": [request.purpose],
                "from": _today(),
                "until": end,
                "why": f"{why} {mark}",
            }
        )
        written = [
            one
            for one in _policy(lab, request.dataset).grants
            if (one.to, one.edition) == (given.to, given.edition) and one.why.endswith(mark)
        ]
        if written:  # by a job that was killed before the request said so
            given = written[0]
        else:
            told = _event("grant", request, who=by, reason=why, until=end)
            _rewrite(lab, request.dataset, lambda text, path: with_grant(text, path, given), [told])
        requests.put(moved)
    return moved, given


def close(lab: Lab, number: int, to: State, *, by: str, why: str) -> Request:
    """Refuse a request, or withdraw one's own. Raises as `Request.moved`."""
    requests = requests_of(lab)
    with requests.hold():
        request = requests.one(number)
        moved = request.moved(to, by=by, account=account(), when=_now(), reason=why)
        _check(request.purpose, request.until, why, ends=False)
        what: What = "withdraw" if to == "withdrawn" else "refuse"
        lab.audit.write(_event(what, request, who=by, reason=why))
        requests.put(moved)
    return moved


def revoke(lab: Lab, slug: str, which: str, *, by: str, why: str) -> tuple[Grant, ...]:
    """End grants of a dataset today: the one of that number, or all those to a principal. They stay in the file.

    Raises UsageError if there is none that has not ended, DocumentError as `grant`.
    """
    policy, today = _policy(lab, slug), _today()
    _check("any", today, why, ends=False)
    places = [
        place
        for place, one in enumerate(policy.grants)
        if which in {str(place + 1), one.to} and (one.until is None or one.until > today)
    ]
    if not places:
        raise UsageError(f"{slug}: no grant {which!r} that has not ended; `datalab grants --dataset {slug}` lists them")

    def ended(text: str, path: Path) -> str:
        if parse_yaml(text, path, Policy) != policy:  # the numbers may be others now
            raise UsageError(f"{path}: was changed by somebody at this moment; try again")
        for place in places:
            text = with_end(text, path, place, today)
        return text

    gone = tuple(policy.grants[place] for place in places)
    events = [
        Event(
            what="revoke",
            door="cli",
            who=by,
            editions=(Opened(dataset=slug, edition=one.edition),),
            origin=terminal(),
            reason=why,
            to=one.to,
            purposes=one.purposes if one.purposes == "any" else ", ".join(one.purposes),
            until=today,
        )
        for one in gone
    ]
    with requests_of(lab).hold():
        _rewrite(lab, slug, ended, events)
    return gone


def _rewrite(lab: Lab, slug: str, change: Callable[[str, Path], str], events: list[Event]) -> None:
    """Change a policy's file, once the log says so. Raises UsageError if what it expects would no longer hold."""
    path = (lab.root / "policies" / f"{slug}.yaml").resolve()
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    made = change(text, path)
    before, after = parse_yaml(text, path, Policy), parse_yaml(made, path, Policy)
    for one in after.expect:
        who = lab.principals(one.who)
        found = list(broken(after, one, who, _today()))
        if found and not list(broken(before, one, who, _today())):
            raise UsageError(f"{path}: the policy expects otherwise: {found[0]}")
    if path.read_bytes() != raw:
        raise UsageError(f"{path}: was changed by somebody at this moment; try again")
    lab.trace.follow({slug: before})
    lab.audit.write_all(events)
    replace_file(path, made.encode(), path.stat().st_mode & 0o777)
    lab.trace.learn(slug, after)


def _policy(lab: Lab, slug: str) -> Policy:
    lab.dataset(slug)
    policy = lab.policy(slug)
    if policy is None:
        raise UsageError(f"{slug} has no policy: its steward writes {lab.root / 'policies' / slug}.yaml first")
    return policy


def _check(purpose: str, until: dt.date, why: str, *, ends: bool = True) -> None:
    try:
        TypeAdapter(Purpose).validate_python(purpose)
    except ValidationError:
        raise UsageError(f"--purpose {purpose!r}: expected a word of small letters, digits and -") from None
    if ends and until <= _today():
        raise UsageError(f"--until {until}: is not in the future; it is the first day on which a grant no longer holds")
    if not 1 <= len(why.strip()) <= LONGEST - 50 or not why.isprintable():
        raise UsageError(f"--why: expected one line of 1 to {LONGEST - 50} characters")


def _event(what: What, request: Request, *, who: str, reason: str, until: dt.date | None = None) -> Event:
    return Event(
        what=what,
        door="cli",
        who=who,
        editions=(Opened(dataset=request.dataset, edition=request.edition),),
        origin=terminal(),
        reason=reason,
        number=request.number,
        to=request.who,
        purposes=request.purpose,
        until=until or request.until,
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _today() -> dt.date:
    return _now().date()
