"""An address of electronic mail."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

EMAIL = Semantic(
    word="email",
    said="an email address",
    title="Email address, one, without a name: `mairie@ville.example`.",
    pattern=rf"{_ATOM}(\.{_ATOM})*@({_LABEL}\.)+[A-Za-z]{{2,63}}",
    names=frozenset({"courriel", "email", "mail", "mel"}),
    needs_name=False,
    examples=("mairie@le-havre.example", "j.d'arc+vote@sous.domaine.example.org", "A_B@x.fr"),
    counterexamples=(
        "mairie@",
        "mairie@ville",
        "a..b@x.fr",
        ".a@x.fr",
        "a@x.fr;b@x.fr",
        "Mairie <a@x.fr>",
        "a@-x.fr",
        "a@x.f",
        "@ville_havre",
    ),
)
