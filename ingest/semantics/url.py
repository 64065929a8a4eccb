"""An address on the web."""

from __future__ import annotations

from ingest.semantics.semantic import Semantic

_LETTER = "A-Za-z0-9\u00c0-\u024f_"
_LABEL = f"[{_LETTER}]([{_LETTER}-]{{0,61}}[{_LETTER}])?"

URL = Semantic(
    word="url",
    said="a web address",
    title="Web address with its scheme: `https://…`, `http://…` or `ftp://…`. `www.ville.fr` alone is none.",
    pattern=rf'([Hh][Tt][Tt][Pp][Ss]?|[Ff][Tt][Pp])://({_LABEL}\.)*{_LABEL}\.?(:[0-9]{{1,5}})?([/?#][^\x00-\x20\x7f<>"]*)?',
    names=frozenset({"href", "lien", "link", "site", "uri", "url", "web", "website"}),
    needs_name=False,
    examples=(
        "https://www.normandie.example",
        "http://données.example/jeu?id=1#haut",
        "HTTPS://EXAMPLE.ORG:8443/",
        "ftp://ftp.example.org/a.zip",
        "http://intranet/page",
    ),
    counterexamples=(
        "www.ville.fr",
        "https://",
        "mailto:a@x.fr",
        "http:/x.fr",
        "https://a b.fr",
        "https://x.fr/a b",
        "//x.fr",
    ),
)
