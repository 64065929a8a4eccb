"""The controlled words a descriptor may use, with their labels and the URIs that DCAT-AP 3 expects.

Themes: EU Publications Office, authority table data-theme. Frequencies: authority table frequency. Licences: those
French administrations may use (https://www.data.gouv.fr/pages/legal/licences) and the Creative Commons that harvested
data carry; `ckan` is the id in CKAN's own licence list.
"""

from __future__ import annotations

from dataclasses import dataclass

EU = "http://publications.europa.eu/resource/authority/"


@dataclass(frozen=True)
class Licence:
    """A licence's title, its persistent URI, and CKAN's id for it."""

    title: str
    uri: str
    ckan: str


LICENCES = {
    "LO-2.0": Licence("Licence Ouverte 2.0", "https://spdx.org/licenses/etalab-2.0", "other-at"),
    "ODbL-1.0": Licence("Open Database License 1.0", "https://spdx.org/licenses/ODbL-1.0", "odc-odbl"),
    "CC0-1.0": Licence("Creative Commons Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "cc-zero"),
    "CC-BY-4.0": Licence("Creative Commons BY 4.0", "https://creativecommons.org/licenses/by/4.0/", "cc-by"),
    "CC-BY-SA-4.0": Licence(
        "Creative Commons BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/", "cc-by-sa"
    ),
    "Unlicense": Licence("The Unlicense (public domain)", "https://spdx.org/licenses/Unlicense", "other-pd"),
}

THEMES = {
    "AGRI": {
        "fr": "Agriculture, pêche, sylviculture et alimentation",
        "en": "Agriculture, fisheries, forestry and food",
    },
    "ECON": {"fr": "Économie et finances", "en": "Economy and finance"},
    "EDUC": {"fr": "Éducation, culture et sport", "en": "Education, culture and sport"},
    "ENER": {"fr": "Énergie", "en": "Energy"},
    "ENVI": {"fr": "Environnement", "en": "Environment"},
    "GOVE": {"fr": "Gouvernement et secteur public", "en": "Government and public sector"},
    "HEAL": {"fr": "Santé", "en": "Health"},
    "INTR": {"fr": "Questions internationales", "en": "International issues"},
    "JUST": {"fr": "Justice, système juridique et sécurité publique", "en": "Justice, legal system and public safety"},
    "REGI": {"fr": "Régions et villes", "en": "Regions and cities"},
    "SOCI": {"fr": "Population et société", "en": "Population and society"},
    "TECH": {"fr": "Science et technologie", "en": "Science and technology"},
    "TRAN": {"fr": "Transports", "en": "Transport"},
}

FREQUENCIES = {
    "CONT": {"fr": "en continu", "en": "continuous"},
    "HOURLY": {"fr": "toutes les heures", "en": "hourly"},
    "DAILY": {"fr": "chaque jour", "en": "daily"},
    "WEEKLY": {"fr": "chaque semaine", "en": "weekly"},
    "MONTHLY": {"fr": "chaque mois", "en": "monthly"},
    "QUARTERLY": {"fr": "chaque trimestre", "en": "quarterly"},
    "ANNUAL_2": {"fr": "deux fois par an", "en": "twice a year"},
    "ANNUAL": {"fr": "chaque année", "en": "annual"},
    "IRREG": {"fr": "irrégulière", "en": "irregular"},
    "NEVER": {"fr": "jamais", "en": "never"},
    "UNKNOWN": {"fr": "inconnue", "en": "unknown"},
}
