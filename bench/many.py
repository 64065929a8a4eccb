"""A lab of thousands of datasets: those of a lab that was ingested, again and again, each for another territory.

The descriptors, policies and tables are the real ones; a copy has a slug, a title, a keyword and a territory of its
own. What an edition serves is linked, not copied, so two thousand take some seconds and no space.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import yaml

from catalog.entries import EVERYONE
from catalog.lake import POINTER
from catalog.query import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from catalog.lab import Lab

_NAMES = "SELECT LIBELLE FROM communes.communes WHERE TYPECOM = 'COM' ORDER BY COM"


def communes(lab: Lab) -> list[str]:
    """The names of all communes, which the example lab has."""
    return [str(name) for (name,) in connect(lab, EVERYONE).execute(_NAMES).fetchall()]


def multiply(lab: Lab, root: Path, count: int, places: Sequence[str]) -> None:
    """Make a lab of `count` datasets in the empty folder `root` from one that was ingested, for one place each."""
    shutil.copy(lab.root / "datalab.toml", root / "datalab.toml")
    for folder in ("datasets", "policies"):
        (root / folder).mkdir()
    (root / "var").mkdir(mode=0o700)
    for number in range(count):
        slug = lab.slugs[number % len(lab.slugs)]
        _copy(lab, root, slug, f"{slug}_{number:04}", places[number % len(places)])


def _copy(lab: Lab, root: Path, slug: str, name: str, place: str) -> None:
    described = yaml.safe_load((lab.root / "datasets" / f"{slug}.yaml").read_text(encoding="utf-8"))
    described["title"] = {lang: f"{title} ({place})" for lang, title in described["title"].items()}
    described["keywords"] = {lang: [*words, place] for lang, words in described["keywords"].items()}
    described["spatial"] = {**described["spatial"], "name": place}
    text = yaml.safe_dump(described, allow_unicode=True, sort_keys=False)
    (root / "datasets" / f"{name}.yaml").write_text(text, encoding="utf-8")
    shutil.copy(lab.root / "policies" / f"{slug}.yaml", root / "policies" / f"{name}.yaml")
    for edition in lab.lake.editions(slug):
        current = lab.lake.current(slug, edition)
        if current is None:
            continue
        there = root / "var" / "lake" / name / edition
        there.mkdir(parents=True)
        shutil.copy(lab.lake.edition_path(slug, edition) / POINTER, there / POINTER)
        for resource, served in current.resources.items():
            (there / resource).mkdir()
            for path in lab.lake.files(slug, edition, resource, served):
                os.link(path, there / resource / path.name)
