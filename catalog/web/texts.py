"""Every word the portal says, in its two languages, and how each writes numbers and dates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt

    from catalog.metadata import Lang

LANGS: Final[tuple[Lang, ...]] = ("fr", "en")

_MONTHS: dict[Lang, str] = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}

_BOTH: dict[str, tuple[str, str]] = {
    "skip": ("Aller au contenu", "Skip to content"),
    "main_nav": ("Navigation principale", "Main navigation"),
    "language": ("Langue", "Language"),
    "other_language": ("English", "Français"),
    "datasets": ("Jeux de données", "Datasets"),
    "sign_in": ("Se connecter", "Sign in"),
    "sign_out": ("Se déconnecter", "Sign out"),
    "signed_in": ("Vous êtes connecté en tant que", "You are signed in as"),
    "my_sandbox": ("Mon bac à sable", "My sandbox"),
    "my_releases": ("Sas de sortie", "Airlock"),
    "my_tokens": ("Mes jetons", "My tokens"),
    "my_password": ("Mot de passe", "Password"),
    "purpose_stated": ("Finalité déclarée", "Purpose stated"),
    "no_purpose": ("aucune", "none"),
    "breadcrumb": ("Fil d’Ariane", "Breadcrumb"),
    "search": ("Rechercher", "Search"),
    "search_label": ("Rechercher un jeu de données", "Search for a dataset"),
    "search_hint": (
        "Un titre, un mot-clé, un producteur, un nom de colonne…",
        "A title, a keyword, a publisher, a column name…",
    ),
    "themes": ("Thèmes", "Themes"),
    "filters": ("Filtrer", "Narrow down"),
    "chosen": ("Filtres choisis", "Filters chosen"),
    "take_back": ("retirer ce filtre", "remove this filter"),
    "take_all_back": ("Retirer tous les filtres", "Remove all filters"),
    "others": ("Les {count} autres", "The other {count}"),
    "facet_theme": ("Thèmes", "Themes"),
    "facet_publisher": ("Producteurs", "Publishers"),
    "facet_licence": ("Licences", "Licences"),
    "facet_format": ("Formats", "Formats"),
    "facet_territory": ("Territoires", "Territories"),
    "facet_freshness": ("Fraîcheur", "Freshness"),
    "freshness_current": ("À jour", "Up to date"),
    "freshness_late": ("En retard", "Late"),
    "freshness_irregular": ("Sans rythme annoncé", "No announced rhythm"),
    "freshness_fixed": ("Ne change plus", "No longer changes"),
    "dataset_one": ("jeu de données", "dataset"),
    "dataset_many": ("jeux de données", "datasets"),
    "row_one": ("ligne", "row"),
    "row_many": ("lignes", "rows"),
    "column_one": ("colonne", "column"),
    "column_many": ("colonnes", "columns"),
    "table_one": ("table", "table"),
    "table_many": ("tables", "tables"),
    "for_query": ("pour « {query} »", "for “{query}”"),
    "meant": ("Vouliez-vous dire", "Did you mean"),
    "joins": ("Se joint avec", "Joins with"),
    "join_on": ("{here} avec {there}", "{here} with {there}"),
    "join_exact": (
        "{share} % des codes de {inside} sont dans {holder}.",
        "{share}% of the codes of {inside} are in {holder}.",
    ),
    "join_about": (
        "Environ {share} % des codes de {inside} sont dans {holder}.",
        "About {share}% of the codes of {inside} are in {holder}.",
    ),
    "join_many": (
        "Plusieurs lignes y ont le même code : les lignes d’ici se répètent.",
        "Several rows there have the same code: rows of this table repeat.",
    ),
    "join_repeats": (
        "Quelques codes y figurent plusieurs fois : leurs lignes se répètent.",
        "Some codes stand there more than once: their rows repeat.",
    ),
    "join_share_alike": (
        "Ce qui est tiré de cette jointure se partage à l’identique : {licence}.",
        "What is made of this join is shared alike: {licence}.",
    ),
    "join_sql": ("La requête SQL", "The SQL query"),
    "join_others": ("Et {count} autres jointures.", "And {count} more joins."),
    "join_left": (
        "Reste à comparer : {tables} du catalogue. Revenez plus tard.",
        "Still to be compared: {tables} of the catalogue. Come back later.",
    ),
    "similar": ("Jeux de données proches", "Similar datasets"),
    "none_found": ("Aucun jeu de données ne répond à cette recherche.", "No dataset matches this search."),
    "none_found_hint": (
        "Essayez un mot plus court, au singulier, ou parcourez tout le catalogue.",
        "Try a shorter word, in the singular, or browse the whole catalogue.",
    ),
    "none_at_all": ("Aucun jeu de données n’est encore ouvert à tous.", "No dataset is open to everyone yet."),
    "show_all": ("Voir tous les jeux de données", "Show all datasets"),
    "pages": ("Pages de résultats", "Result pages"),
    "previous": ("Page précédente", "Previous page"),
    "next": ("Page suivante", "Next page"),
    "page_of": ("Page {page} sur {pages}", "Page {page} of {pages}"),
    "publisher": ("Producteur", "Publisher"),
    "contact": ("Contact", "Contact"),
    "licence": ("Licence", "Licence"),
    "licence_note": ("À savoir", "Note"),
    "frequency": ("Mise à jour", "Updates"),
    "territory": ("Territoire", "Territory"),
    "period": ("Période couverte", "Period covered"),
    "since": ("depuis le {start}", "since {start}"),
    "until": ("jusqu’au {end}", "until {end}"),
    "between": ("du {start} au {end}", "{start} to {end}"),
    "issued": ("Première publication", "First published"),
    "modified": ("Dernière version", "Last version"),
    "updated_on": ("mis à jour le {day}", "updated {day}"),
    "keywords": ("Mots-clés", "Keywords"),
    "landing": ("Page d’origine", "Original page"),
    "identifier": ("Identifiant", "Identifier"),
    "about": ("À propos de ces données", "About these data"),
    "contents": ("Sur cette page", "On this page"),
    "edition": ("Édition", "Edition"),
    "download": ("Télécharger", "Download"),
    "download_as": ("Télécharger {resource} au format {form}", "Download {resource} as {form}"),
    "csv_hint": (
        "CSV : UTF-8, séparé par des virgules ; une cellule qui serait une formule y est précédée d’une apostrophe.",
        "CSV: UTF-8, comma-separated; a cell that would start a formula has an apostrophe put before it.",
    ),
    "columns": ("Colonnes", "Columns"),
    "columns_of": ("Colonnes de {resource}", "Columns of {resource}"),
    "column_name": ("Nom", "Name"),
    "meaning": ("Signification", "Meaning"),
    "column_type": ("Type", "Type"),
    "unit": ("Unité", "Unit"),
    "nulls": ("Vides", "Empty"),
    "why": ("Pourquoi ce type", "Why this type"),
    "pseudonymised": ("pseudonymisée", "pseudonymised"),
    "generalised": ("généralisée : {how}", "generalised: {how}"),
    "by_year": ("à l’année", "to the year"),
    "by_month": ("au mois", "to the month"),
    "by_quarter": ("au trimestre", "to the quarter"),
    "by_departement": ("au département", "to the département"),
    "by_region": ("à la région", "to the region"),
    "by_epci": ("à l’intercommunalité", "to the intercommunal body"),
    "by_bands": ("en tranches", "to bands"),
    "by_grid": ("à une grille de {metres} m", "to a grid of {metres} m"),
    "cut_top": ("au plus {bound}", "at most {bound}"),
    "cut_bottom": ("au moins {bound}", "at least {bound}"),
    "cells_hidden": ("secrète sous {least}", "hidden under {least}"),
    "by_step": ("au multiple de {step}", "to the multiple of {step}"),
    "preview": ("Aperçu", "Preview"),
    "preview_of": ("Premières lignes de {resource}", "First rows of {resource}"),
    "preview_part": (
        "{shown} premières lignes sur {total}. Les textes longs sont coupés.",
        "First {shown} rows of {total}. Long texts are cut.",
    ),
    "preview_columns": (
        "Seules les {shown} premières colonnes sont montrées.",
        "Only the first {shown} columns are shown.",
    ),
    "preview_fails": (
        "L’aperçu ne peut pas être lu en ce moment. Réessayez plus tard, ou écrivez au contact de ce jeu de données.",
        "The preview cannot be read now. Try again later, or write to this dataset’s contact.",
    ),
    "no_rows": ("Cette table n’a aucune ligne.", "This table has no rows."),
    "empty_cell": ("vide", "empty"),
    "versions": ("Versions", "Versions"),
    "versions_of": ("Versions de {resource}", "Versions of {resource}"),
    "versions_hint": (
        "Chaque version est gardée. Les lignes lues à la source sont gardées ou rejetées ; aucune n’est perdue.",
        "Each version is kept. Rows read from the source are either kept or rejected; none is lost.",
    ),
    "changes": ("Ce qui a changé", "What changed"),
    "changes_none": ("rien", "nothing"),
    "changes_added": ("{count} de plus", "{count} added"),
    "changes_removed": ("{count} de moins", "{count} removed"),
    "changes_columns_added": ("colonnes nouvelles : {names}", "new columns: {names}"),
    "changes_columns_removed": ("colonnes disparues : {names}", "columns gone: {names}"),
    "changes_retyped": ("types changés : {names}", "retyped: {names}"),
    "origin": ("D’où vient cette table, et ce qui en est fait", "Where this table comes from, and what is made of it"),
    "origin_source": ("Source", "Source"),
    "origin_raw": ("Lue et prouvée", "Read and proven"),
    "origin_raw_rows": ("{read}, {rejected} rejetées", "{read}, {rejected} rejected"),
    "origin_edition": ("Édition {edition}", "Edition {edition}"),
    "origin_version": ("version {version}, {rows}", "version {version}, {rows}"),
    "origin_uses": ("Lue par", "Read by"),
    "versions_fail": ("L’historique ne peut pas être lu en ce moment.", "The history cannot be read now."),
    "versions_more": ("Les {shown} plus récentes sur {total}.", "The latest {shown} of {total}."),
    "version": ("Version", "Version"),
    "date": ("Date", "Date"),
    "rows_read": ("Lignes lues", "Rows read"),
    "rows_rejected": ("Rejetées", "Rejected"),
    "rows_here": ("Lignes ici", "Rows here"),
    "source": ("Source", "Source"),
    "fetched_on": ("récupérée le {day}", "fetched {day}"),
    "query": ("Interroger", "Query"),
    "query_lab": ("Dans un carnet du DataLab (Python)", "In a DataLab notebook (Python)"),
    "query_sql": ("En SQL, dans le DataLab", "In SQL, in the DataLab"),
    "query_api": (
        "Depuis un programme, ligne à ligne, avec filtres et tris",
        "From a program, row by row, filtered and sorted",
    ),
    "query_anywhere": ("En SQL, depuis n’importe où, avec DuckDB", "In SQL, from anywhere, with DuckDB"),
    "kind_text": ("texte", "text"),
    "kind_integer": ("entier", "integer"),
    "kind_decimal": ("décimal", "decimal"),
    "kind_float": ("nombre", "number"),
    "kind_boolean": ("vrai ou faux", "true or false"),
    "kind_date": ("date", "date"),
    "kind_timestamp": ("date et heure", "date and time"),
    "kind_geometry": ("géométrie", "geometry"),
    "machines": ("Pour les machines", "For machines"),
    "no_tracking": (
        "Ce portail ne dépose aucun cookie et n’appelle aucun autre site.",
        "This portal sets no cookie and calls no other site.",
    ),
    "no_tracking_signed_in": (
        "Un cookie vous garde connecté ; ce portail n’en dépose pas d’autre et n’appelle aucun autre site.",
        "One cookie keeps you signed in; this portal sets no other and calls no other site.",
    ),
    "error_400": ("Cette demande ne peut pas être comprise", "This request cannot be understood"),
    "error_400_do": (
        "Une recherche a au plus {limit} caractères. Raccourcissez-la, puis recommencez.",
        "A search has at most {limit} characters. Shorten it, then try again.",
    ),
    "error_404": ("Cette page n’existe pas", "This page does not exist"),
    "error_404_do": (
        "L’adresse est mal écrite, ou ces données ne sont pas ouvertes à tous. Cherchez dans le catalogue.",
        "The address is misspelt, or these data are not open to everyone. Search the catalogue.",
    ),
    "error_405": ("Cette action n’est pas possible ici", "This action is not possible here"),
    "error_405_do": ("Ce portail se lit ; il ne se modifie pas.", "This portal can be read, not changed."),
    "error_503": ("Ces données ne peuvent pas être lues en ce moment", "These data cannot be read now"),
    "error_503_do": (
        "Réessayez dans quelques minutes. Si rien ne change, écrivez à l’équipe du DataLab.",
        "Try again in a few minutes. If nothing changes, write to the DataLab team.",
    ),
    "error_500": ("Le portail a rencontré une erreur", "The portal met an error"),
    "error_500_do": (
        "Réessayez. Si l’erreur revient, écrivez à l’équipe du DataLab en donnant l’adresse de la page.",
        "Try again. If it comes back, write to the DataLab team with the page’s address.",
    ),
}

TEXTS: dict[Lang, dict[str, str]] = {
    lang: {key: both[place] for key, both in _BOTH.items()} for place, lang in enumerate(LANGS)
}
"""The texts by language, then by key."""


def choose(asked: str | None, accepted: str) -> Lang:
    """The language of a page: `?lang=` if it is one of ours, else the best of Accept-Language, else French."""
    for lang in LANGS:
        if asked == lang:
            return lang
    best: tuple[float, Lang] = (0.0, "fr")
    for part in accepted[:500].split(","):
        name, *options = part.strip().split(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)\s*", options[0]) if options else None
        weight = 1.0 if not options else float(quality[1]) if quality else 0.0
        for lang in LANGS:
            if name.split("-")[0].strip().lower() == lang and weight > best[0]:
                best = (weight, lang)
    return best[1]


def number(value: float, lang: Lang) -> str:
    """`12 345` in French (with a narrow no-break space), `12,345` in English."""
    text = f"{value:,}"
    return text.replace(",", "\u202f") if lang == "fr" else text


def day(date: dt.date, lang: Lang) -> str:
    """`1er mars 2026` or `1 March 2026`."""
    first = "1er" if lang == "fr" and date.day == 1 else str(date.day)
    return f"{first} {_MONTHS[lang].split()[date.month - 1]} {date.year}"


def size(count: int, lang: Lang) -> str:
    """A file's size for a person: `1,2 Mo` or `1.2 MB`."""
    amount, units = float(count), (["octets", "ko", "Mo", "Go"] if lang == "fr" else ["bytes", "kB", "MB", "GB"])
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004  what `kilo` means
        amount, units = amount / 1000, units[1:]
    short = f"{amount:.0f}" if amount >= 10 or units[0] in {"octets", "bytes"} else f"{amount:.1f}"  # noqa: PLR2004
    return f"{short.replace('.', ',') if lang == 'fr' else short}\u00a0{units[0]}"


def counted(value: int, noun: str, lang: Lang) -> str:
    """`1 ligne`, `2 lignes`; zero is singular in French alone."""
    one = value in {0, 1} if lang == "fr" else value == 1
    return f"{number(value, lang)} {TEXTS[lang][noun + ('_one' if one else '_many')]}"
