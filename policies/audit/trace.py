"""No grant comes or goes without a line: what the policies' files grant is compared with what the log last said.

    <file>    slug → its grants, each as canonical JSON; sealed by the log's key

The file is only a memory. Without it, or where it was changed, every grant is told again.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.audit import chain
from policies.audit.chain import BrokenLineError
from policies.audit.event import Event, Opened
from policies.audit.origin import terminal
from policies.model import Grant
from policies.replace import held, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from policies.audit.log import AuditLog
    from policies.model import Policy

Known = dict[str, list[str]]


@dataclass
class GrantTrace:
    """Follows the grants of a lab's policies in its log. Safe among processes and threads."""

    path: Path
    log: AuditLog
    _memory: tuple[tuple[int, int, int] | None, Known] = (None, {})
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, policies: Mapping[str, Policy | None]) -> None:
        """Write a line for each grant that came to one of these policies, by slug, or went, since the log last said so.

        It is for every door that reads them, before it opens. Raises LakeError if the log cannot be written.
        """
        now = {slug: _told(policy) for slug, policy in policies.items()}
        if _agree(self._known(), now):
            return
        with self._hold():
            known = self._known()
            if not _agree(known, now):
                self.log.write_all([event for slug, told in now.items() for event in _news(slug, known, told)])
                self._keep({**known, **now})

    def learn(self, slug: str, policy: Policy) -> None:
        """Take a policy for told: a command has written its own line for what changed."""
        with self._hold():
            self._keep({**self._known(), slug: _told(policy)})

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        with self._guard, held(self.path.with_suffix(".lock")):
            yield

    def _known(self) -> Known:
        try:
            state = self.path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            if self._memory[0] != stamp:
                self._memory = (stamp, chain.unsealed(self.log.key(), self.path.read_bytes()))
        except (OSError, BrokenLineError):
            return {}
        return self._memory[1]

    def _keep(self, known: Known) -> None:
        replace_file(self.path, chain.sealed(self.log.key(), dict(known)), 0o600)


def _told(policy: Policy | None) -> list[str]:
    return sorted(grant.model_dump_json(by_alias=True) for grant in (() if policy is None else policy.grants))


def _agree(known: Known, now: Known) -> bool:
    return all(known.get(slug, []) == told for slug, told in now.items())


def _news(slug: str, known: Known, told: list[str]) -> Iterator[Event]:
    before = known.get(slug, [])
    for word, these, those in (("went", before, told), ("came", told, before)):
        for text in these:
            if text not in those:
                grant = Grant.model_validate_json(text)
                yield Event(
                    what="policy",
                    door="file",
                    who=f"policies/{slug}.yaml",
                    editions=(Opened(dataset=slug, edition=grant.edition),),
                    origin=terminal(),
                    reason=f"{word}: {grant.why}",
                    to=grant.to,
                    purposes=grant.purposes if grant.purposes == "any" else ", ".join(grant.purposes),
                    until=grant.until,
                )
