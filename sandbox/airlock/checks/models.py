"""A pickle or a model is always flagged: nobody can read what it has kept of the rows, and loading a pickle runs code.

That a model gives rows back is known: N. Carlini and others, "Extracting Training Data from Large Language Models",
USENIX Security 2021; R. Shokri and others, "Membership Inference Attacks Against Machine Learning Models", IEEE S&P
2017. Whoever approves one has looked at how it was made (SACRO-ML's attacks help), and not at its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .finding import Finding
from .kind import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_SAID = (
    "a model or a pickle may have kept rows of its data, and no check can see them; loading a pickle runs code. "
    "Release coefficients as a table where that is enough"
)


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    content = candidate.content
    pickled = content[:1] == b"\x80" and content[1:2] in b"\2\3\4\5" and content.endswith(b".")
    if kind_of(candidate.name) == "model" or (content and pickled):
        yield Finding("models", "look", candidate.name, _SAID)


MODELS = Check(
    word="models",
    run=_run,
    good=(Example("coefficients.csv", b"term;value\nage;0.31\n"),),
    bad=(
        Example("model.pkl", b"\x80\x04]\x94."),
        Example("model.csv", b"\x80\x04]\x94."),
        Example("net.onnx", b"\x08\x07"),
        Example("net.pt", b"PK\x03\x04"),
    ),
)
