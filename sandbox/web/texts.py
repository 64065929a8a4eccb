"""Every word of the airlock's pages, in both languages, beside those of the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.web import texts

if TYPE_CHECKING:
    from catalog.metadata import Lang

_BOTH: dict[str, tuple[str, str]] = {
    "airlock": ("Sas de sortie", "Airlock"),
    "airlock_lead": (
        "Rien ne sort d’un bac à sable sans qu’une autre personne l’ait lu et accepté.",
        "Nothing leaves a sandbox unless somebody else has read and approved it.",
    ),
    "mine": ("Mes demandes", "My requests"),
    "mine_none": (
        'Vous n’avez rien demandé. Dans un carnet : lab.release("table.csv", why="…").',
        'You have asked for nothing. In a notebook: lab.release("table.csv", why="…").',
    ),
    "waiting": ("En attente d’une décision", "Waiting for a decision"),
    "waiting_none": ("Rien n’attend.", "Nothing waits."),
    "closed": ("Décidées récemment", "Decided lately"),
    "bring": ("Faire entrer un fichier", "Bring a file in"),
    "bring_hint": (
        "Un fichier à vous, pour vos bacs à sable : quelqu’un d’autre l’accepte, et il arrive dans inbox.",
        "A file of yours, for your sandboxes: somebody else lets it in, and it arrives in inbox.",
    ),
    "bring_file": ("Le fichier", "The file"),
    "bring_do": ("Demander", "Ask for it"),
    "collect": ("Relever les boîtes d’envoi", "Take what lies in the outboxes"),
    "number": ("N°", "No"),
    "file": ("Fichier", "File"),
    "who": ("De", "From"),
    "for_whom": ("Pour", "For"),
    "asked_by": ("Demandé par", "Asked by"),
    "taken": ("Reçu", "Taken"),
    "state": ("État", "State"),
    "checks": ("Contrôles", "Checks"),
    "why_asked": ("Motif", "Reason"),
    "purpose": ("Finalités", "Purposes"),
    "purpose_none": ("aucune déclarée", "none stated"),
    "made_of": ("Fait à partir de", "Made of"),
    "made_of_none": ("non dit", "not said"),
    "could_read": ("A pu lire", "Could read"),
    "could_read_none": ("rien, d’après le journal d’audit", "nothing, by the audit log"),
    "sha256": ("SHA-256", "SHA-256"),
    "approvals": ("Accords", "Approvals"),
    "approvals_of": ("{count} sur {needed}", "{count} of {needed}"),
    "direction_in": ("entrée", "inward"),
    "state_submitted": ("pas encore contrôlé", "not checked yet"),
    "state_checked": ("attend une décision", "waits for a decision"),
    "state_in review": ("attend une deuxième personne", "waits for a second person"),
    "state_asked": ("attend la réponse du demandeur", "waits for the requester’s answer"),
    "state_answered": ("répondu, attend une décision", "answered, waits for a decision"),
    "state_released": ("sorti", "released"),
    "state_refused": ("refusé", "refused"),
    "state_withdrawn": ("retiré", "withdrawn"),
    "severity_stop": ("bloque", "stops"),
    "severity_look": ("à justifier", "to be justified"),
    "severity_note": ("à savoir", "note"),
    "found_nothing": ("Les contrôles n’ont rien trouvé.", "The checks found nothing."),
    "not_checked": ("Les contrôles n’ont pas encore été faits.", "The checks have not run yet."),
    "not_for_checks": (
        "Ce qui entre n’est pas contrôlé : c’est à son propriétaire.",
        "What comes in is not checked: it is its owner’s.",
    ),
    "where": ("Où", "Where"),
    "content": ("Contenu", "Content"),
    "content_here": ("Ce fichier", "This file"),
    "content_release": ("Sortie n° {number}, {name}", "Release {number}, {name}"),
    "content_none": ("Pas d’aperçu de ce genre de fichier.", "There is no preview of this kind of file."),
    "content_image": ("L’image telle qu’elle sortirait", "The picture as it would leave"),
    "content_first": ("Premières lignes seulement.", "The first lines only."),
    "read_file": ("Lire le fichier entier", "Read the whole file"),
    "earlier": (
        "Déjà sorti à partir des mêmes jeux de données",
        "Released before out of the same datasets",
    ),
    "earlier_none": ("Rien n’est encore sorti de ces jeux de données.", "Nothing was released of these datasets yet."),
    "history": ("Ce qui a été dit", "What was said"),
    "history_none": ("Rien encore.", "Nothing yet."),
    "word": ("Mot", "Word"),
    "when": ("Quand", "When"),
    "despite": ("malgré {checks}", "despite {checks}"),
    "word_check": ("contrôle", "check"),
    "word_approve": ("accord", "approval"),
    "word_refuse": ("refus", "refusal"),
    "word_ask": ("question", "question"),
    "word_answer": ("réponse", "answer"),
    "word_withdraw": ("retrait", "withdrawal"),
    "decide": ("Décider", "Decide"),
    "your_word": ("Votre mot", "Your word"),
    "despite_each": (
        "Ces contrôles ont trouvé quelque chose. Cochez chacun de ceux malgré lesquels vous acceptez :",
        "These checks found something. Tick each of those despite which you approve:",
    ),
    "stopped": (
        "Un contrôle bloque ce fichier : personne ne peut l’accepter tel quel.",
        "A check stops this file: nobody can approve it as it is.",
    ),
    "why_said": ("Pourquoi", "Why"),
    "why_said_hint": (
        "Une ligne de 250 caractères au plus. L’autre personne la lit, et elle reste au journal d’audit.",
        "One line of 250 characters at most. The other person reads it, and it stays in the audit log.",
    ),
    "password": ("Votre mot de passe", "Your password"),
    "password_hint": (
        "Demandé à chaque décision, tant que les bacs à sable n’ont pas leur propre domaine.",
        "Asked for at each decision as long as sandboxes have no domain of their own.",
    ),
    "do_approve": ("Accepter", "Approve"),
    "do_refuse": ("Refuser", "Refuse"),
    "do_ask": ("Poser une question", "Ask"),
    "do_answer": ("Répondre", "Answer"),
    "do_withdraw": ("Retirer la demande", "Withdraw"),
    "nothing_to_say": ("Il n’y a plus rien à dire ici.", "There is nothing more to say here."),
    "back": ("Toutes les demandes", "All requests"),
    "airlock_400": ("Cela ne peut pas se faire", "That cannot be done"),
    "airlock_401": ("Connectez-vous d’abord", "Sign in first"),
    "airlock_403": ("Cela vous est refusé", "You may not do that"),
    "airlock_404": ("Il n’y a rien ici pour vous", "There is nothing here for you"),
    "airlock_405": ("Cette action n’est pas possible ici", "This action is not possible here"),
    "airlock_409": (
        "Ce que vous avez lu a changé : rien n’a été fait",
        "What you have read has changed: nothing was done",
    ),
    "airlock_413": ("Ce formulaire est trop long", "This form is too long"),
    "airlock_500": ("Une erreur est survenue", "Something went wrong"),
    "airlock_503": ("Le sas ne fonctionne pas en ce moment", "The airlock does not work now"),
}

TEXTS: dict[Lang, dict[str, str]] = {
    lang: {**texts.TEXTS[lang], **{key: both[place] for key, both in _BOTH.items()}}
    for place, lang in enumerate(texts.LANGS)
}
"""The texts by language, then by key."""
