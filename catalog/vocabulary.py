"""The controlled words a descriptor may use, with their labels and the URIs that DCAT-AP 3 expects.

Themes: EU Publications Office, authority table data-theme. Frequencies: authority table frequency. Languages: authority
table language, by their code of ISO 639-1. HVD categories: the six of EU 2023/138, of http://data.europa.eu/bna/.
Licences: those French administrations may use (https://www.data.gouv.fr/pages/legal/licences) and those that harvested
data carry; `ckan` is the id in CKAN's own licence list.
"""

from __future__ import annotations

from dataclasses import dataclass

EU = "http://publications.europa.eu/resource/authority/"


@dataclass(frozen=True)
class Licence:
    """A licence's title, its persistent URI, and CKAN's id for it.

    Under a `share_alike` one, what is made of the data must carry the same licence. One that is not `open` forbids
    some uses (https://opendefinition.org/licenses/nonconformant/).
    """

    title: str
    uri: str
    ckan: str
    share_alike: bool = False
    open: bool = True


_CC = "https://creativecommons.org/licenses/"
LICENCES = {
    "LO-2.0": Licence("Licence Ouverte 2.0", "https://spdx.org/licenses/etalab-2.0", "other-at"),
    "LO-1.0": Licence(
        "Licence Ouverte 1.0", "https://www.etalab.gouv.fr/wp-content/uploads/2014/05/Licence_Ouverte.pdf", "other-at"
    ),
    "ODbL-1.0": Licence(
        "Open Database License 1.0", "https://spdx.org/licenses/ODbL-1.0", "odc-odbl", share_alike=True
    ),
    "ODC-BY-1.0": Licence("Open Data Commons Attribution 1.0", "https://spdx.org/licenses/ODC-By-1.0", "odc-by"),
    "PDDL-1.0": Licence(
        "Open Data Commons Public Domain Dedication 1.0", "https://spdx.org/licenses/PDDL-1.0", "odc-pddl"
    ),
    "CC0-1.0": Licence("Creative Commons Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "cc-zero"),
    "CC-BY-4.0": Licence("Creative Commons BY 4.0", f"{_CC}by/4.0/", "cc-by"),
    "CC-BY-3.0": Licence("Creative Commons BY 3.0", f"{_CC}by/3.0/", "cc-by"),
    "CC-BY-SA-4.0": Licence("Creative Commons BY-SA 4.0", f"{_CC}by-sa/4.0/", "cc-by-sa", share_alike=True),
    "CC-BY-SA-3.0": Licence("Creative Commons BY-SA 3.0", f"{_CC}by-sa/3.0/", "cc-by-sa", share_alike=True),
    "CC-BY-ND-4.0": Licence("Creative Commons BY-ND 4.0", f"{_CC}by-nd/4.0/", "other-closed", open=False),
    "CC-BY-NC-4.0": Licence("Creative Commons BY-NC 4.0", f"{_CC}by-nc/4.0/", "cc-nc", open=False),
    "CC-BY-NC-SA-4.0": Licence(
        "Creative Commons BY-NC-SA 4.0", f"{_CC}by-nc-sa/4.0/", "cc-nc", share_alike=True, open=False
    ),
    "CC-BY-NC-ND-4.0": Licence("Creative Commons BY-NC-ND 4.0", f"{_CC}by-nc-nd/4.0/", "other-closed", open=False),
    "Unlicense": Licence("The Unlicense (public domain)", "https://spdx.org/licenses/Unlicense", "other-pd"),
}

LANGUAGES = {
    "fr": "FRA",
    "en": "ENG",
    "br": "BRE",
    "ca": "CAT",
    "co": "COS",
    "de": "DEU",
    "es": "SPA",
    "eu": "EUS",
    "it": "ITA",
    "lb": "LTZ",
    "nl": "NLD",
    "oc": "OCI",
    "pt": "POR",
}
"""The languages that texts may be in: French, English, those of France's regions and of its neighbours."""

BNA = "http://data.europa.eu/bna/"
HVD = {
    "geospatial": {"uri": f"{BNA}c_ac64a52d", "fr": "Géospatiales", "en": "Geospatial"},
    "environment": {
        "uri": f"{BNA}c_dd313021",
        "fr": "Observation de la Terre et environnement",
        "en": "Earth observation and environment",
    },
    "meteorological": {"uri": f"{BNA}c_164e0bf5", "fr": "Météorologiques", "en": "Meteorological"},
    "statistics": {"uri": f"{BNA}c_e1da4e07", "fr": "Statistiques", "en": "Statistics"},
    "companies": {
        "uri": f"{BNA}c_a9135398",
        "fr": "Entreprises et propriété d'entreprises",
        "en": "Companies and company ownership",
    },
    "mobility": {"uri": f"{BNA}c_b79e35eb", "fr": "Mobilité", "en": "Mobility"},
}
HVD_LAW = "http://data.europa.eu/eli/reg_impl/2023/138/oj"
"""The regulation on high-value datasets: what it covers must name it."""

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
    "DAILY_2": {"fr": "deux fois par jour", "en": "twice a day"},
    "DAILY": {"fr": "chaque jour", "en": "daily"},
    "WEEKLY_3": {"fr": "trois fois par semaine", "en": "three times a week"},
    "WEEKLY_2": {"fr": "deux fois par semaine", "en": "twice a week"},
    "WEEKLY": {"fr": "chaque semaine", "en": "weekly"},
    "MONTHLY_3": {"fr": "trois fois par mois", "en": "three times a month"},
    "BIWEEKLY": {"fr": "toutes les deux semaines", "en": "every two weeks"},
    "MONTHLY_2": {"fr": "deux fois par mois", "en": "twice a month"},
    "MONTHLY": {"fr": "chaque mois", "en": "monthly"},
    "BIMONTHLY": {"fr": "tous les deux mois", "en": "every two months"},
    "QUARTERLY": {"fr": "chaque trimestre", "en": "quarterly"},
    "ANNUAL_3": {"fr": "trois fois par an", "en": "three times a year"},
    "ANNUAL_2": {"fr": "deux fois par an", "en": "twice a year"},
    "ANNUAL": {"fr": "chaque année", "en": "annual"},
    "BIENNIAL": {"fr": "tous les deux ans", "en": "every two years"},
    "TRIENNIAL": {"fr": "tous les trois ans", "en": "every three years"},
    "QUADRENNIAL": {"fr": "tous les quatre ans", "en": "every four years"},
    "QUINQUENNIAL": {"fr": "tous les cinq ans", "en": "every five years"},
    "DECENNIAL": {"fr": "tous les dix ans", "en": "every ten years"},
    "IRREG": {"fr": "irrégulière", "en": "irregular"},
    "NEVER": {"fr": "jamais", "en": "never"},
    "UNKNOWN": {"fr": "inconnue", "en": "unknown"},
}
