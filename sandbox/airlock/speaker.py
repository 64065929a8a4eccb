"""Who says a word on a submission, and where they were when they said it."""

from __future__ import annotations

from dataclasses import dataclass

from policies.audit.origin import account, terminal


@dataclass(frozen=True)
class Speaker:
    """`name` is who they say they are, `account` who signed in, `origin` as in the audit log.

    `seen` is `Submission.seen` of what they had before their eyes; None: whatever there is now.
    """

    name: str
    account: str
    origin: str
    seen: str | None = None

    @classmethod
    def here(cls, name: str) -> Speaker:
        """Somebody at this terminal, who says who they are."""
        return cls(name, account(), terminal())
