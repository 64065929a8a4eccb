"""One deployment: a folder with `datalab.toml`, `datasets/`, `policies/` and `var/`."""

from __future__ import annotations

import datetime as dt
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from catalog.lake import Current, Lake, Stamp, stamp
from catalog.model import RESERVED, Dataset
from policies.audit.files import HEAD
from policies.audit.log import AuditLog
from policies.audit.trace import GrantTrace
from policies.decide import granted_editions
from policies.document import check_section, read_toml, read_yaml, suggest
from policies.editions import definition
from policies.errors import DatalabError, DocumentError, LakeError, UsageError
from policies.keys import AUDIT_VARIABLE, audit_key
from policies.model import RAW, Policy
from policies.people import People

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from policies.editions import EditionTable

SECTIONS = ("policies", "catalog", "ckan", "lake", "ingest", "sandbox", "gateway", "airlock", "hub", "packages")

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Granted:
    """One edition that a principal may open: the folder to mount or list, and what is served from it."""

    dataset: str
    edition: str
    path: Path
    current: Current

    @property
    def slug(self) -> str:
        """The dataset's name, as an entry of the catalogue has it."""
        return self.dataset


@dataclass(frozen=True)
class Lab:
    """A lab's folder, and what stands in it."""

    root: Path
    settings: dict[str, Any]

    @classmethod
    def open(cls, root: Path) -> Lab:
        """Open the lab at `root`; raises DocumentError if datalab.toml is missing or has an unknown section."""
        path = root / "datalab.toml"
        if not path.is_file():
            message = f"{path}: no such file; a lab is a folder with datalab.toml. Name one with --lab DIR"
            raise DocumentError(message)
        settings = read_toml(path)
        for name, value in settings.items():
            if name not in SECTIONS:
                message = f"{path}: unknown section [{name}]; {suggest(name, list(SECTIONS))}"
                raise DocumentError(message)
            if not isinstance(value, dict):
                message = f"{path}: {name} is a section: expected [{name}], not {value!r}"
                raise DocumentError(message)
        return cls(root.resolve(), settings)

    def section(self, name: str, model: type[S]) -> S:
        """The section `[name]` of datalab.toml, checked; a section that is not there has its defaults."""
        return check_section(self.root / "datalab.toml", name, self.settings.get(name, {}), model)

    @property
    def var(self) -> Path:
        """Where everything that is produced lies; only its owner enters, a sandbox gets what is mounted.

        A folder that was there before is closed to others if it is ours to close.
        """
        path = self.root / "var"
        path.mkdir(mode=0o700, exist_ok=True)
        state = path.stat()
        if state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) & 0o077:
            path.chmod(0o700)
        return path

    @property
    def lake(self) -> Lake:
        """The lab's tables."""
        return Lake(self.var / "lake")

    @cached_property
    def audit(self) -> AuditLog:
        """Where every door writes before it opens: `lab.audit.write(Event(…))`, see policies/audit."""
        return AuditLog(self.var / "audit", self.audit_key)

    def audit_key(self) -> bytes:
        """The key of the audit log. Raises LakeError where there is a log and its key is gone: another is none."""
        path, log = self.audit_key_path, self.var / "audit"
        if AUDIT_VARIABLE not in os.environ and not path.exists() and (log / HEAD).exists():
            raise LakeError(
                f"{path}: the key of the audit log is gone; restore it from its backup, or set {AUDIT_VARIABLE}"
            )
        return audit_key(path)

    @property
    def audit_key_path(self) -> Path:
        """Where the key of the audit log lies, unless the environment has it."""
        return self.var / "keys" / "audit.key"

    @cached_property
    def trace(self) -> GrantTrace:
        """What the log last said of the grants in the policies' files."""
        return GrantTrace(self.var / "granted.json", self.audit)

    @property
    def slugs(self) -> tuple[str, ...]:
        """The name of every dataset that has a descriptor, right or wrong."""
        return tuple(sorted(path.stem for path in (self.root / "datasets").glob("*.yaml")))

    @property
    def strays(self) -> tuple[DocumentError, ...]:
        """An error for each file that looks like a descriptor or a policy and is read by nobody."""
        rooms = [self.root / "datasets", self.root / "policies"]
        files = [(room, path) for room in rooms for path in sorted(room.glob("**/*"))]
        return tuple(
            DocumentError(f"{path}: is not read; expected {room / path.stem}.yaml")
            for room, path in files
            if path.suffix.lower() in {".yaml", ".yml", ".json"} and path != room / f"{path.stem}.yaml"
        )

    def dataset(self, slug: str) -> Dataset:
        """The descriptor of `slug`. Raises UsageError if there is none, DocumentError if it is wrong."""
        path = self.root / "datasets" / f"{slug}.yaml"
        twin = path.with_suffix(".yml")
        if twin.is_file() and path.is_file():
            raise DocumentError(f"{path} and {twin}: two descriptors of one dataset; take one of them away")
        if "/" in slug or not os.path.isfile(path):  # noqa: PTH113  a name that is too long is no file either
            if "/" not in slug and twin.is_file():
                raise DocumentError(f"{twin}: is not read; rename it to {path.name}")
            message = f"unknown dataset {slug!r}; {suggest(slug, list(self.slugs))}"
            raise UsageError(message)
        if slug in RESERVED or not slug.replace("_", "").isalnum() or not slug.isascii() or not slug.islower():
            message = f"{path}: a dataset's name is lower-case letters, digits and _, and not one of {sorted(RESERVED)}"
            raise DocumentError(message)
        return read_yaml(path, Dataset)

    def datasets(self) -> tuple[dict[str, Dataset], list[DatalabError]]:
        """Every dataset whose descriptor is right, by slug, and the error of each one that is not."""
        good: dict[str, Dataset] = {}
        bad: list[DatalabError] = []
        for slug in self.slugs:
            try:
                good[slug] = self.dataset(slug)
            except DatalabError as error:
                bad.append(error)
        return good, bad

    def stamp(self, slug: str) -> tuple[Stamp | None, ...]:
        """Differs as soon as the descriptor, the policy or what is served of `slug` does."""
        names = (f"datasets/{slug}.yaml", f"datasets/{slug}.yml", f"policies/{slug}.yaml")
        return (*(stamp(f"{self.root}/{name}") for name in names), *Lake(self.root / "var" / "lake").stamps(slug))

    def policy(self, slug: str) -> Policy | None:
        """The policy of `slug`, or None: then nobody is granted anything. Raises DocumentError if it is wrong."""
        path = self.root / "policies" / f"{slug}.yaml"
        now = stamp(path)
        if now is None:
            return None
        held = self._policies.get(slug)
        if held is None or held[0] != now:
            held = self._policies[slug] = (now, read_yaml(path, Policy))
        return held[1]

    @cached_property
    def _policies(self) -> dict[str, tuple[Stamp, Policy]]:
        """The policies that were read, while their files are the same: every door asks for them again and again."""
        return {}

    @cached_property
    def people(self) -> People:
        """Who exists, as the lab's files say it at each question."""
        return People(self.root / "datalab.toml", self.root / "var" / "users.json")

    def principals(self, who: str) -> frozenset[str]:
        """The principals that `who` stands for; raises UsageError naming those that exist."""
        return self.people.resolve(who)

    def granted(
        self,
        principals: frozenset[str],
        *,
        purpose: str | None = None,
        on: dt.date | None = None,
        slugs: Iterable[str] | None = None,
        left_out: Callable[[DatalabError], None] | None = None,
    ) -> tuple[Granted, ...]:
        """Every served edition these principals may open on that day (today when None), dataset by dataset.

        `slugs` are the datasets to look at, all when None. Within a dataset the order is from the least to the most
        detailed. The one answer for every door: CLI, portal, CKAN, sandbox. It fails closed: a policy or a descriptor
        that cannot be read grants nothing, and neither does a resource that the descriptor no longer has, or an edition
        that was built by another policy than today's. `left_out` is told of what is wrong or out of date, and of what
        is damaged on disk; without it, what is damaged raises LakeError. A grant that came or went by hand has its line
        in the audit log first: LakeError where that cannot be written.
        """
        day = dt.datetime.now(dt.UTC).date() if on is None else on
        found: list[Granted] = []
        policies = self.follow(self.slugs if slugs is None else slugs, left_out)
        for slug, policy in policies.items():
            if policy is None:
                continue
            try:
                found += self._granted(slug, policy, principals, purpose, day, left_out)
            except LakeError as error:
                if left_out is None:
                    raise
                left_out(error)
            except DocumentError as error:
                if left_out is not None:
                    left_out(error)
        return tuple(found)

    def follow(
        self, slugs: Iterable[str], left_out: Callable[[DatalabError], None] | None = None
    ) -> dict[str, Policy | None]:
        """The policies of these datasets, once the audit log knows which grants have come and gone by hand.

        `left_out` is told of those that cannot be read. Raises LakeError if the log cannot be written.
        """
        policies: dict[str, Policy | None] = {}
        for slug in slugs:
            try:
                policies[slug] = self.policy(slug)
            except DocumentError as error:
                if left_out is not None:
                    left_out(error)
        self.trace.follow(policies)
        return policies

    def _granted(
        self,
        slug: str,
        policy: Policy,
        principals: frozenset[str],
        purpose: str | None,
        day: dt.date,
        left_out: Callable[[DatalabError], None] | None,
    ) -> Iterator[Granted]:
        editions = granted_editions(policy, principals=principals, purpose=purpose, on=day)
        described = self.dataset(slug).resources if editions else {}
        for edition in editions:
            current = self.lake.current(slug, edition)
            if current is None or not current.resources:
                continue
            if edition == RAW or _is_todays(current, policy.editions[edition]):
                shown = _described(current, described)
                if shown.resources:
                    yield Granted(slug, edition, self.lake.edition_path(slug, edition), shown)
            elif left_out is not None:
                path = self.root / "policies" / f"{slug}.yaml"
                left_out(DocumentError(f"{path}: the edition {edition!r} has changed: run `datalab ingest {slug}`"))


def _described(current: Current, resources: Collection[str]) -> Current:
    """What the edition serves of the resources that the descriptor has, and of their rejects."""
    return Current(
        resources={
            name: served
            for name, served in current.resources.items()
            if name in resources or name.removesuffix("_rejects") in resources
        }
    )


def _is_todays(current: Current, tables: dict[str, EditionTable]) -> bool:
    """Whether every table of the edition was built as the policy says it now."""
    return all(
        name in tables and served.receipt.get("definition") == definition(tables[name])
        for name, served in current.resources.items()
    )
