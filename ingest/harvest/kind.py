"""The kinds of portal that are harvested; apart from all else, because the command line needs no more of it."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["ckan", "udata", "opendatasoft", "dcat", "csw"]
KINDS: tuple[Kind, ...] = get_args(Kind)
