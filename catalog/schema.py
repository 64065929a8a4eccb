"""The JSON Schema of the documents that stewards write."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from catalog.model import Dataset
from policies.model import Policy


class Document(StrEnum):
    """A kind of document: `datasets/<slug>.yaml` or `policies/<slug>.yaml`."""

    dataset = "dataset"
    policy = "policy"


def json_schema(what: Document) -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12) that a document of this kind is checked against."""
    model = Dataset if what is Document.dataset else Policy
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
