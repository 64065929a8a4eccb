"""How often data change, as portals say it → codes of the EU's authority table frequency."""

from __future__ import annotations

import re

from catalog.vocabulary import FREQUENCIES
from ingest.harvest.words import Found, folded, last_of

_WORDS = {
    "CONT": "continuous continual cont update_cont realtime real_time temps_reel en_continu continu",
    "HOURLY": "hourly toutes_les_heures horaire pt1h",
    "DAILY": "daily quotidienne quotidien tous_les_jours chaque_jour journaliere p1d",
    "WEEKLY": "weekly hebdomadaire chaque_semaine toutes_les_semaines p1w p7d",
    "MONTHLY": "monthly mensuelle mensuel chaque_mois tous_les_mois p1m",
    "QUARTERLY": "quarterly trimestrielle trimestriel chaque_trimestre p3m",
    "ANNUAL_2": "semiannual biannual biannually twice_a_year semestrielle semestriel chaque_semestre p6m",
    "ANNUAL": "annual annually yearly annuelle annuel chaque_annee tous_les_ans p1y p12m",
    "IRREG": "irregular irreg irreguliere irregulier ponctuelle as_needed asneeded si_besoin selon_besoin",
    "NEVER": "never jamais punctual ponctuel notplanned not_planned aucune aucune_mise_a_jour one_time",
    "UNKNOWN": "unknown inconnue inconnu non_renseignee",
    "DAILY_2": "semidaily twice_a_day daily_2",
    "WEEKLY_2": "semiweekly twice_a_week weekly_2",
    "WEEKLY_3": "threetimesaweek three_times_a_week weekly_3",
    "BIWEEKLY": "biweekly fortnightly p2w p14d",
    "MONTHLY_2": "semimonthly twice_a_month bimensuelle bimensuel monthly_2",
    "MONTHLY_3": "threetimesamonth three_times_a_month monthly_3",
    "BIMONTHLY": "bimonthly bimestrielle bimestriel p2m",
    "ANNUAL_3": "threetimesayear three_times_a_year annual_3",
    "BIENNIAL": "biennial biennale bisannuelle p2y",
    "TRIENNIAL": "triennial triennale p3y",
    "QUADRENNIAL": "quadrennial p4y",
    "QUINQUENNIAL": "quinquennial quinquennale p5y",
    "DECENNIAL": "decennial decennale p10y",
}
"""Words of udata (its core_plugins' UPDATE_FREQUENCIES), ISO 19115 (MD_MaintenanceFrequencyCode), Dublin Core
(http://purl.org/cld/freq/), Opendatasoft and French portals, and durations of ISO 8601; folded, with _ for a space."""
_BY_WORD = {word.replace("_", " "): code for code, words in _WORDS.items() for word in words.split()}
_BY_WORD |= {folded(label): code for code, labels in FREQUENCIES.items() for label in labels.values()}
_BY_WORD |= {folded(code): code for code in FREQUENCIES}


def frequency(said: str | None) -> Found:
    """The frequency's code; UNKNOWN, with why, where the portal says none or one that has no code here."""
    if said is None or not said.strip():
        return Found("UNKNOWN", "the portal does not say how often the data change")
    word = folded(re.sub(r"^r\d*/", "", last_of(said) if "://" in said else said.strip().lower()))
    code = _BY_WORD.get(word) or _BY_WORD.get(word.replace(" ", ""))
    if code in FREQUENCIES:
        return Found(code)
    return Found("UNKNOWN", f"the portal says {said.strip()[:80]!r}, which is none of the lab's frequencies")
