"""One running sandbox and what its user is granted: looked at, told to the audit log, and carried out.

    with watching(lab, user, purpose, jailed, warn=…, end=…):       # in a thread, as long as this holds
        …

    watch = Watch(lab, user, purpose, process, warn=…, end=…)       # or one process for many of them, as the Hub does:
    watch.look()                                                    # each time that `Signs.changed()` says so

`process` is a pidfd of the jail's first process (`Jailed.ended`, or `os.pidfd_open(pid)`); nothing else of the sandbox
need be known, since what it shows is read from it: a watcher that was killed is replaced by another. What a sandbox has
lost cannot be opened any more; a file that was open may be read to its end by whoever holds it.

As root, an edition appears and vanishes in less than a tenth of a second. Without, none can: what is granted is met by
the next sandbox, and a sandbox that shows what is no longer granted is ended.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
import time
from typing import TYPE_CHECKING

from policies.decide import decide
from policies.editions import definition
from policies.errors import DatalabError, LakeError
from policies.model import RAW
from sandbox.live import told
from sandbox.live.changes import Changes, Shown, changes, shown
from sandbox.live.helper import run
from sandbox.live.placing import giving, taking
from sandbox.live.signs import Signs
from sandbox.live.standing import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.lab import Granted, Lab
    from sandbox.process import Jailed


_SAVED_WITHIN = 0.1


class Watch:
    """A sandbox, and what it showed when it was last looked at. Used by one thread."""

    def __init__(
        self,
        lab: Lab,
        user: str,
        purpose: str | None,
        process: int,
        *,
        warn: Callable[[str], None],
        end: Callable[[str], None],
        origin: str | None = None,
    ) -> None:
        """`warn` is told of what comes, goes, or cannot; `end` must stop the sandbox, and is given the reason."""
        self._lab, self._user, self._purpose, self._process = lab, user, purpose, process
        self._warn, self._end, self._origin = warn, end, origin
        self._shown: dict[str, Shown] | None = None
        self._known: dict[str, Granted] = {}
        self._revoked: dict[str, str] = {}
        self._said: set[str] = set()

    def look(self) -> bool:
        """Compare and carry out; False where it is to be tried again soon: the audit log could not be written, or the
        jail is still being made.

        Raises nothing: a sandbox that cannot be looked at, or keeps what it must lose, is ended.
        """
        try:
            after = self._granted()
            if after is not None:
                self._known = {_name(one): one for one in after}
            if self._shown is None:
                found = standing(self._lab, self._process, after or ())
                if found is None:
                    return False
                self._shown, self._revoked = found
            todo = Changes(self._no_longer(), ()) if after is None else changes(self._shown.values(), after)
            if todo.gone:
                self._take(todo.gone, self._shown)
            given = not todo.come or self._give(todo.come, self._shown)
        except ProcessLookupError:  # it has ended by itself
            return True
        except (DatalabError, OSError, ValueError) as error:
            self._stop(f"the sandbox of {self._user} was stopped: what it shows could not be looked at: {error}")
            return True
        return given and after is not None

    def _granted(self) -> tuple[Granted, ...] | None:
        """What is granted now; None where the audit log cannot be written, so that nothing may appear.

        A file of the lab's that cannot be read may be one that is just being saved: it is read again a moment later.
        """
        for again in (False, True):
            errors: list[DatalabError] = []
            principals = self._principals(errors)
            try:
                found = self._lab.granted(principals, purpose=self._purpose, left_out=errors.append)
            except LakeError as error:
                self._warn_once(f"{error}; nothing new is shown to {self._user} until the audit log can be written")
                return None
            if again or not errors or (principals and not any(map(self._unreadable, self._lab.slugs))):
                break
            time.sleep(_SAVED_WITHIN)
        for one in errors:
            self._warn_once(str(one))
        return found

    def _unreadable(self, slug: str) -> bool:
        try:
            self._lab.policy(slug)
        except DatalabError:
            return True
        return False

    def _principals(self, errors: list[DatalabError]) -> frozenset[str]:
        """Whom the user stands for; nobody, and one error more, if they are not known or the lab's files are wrong."""
        try:
            return self._lab.people.of_user(self._user)
        except DatalabError as error:
            errors.append(error)
            return frozenset()

    def _no_longer(self) -> tuple[Shown, ...]:
        """What is shown and no longer granted, by the policies alone."""
        principals, today = self._principals([]), dt.datetime.now(dt.UTC).date()
        return tuple(one for one in (self._shown or {}).values() if not self._holds(one, principals, today))

    def _holds(self, one: Shown, principals: frozenset[str], today: dt.date) -> bool:
        try:
            policy = self._lab.policy(one.dataset)
        except DatalabError:
            return False
        decision = decide(policy, one.edition, principals=principals, purpose=self._purpose, on=today)
        if policy is None or not decision.allow:
            return False
        tables = policy.editions.get(one.edition, {})
        return one.edition == RAW or all(
            name in tables and definition(tables[name]) == made for name, (made, _) in one.tables.items()
        )

    def _take(self, gone: tuple[Shown, ...], standing: dict[str, Shown]) -> None:
        """Take editions out. The log is told after it: a grant that has ended is not served while a log is mended."""
        names = ", ".join(one.name for one in gone)
        if os.geteuid() != 0:
            self._tell(gone, "no longer granted: its sandbox was ended")
            self._stop(f"the sandbox of {self._user} was stopped: no longer granted: {names}")
            return
        for one in gone:
            del standing[one.name]
            self._revoked[one.name] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        failed = run(self._process, taking(self._lab, gone, self._left(standing), self._revoked))
        self._tell(gone, "no longer granted: taken out of a running sandbox")
        if failed is not None:
            self._stop(f"the sandbox of {self._user} was stopped: {names} could not be taken out of it ({failed})")
            return
        self._warn(f"{names}: no longer granted to {self._user}, and gone from the sandbox")

    def _give(self, come: tuple[Granted, ...], standing: dict[str, Shown]) -> bool:
        """Put editions in, once the log is told; False where it cannot be."""
        names = ", ".join(map(_name, come))
        if os.geteuid() != 0:
            self._warn_once(f"{names}: granted to {self._user} now; without root only their next sandbox shows it")
            return True
        revoked = {name: when for name, when in self._revoked.items() if name not in map(_name, come)}
        order, whole = giving(self._lab, come, self._left(standing), revoked, lambda error: self._warn_once(str(error)))
        if not whole:
            return True
        try:
            self._lab.audit.write(told.appeared(self._user, self._purpose, whole, self._origin))
        except LakeError as error:
            self._warn_once(f"{error}; nothing new is shown to {self._user} until the audit log can be written")
            return False
        failed = run(self._process, order)
        if failed is not None:
            self._warn_once(f"{names}: could not be shown in the sandbox of {self._user}: {failed}")
            self._take(tuple(map(shown, whole)), standing | {_name(one): shown(one) for one in whole})
            return True
        self._revoked = revoked
        standing.update({_name(one): shown(one) for one in whole})
        self._warn(f"{', '.join(map(_name, whole))}: granted to {self._user}, and there in the sandbox")
        return True

    def _left(self, standing: dict[str, Shown]) -> tuple[Granted, ...]:
        return tuple(self._known[name] for name in standing if name in self._known)

    def _tell(self, gone: tuple[Shown, ...], why: str) -> None:
        try:
            self._lab.audit.write(told.vanished(self._user, self._purpose, gone, why, self._origin))
        except LakeError as error:
            self._warn_once(f"{error}; {', '.join(one.name for one in gone)} went from a sandbox all the same")

    def _stop(self, why: str) -> None:
        self._warn(why)
        self._end(why)

    def _warn_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._warn(message)


@contextlib.contextmanager
def watching(
    lab: Lab,
    user: str,
    purpose: str | None,
    jailed: Jailed,
    *,
    warn: Callable[[str], None],
    end: Callable[[str], None],
    origin: str | None = None,
) -> Iterator[None]:
    """Watch a sandbox in a thread of its own, in which `warn` and `end` are called as `Watch` calls them."""
    stopped, stop = os.pipe()
    process = os.dup(jailed.ended)
    watch = Watch(lab, user, purpose, process, warn=warn, end=end, origin=origin)
    thread = threading.Thread(target=_follow, args=(lab, watch, (process, stopped)), name="grants", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(stop)
        thread.join()
        os.close(stopped)
        os.close(process)


def _follow(lab: Lab, watch: Watch, until: tuple[int, ...]) -> None:
    """Look at each sign, until a descriptor is ready."""
    with Signs(lab) as signs:
        done = True
        while True:
            if signs.changed() or not done:
                done = watch.look()
            if not signs.wait(until):
                return


def _name(granted: Granted) -> str:
    return f"{granted.dataset}/{granted.edition}"
