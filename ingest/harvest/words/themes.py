"""Themes: addresses and labels of several vocabularies → codes of the EU's data themes.

The EU's own address or label is what the portal says; what other vocabularies mean by theirs is a guess, and said so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.vocabulary import THEMES
from ingest.harvest.words import Found, folded, last_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_INSPIRE = {
    "ad": ("GOVE", "Addresses", "Adresses"),
    "au": ("GOVE", "Administrative units", "Unités administratives"),
    "rs": ("TECH", "Coordinate reference systems", "Référentiels de coordonnées"),
    "gg": ("TECH", "Geographical grid systems", "Systèmes de maillage géographique"),
    "cp": ("ECON", "Cadastral parcels", "Parcelles cadastrales"),
    "gn": ("GOVE", "Geographical names", "Dénominations géographiques"),
    "hy": ("ENVI", "Hydrography", "Hydrographie"),
    "ps": ("ENVI", "Protected sites", "Sites protégés"),
    "tn": ("TRAN", "Transport networks", "Réseaux de transport"),
    "el": ("TECH", "Elevation", "Altitude"),
    "ge": ("TECH", "Geology", "Géologie"),
    "lc": ("ENVI", "Land cover", "Occupation des terres"),
    "oi": ("TECH", "Orthoimagery", "Ortho-imagerie"),
    "af": ("AGRI", "Agricultural and aquaculture facilities", "Installations agricoles et aquacoles"),
    "am": (
        "ENVI",
        "Area management/restriction/regulation zones and reporting units",
        "Zones de gestion, de restriction ou de réglementation et unités de déclaration",
    ),
    "ac": ("ENVI", "Atmospheric conditions", "Conditions atmosphériques"),
    "br": ("ENVI", "Bio-geographical regions", "Régions biogéographiques"),
    "bu": ("ECON", "Buildings", "Bâtiments"),
    "er": ("ENER", "Energy resources", "Sources d'énergie"),
    "ef": ("ENVI", "Environmental monitoring facilities", "Installations de suivi environnemental"),
    "hb": ("ENVI", "Habitats and biotopes", "Habitats et biotopes"),
    "hh": ("HEAL", "Human health and safety", "Santé et sécurité des personnes"),
    "lu": ("REGI", "Land use", "Usage des sols"),
    "mr": ("ECON", "Mineral resources", "Ressources minérales"),
    "mf": ("ENVI", "Meteorological geographical features", "Caractéristiques géographiques météorologiques"),
    "nz": ("ENVI", "Natural risk zones", "Zones à risque naturel"),
    "of": ("ENVI", "Oceanographic geographical features", "Caractéristiques géographiques océanographiques"),
    "pd": ("SOCI", "Population distribution — demography", "Répartition de la population — démographie"),
    "pf": ("ECON", "Production and industrial facilities", "Lieux de production et sites industriels"),
    "sr": ("ENVI", "Sea regions", "Régions maritimes"),
    "so": ("ENVI", "Soil", "Sols"),
    "sd": ("ENVI", "Species distribution", "Répartition des espèces"),
    "su": ("SOCI", "Statistical units", "Unités statistiques"),
    "us": (
        "GOVE",
        "Utility and governmental services",
        "Services d'utilité publique et services publics",
    ),
}
"""INSPIRE's 34 themes, http://inspire.ec.europa.eu/theme: as the Joint Research Centre aligns them with the EU's
(https://github.com/SEMICeu/iso-19139-to-dcat-ap), but land use, which it calls technology, and towns' plans are."""
_ISO = {
    "farming": "AGRI",
    "biota": "ENVI",
    "boundaries": "GOVE",
    "climatologymeteorologyatmosphere": "ENVI",
    "economy": "ECON",
    "elevation": "TECH",
    "environment": "ENVI",
    "geoscientificinformation": "TECH",
    "health": "HEAL",
    "imagerybasemapsearthcover": "TECH",
    "inlandwaters": "ENVI",
    "location": "REGI",
    "oceans": "ENVI",
    "planningcadastre": "REGI",
    "society": "SOCI",
    "structure": "REGI",
    "transportation": "TRAN",
    "utilitiescommunication": "ENER",
}
"""The topic categories of ISO 19115; `intelligenceMilitary` has no theme of the EU's."""
_LABELS = {
    "GOVE": ("Administration, Gouvernement, Finances publiques, Citoyenneté", "Administration", "Citoyenneté"),
    "REGI": (
        "Aménagement du territoire, Urbanisme, Bâtiments, Equipements, Logement",
        "Spatial planning, Town planning, Buildings, Equipment, Housing",
        "Urbanisme",
        "Aménagement",
        "Territoire",
    ),
    "EDUC": (
        "Culture, Patrimoine",
        "Education, Formation, Recherche, Enseignement",
        "Sport, Loisirs",
        "Culture",
        "Éducation",
        "Enseignement",
        "Sport",
        "Sports",
        "Patrimoine",
    ),
    "ECON": (
        "Economie, Entreprise, PME, Développement économique, Emploi",
        "Hébergement, Restauration",
        "Hébergement, Hôtellerie, Tourisme",
        "Économie",
        "Emploi",
        "Tourisme",
        "Finances",
        "Budget",
        "Marchés publics",
    ),
    "ENVI": ("Environnement", "Environment", "Eau", "Biodiversité", "Déchets", "Qualité de l'air", "Climat"),
    "HEAL": ("Santé", "Health"),
    "SOCI": ("Services, Social", "Social", "Population", "Démographie", "Solidarité"),
    "TRAN": (
        "Transports, Déplacements",
        "Transport, Movements",
        "Transport",
        "Transports",
        "Mobilité",
        "Mobilités",
        "Déplacements",
        "Stationnement",
    ),
    "ENER": ("Énergie", "Énergies", "Energy"),
    "AGRI": ("Agriculture", "Alimentation", "Agriculture et alimentation", "Pêche", "Forêt"),
    "JUST": ("Justice", "Sécurité", "Prévention de la délinquance"),
    "TECH": ("Numérique", "Recherche", "Sciences"),
    "INTR": ("International", "Coopération internationale"),
}
"""Themes of Opendatasoft's own list, and words that portals use as themes or keywords and that mean one alone."""

_BY_INSPIRE = {folded(label): code for code, *labels in _INSPIRE.values() for label in labels}
_BY_LABEL = {folded(label): code for code, labels in _LABELS.items() for label in labels}
_BY_EU = {folded(label): code for code, labels in THEMES.items() for label in labels.values()}


def theme(said: str) -> Found:
    """The EU's theme that a portal's address, code or label of one means."""
    text, words = said.strip(), folded(said)
    end = last_of(text)
    stated = [
        end.upper() if "data-theme" in text or text == end else None,
        _BY_EU.get(words),
        words.removeprefix("theme ").upper(),  # as this very lab names CKAN's groups
    ]
    for code in stated:
        if code in THEMES:
            return Found(code)
    inspire = _INSPIRE.get(end.lower()) if "inspire.ec.europa.eu/theme/" in text else None
    topic = _ISO.get(end.lower()) if " " not in text else None
    guesses = [
        (inspire[0], f"INSPIRE's theme {inspire[2]!r}") if inspire is not None else None,
        (topic, f"ISO's topic {end!r}") if topic is not None else None,
        (_BY_INSPIRE[words], f"INSPIRE's theme {text[:80]!r}") if words in _BY_INSPIRE else None,
        (_BY_LABEL[words], f"the portal's theme {text[:80]!r}") if words in _BY_LABEL else None,
    ]
    for code, what in filter(None, guesses):
        return Found(code, f"from {what}")
    return Found(None, f"the portal's theme {text[:80]!r} is none of the EU's")


def themes(said: Iterable[str], keywords: Iterable[str]) -> tuple[Found, ...]:
    """The themes that a portal says, each once; if it says none that is known, those that keywords mean.

    Where the EU's own stand, what other vocabularies say is left aside.
    """
    found = [theme(one) for one in said if one.strip()]
    known = [one for one in found if one.word is not None]
    sure = [one for one in known if not one.why]
    chosen = sure or known
    if not chosen:
        by_keyword = [(word, _BY_LABEL.get(folded(word)) or _BY_EU.get(folded(word))) for word in keywords]
        chosen = [Found(code, f"from the keyword {word!r}") for word, code in by_keyword if code is not None]
    once = {one.word: one for one in reversed(chosen)}
    return tuple(reversed(once.values())) or tuple(one for one in found if one.why)
