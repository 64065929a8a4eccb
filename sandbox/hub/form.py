"""The questions before a sandbox starts, in French or English: plain HTML inside the Hub's own form."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from catalog.web import texts

if TYPE_CHECKING:
    from catalog.metadata import Lang
    from sandbox.hub.choices import Offer
    from sandbox.hub.settings import HubSettings

_TEXTS: dict[Lang, dict[str, str]] = {
    "fr": {
        "project": "Projet (un dossier partagé avec un groupe)",
        "no_project": "aucun",
        "purpose": "Finalité (certaines données ne s’ouvrent que pour une finalité)",
        "no_purpose": "aucune",
        "size": "Taille",
        "usual": "habituelle",
        "told": "{memory} de mémoire, {cpus:g} processeur(s)",
    },
    "en": {
        "project": "Project (a folder shared with a group)",
        "no_project": "none",
        "purpose": "Purpose (some data open for one purpose only)",
        "no_purpose": "none",
        "size": "Size",
        "usual": "usual",
        "told": "{memory} of memory, {cpus:g} processor(s)",
    },
}


def form(offer: Offer, settings: HubSettings, accept_language: str) -> str:
    """Three lists, each with what is on offer."""
    lang = texts.choose(None, accept_language)
    said = _TEXTS[lang]
    sizes = {
        name: f"{name} ({said['told'].format(memory=size.memory.human_readable(), cpus=size.cpus)})"
        for name, size in settings.sizes.items()
    }
    lists = (
        ("project", {one or "": one or said["no_project"] for one in offer.projects}),
        ("purpose", {one or "": one or said["no_purpose"] for one in offer.purposes}),
        ("size", {one or "": sizes.get(one or "", said["usual"]) for one in offer.sizes}),
    )
    return "\n".join(_list(name, said[name], values) for name, values in lists)


def _list(name: str, title: str, values: dict[str, str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(told)}</option>' for value, told in values.items())
    return (
        f'<div class="mb-3"><label class="form-label" for="choice-{name}">{escape(title)}</label>'
        f'<select class="form-select" id="choice-{name}" name="{name}">{options}</select></div>'
    )
