"""What every page has around it: its language, the words and ways to write numbers of that, and how it links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from catalog.search.facets import FACETS
from catalog.search.find import QUERY_LIMIT
from catalog.web import origins, pages, texts

if TYPE_CHECKING:
    from starlette.requests import Request

    from catalog.metadata import Lang

KEPT = 30
"""How many parameters of an address the link to the other language keeps."""


def language(request: Request) -> Lang:
    """The one that the reader chose in the address, or the browser asks for."""
    return texts.choose(request.query_params.get("lang"), request.headers.get("accept-language", ""))


def words(lang: Lang) -> dict[str, Any]:
    """What templates write texts, numbers and dates with."""
    return {
        "lang": lang,
        "t": texts.TEXTS[lang],
        "other": next(other for other in texts.LANGS if other != lang),
        "number": lambda value: texts.number(value, lang),
        "counted": lambda value, noun: texts.counted(value, noun, lang),
        "day": lambda date: texts.day(date, lang),
        "size": lambda count: texts.size(count, lang),
        "tell": lambda text: pages.tell(text, lang),
        "changed": lambda changes: origins.changed(changes, lang),
    }


def links(request: Request, lang: Lang) -> dict[str, Any]:
    """`link(path, q=…)`: an address of ours that keeps the language, where the reader chose one."""
    root = request.scope.get("root_path", "")
    chosen = {"lang": lang} if request.query_params.get("lang") == lang else {}

    def link(path: str, **parameters: str | int | list[str]) -> str:
        held = {**{key: value for key, value in parameters.items() if value not in ("", None)}, **chosen}
        return f"{root}/{quote(path)}" + (f"?{urlencode(held, doseq=True)}" if held else "")

    asked = request.query_params
    kept = [(key, text[:QUERY_LIMIT]) for key, text in asked.multi_items() if key in {"q", "page", *FACETS}][:KEPT]
    here = request.url.path.removeprefix(root).lstrip("/")

    def in_language(other: str) -> str:
        return f"{root}/{quote(here)}?{urlencode([*kept, ('lang', other)])}"

    return {"link": link, "in_language": in_language, "chosen_lang": chosen.get("lang", ""), "root": root}
