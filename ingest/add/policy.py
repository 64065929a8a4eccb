"""The first text of a dataset's policy: an edition that lists its columns, and no grant until a steward gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.harvest.yamltext import flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.add.look import Seen

PERSONAL = ("email", "phone", "iban")
"""Types that are of persons more often than not; who knows better adds their columns to the edition."""

_GRANT = '{to: everyone, edition: open, purposes: any, why: "open data"}'


def policy_text(owner: str, tables: Mapping[str, Seen], *, granted: bool) -> str:
    """The policy's YAML. What looks personal is in no edition but `raw`, and named."""
    lines = [f"owner: {flow(owner)}", "editions:", "  open:"]
    for name, seen in tables.items():
        kept = [column.name for column in seen.columns if column.type not in PERSONAL]
        left = {column.name: column.type for column in seen.columns if column.type in PERSONAL}
        if left:
            lines.append(f"    # left out, as personal: {', '.join(f'{one} ({kind})' for one, kind in left.items())}")
        dropped = f", drop: {flow(list(left))}" if left else ""
        lines.append(f"    {name}: {{keep: {flow(kept)}{dropped}}}")
    if granted:
        lines += ["grants:", f"  - {_GRANT}"]
    else:
        lines += ["# nobody is granted anything until a line such as this one stands here without its #:", "# grants:"]
        lines.append(f"#   - {_GRANT}")
    return "\n".join(lines) + "\n"
