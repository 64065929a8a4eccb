"""Everything the DataLab can refuse, in one tree.

    DatalabError
    ├── DocumentError    a descriptor, policy or setting is wrong: FILE:LINE, what was expected
    ├── UsageError       a command was asked something that does not exist: a dataset, a principal, an option's value
    ├── DeniedError      the policy says no, and why
    ├── SourceError      a source cannot be had, or is not what it says it is
    ├── ReadingError     the bytes came, but cannot be read as a table without losing something
    ├── LakeError        what is on disk is damaged, or busy
    ├── QueryError       the SQL was refused or failed
    ├── RemoteError      another service (CKAN) is unreachable, or refused
    └── SandboxError     the jail cannot be made, or what ran in it failed

Each message names the file, line, column or URL, what was expected, and what to do. Exceptions never log;
`datalab.py` alone prints them, and exits with 1.
"""


class DatalabError(Exception):
    """A refusal that a person can act on; its text is the whole message."""


class DocumentError(DatalabError):
    """A file that a steward writes is wrong; the message starts with FILE:LINE."""


class UsageError(DatalabError):
    """A command was given a name or a value that the lab does not have."""


class DeniedError(DatalabError):
    """The policy does not allow it; the message carries the decision's reasons."""


class SourceError(DatalabError):
    """The source cannot be fetched, or answers something else than data."""


class ReadingError(DatalabError):
    """The bytes cannot be read as the declared table without losing or changing something."""


class LakeError(DatalabError):
    """A table in the lake is damaged or held by another job."""


class QueryError(DatalabError):
    """The SQL is not a single SELECT, or the engine refused it."""


class RemoteError(DatalabError):
    """A service beside the lab is unreachable, or refused the request."""


class SandboxError(DatalabError):
    """The jail cannot be made here, or the command in it failed."""
