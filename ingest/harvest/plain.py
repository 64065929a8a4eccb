"""HTML and Markdown, as portals have them in titles and descriptions → plain text, in which nothing is alive."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

LONGEST = 20_000
"""Signs of a description that are kept; what is longer is a document of its own."""
LONGEST_TITLE = 300

_BREAKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main "
        "nav ol p pre section table tr ul",
    )
)
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre"})
_SILENT = frozenset({"script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "math", "head"})
_OTHERS = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym applet area audio b base bdi bdo big body button canvas center cite code col colgroup data "
        "datalist del details dfn dialog em fieldset font form frame frameset html i img input ins kbd label legend "
        "link map mark menu meta meter option optgroup output param picture progress q rp rt ruby s samp select small "
        "source span strike strong sub summary sup tbody td textarea tfoot th thead time title track tt u var "
        "video wbr",
    )
)
_TAGS = _BREAKS | _SILENT | _OTHERS
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)\b[^<>]*>|<!--.*?-->|<!doctype[^>]*>", re.DOTALL | re.IGNORECASE)
_LEFT = re.compile(r"<(?=/?(?:" + "|".join(sorted(_TAGS)) + r")\b|!--|!doctype)", re.IGNORECASE)
_TAG_LIKE = re.compile(r"<(/?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?)>|<(?=!--|script)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_PASSES = 5


def text_of(said: str, *, markdown: bool = False) -> str:
    """The text of a description: paragraphs stay apart, lists get a dash, scripts and styles go with all they say.

    A `<word>` that is no tag of HTML stays. Of Markdown the marks go and the addresses of links stay.
    """
    text = _without_html(said[: 10 * LONGEST])
    if markdown:
        text = _without_marks(text)
    while (tame := _LEFT.sub("", text)) != text:  # what was no whole tag, or became one as marks went
        text = tame
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def line_of(said: str, longest: int = LONGEST_TITLE) -> str:
    """The text of a title: one line, without what is or looks like a tag, which descriptors refuse in titles."""
    text = " ".join(text_of(said).split())
    while (bare := _TAG_LIKE.sub(r"\1", text)) != text:
        text = bare
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _without_html(said: str) -> str:
    """The text without tags, also where they were escaped once more: what is left holds no tag."""
    text = _clean(said)
    for _ in range(_PASSES):
        has_tags = any(_is_tag(tag) for tag in _TAG.finditer(text))
        before, text = text, _clean(_parsed(text) if has_tags else html.unescape(text))
        if text == before:
            return text
    return "".join(sign for sign in text if sign not in "<>")


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def _is_tag(found: re.Match[str]) -> bool:
    return found[1] is None or found[1].lower() in _TAGS


def _parsed(text: str) -> str:
    reader = _Reader()
    # What is no tag of HTML is text: `<departement>.csv`
    escaped = re.sub(r"<(?!(?:/?(?:" + "|".join(sorted(_TAGS)) + r")\b|!))", "&lt;", text, flags=re.IGNORECASE)
    reader.feed(escaped)
    reader.close()
    return "".join(reader.said)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in _SILENT and tag != "embed":
            self._silent.append(tag)
        elif not self._silent:
            if tag in _BREAKS:
                self.said.append("\n\n" if tag in _APART else "\n")
            if tag == "li":
                self.said.append("- ")
            if tag in {"td", "th"}:
                self.said.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _APART and not self._silent:
            self.said.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\s]*(?: [^)\n]*)?\)")
_LINK = re.compile(r"\[([^\]\n]+)\]\((<?https?://[^)\s>]+>?|mailto:[^)\s]+)(?: [^)\n]*)?\)")
_AUTO = re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
_QUOTE = re.compile(r"^ {0,3}> ?", re.MULTILINE)
_BULLET = re.compile(r"^([ \t]*)[*+•] +", re.MULTILINE)
_RULE = re.compile(r"^ {0,3}([-*_=])(?: ?\1){2,} *$", re.MULTILINE)
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def _without_marks(text: str) -> str:
    """The text without Markdown's marks: those that stand for certain, as `_` and `*` alone may mean themselves."""
    text = _LINK.sub(_linked, _IMAGE.sub("", text))
    text = _AUTO.sub(r"\1", text)
    text = _RULE.sub("", _QUOTE.sub("", _HEADING.sub(r"\1", text)))
    text = _BULLET.sub(r"\1- ", text)
    return _CODE.sub(r"\1", _STRONG.sub(r"\2", _STRONG.sub(r"\2", text)))


def _linked(found: re.Match[str]) -> str:
    words, address = found[1].strip(" *_"), found[2].strip("<>").removeprefix("mailto:")
    return words if words == address else f"{words} ({address})"
