"""Labels of French nomenclatures that a report shows: NAF rév. 2 sections, legal forms, size classes, alert words.

Sources: INSEE, nomenclature d'activités française rév. 2 (21 sections), catégories juridiques (niveaux I et III),
tranches d'effectif salarié of the Sirene base.
"""

from __future__ import annotations

NAF_SECTIONS = {
    "A": "Agriculture, sylviculture et pêche",
    "B": "Industries extractives",
    "C": "Industrie manufacturière",
    "D": "Production et distribution d’électricité, de gaz, de vapeur et d’air conditionné",
    "E": "Production et distribution d’eau ; assainissement, gestion des déchets et dépollution",
    "F": "Construction",
    "G": "Commerce ; réparation d’automobiles et de motocycles",
    "H": "Transports et entreposage",
    "I": "Hébergement et restauration",
    "J": "Information et communication",
    "K": "Activités financières et d’assurance",
    "L": "Activités immobilières",
    "M": "Activités spécialisées, scientifiques et techniques",
    "N": "Activités de services administratifs et de soutien",
    "O": "Administration publique",
    "P": "Enseignement",
    "Q": "Santé humaine et action sociale",
    "R": "Arts, spectacles et activités récréatives",
    "S": "Autres activités de services",
    "T": "Activités des ménages en tant qu’employeurs",
    "U": "Activités extra-territoriales",
}

_DIVISION_STARTS = (
    (1, "A"), (5, "B"), (10, "C"), (35, "D"), (36, "E"), (41, "F"), (45, "G"), (49, "H"), (55, "I"), (58, "J"),
    (64, "K"), (68, "L"), (69, "M"), (77, "N"), (84, "O"), (85, "P"), (86, "Q"), (90, "R"), (94, "S"), (97, "T"),
    (99, "U"),
)  # fmt: skip

LEGAL_FORMS = {
    "1000": "Entrepreneur individuel",
    "5202": "Société en nom collectif",
    "5306": "Société en commandite simple",
    "5410": "SARL nationale",
    "5485": "SELARL",
    "5498": "SARL unipersonnelle",
    "5499": "Société à responsabilité limitée (SARL)",
    "5505": "Société anonyme à participation ouvrière à conseil d’administration",
    "5599": "Société anonyme à conseil d’administration",
    "5699": "Société anonyme à directoire",
    "5710": "Société par actions simplifiée (SAS)",
    "5720": "Société par actions simplifiée unipersonnelle (SASU)",
    "5785": "SELAS",
    "6220": "Groupement d’intérêt économique",
    "6317": "Société coopérative agricole",
    "6540": "Société civile immobilière",
    "6599": "Société civile",
    "9220": "Association déclarée",
}

LEGAL_FAMILIES = {
    "1": "Entrepreneur individuel",
    "2": "Groupement de droit privé sans personnalité morale",
    "3": "Personne morale de droit étranger",
    "4": "Personne morale de droit public soumise au droit commercial",
    "5": "Société commerciale",
    "6": "Autre personne morale immatriculée au RCS",
    "7": "Personne morale soumise au droit administratif",
    "8": "Organisme privé spécialisé",
    "9": "Groupement de droit privé",
}

SIZE_CLASSES = {
    "NN": "sans salarié",
    "00": "sans salarié",
    "01": "1 ou 2 salariés",
    "02": "3 à 5 salariés",
    "03": "6 à 9 salariés",
    "11": "10 à 19 salariés",
    "12": "20 à 49 salariés",
    "21": "50 à 99 salariés",
    "22": "100 à 199 salariés",
    "31": "200 à 249 salariés",
    "32": "250 à 499 salariés",
    "41": "500 à 999 salariés",
    "42": "1 000 à 1 999 salariés",
    "51": "2 000 à 4 999 salariés",
    "52": "5 000 à 9 999 salariés",
    "53": "10 000 salariés et plus",
}

ALERT_WORDS = {"Alerte seuil F1": "Alerte forte", "Alerte seuil F2": "Alerte modérée"}

NOVELTY_WORDS = {
    "premiere_alerte": "Première alerte",
    "aggravation": "Aggravation",
    "retour": "Retour en alerte",
    "entree_perimetre": "Entrée dans le périmètre",
    "changement_modele": "Changement de modèle",
    "deja_en_alerte": "Déjà en alerte",
}


def is_natural_person(categorie_juridique: str | None) -> bool:
    """True when the INSEE legal category is one of level I code 1 (entrepreneur individuel)."""
    return bool(categorie_juridique) and str(categorie_juridique).startswith("1")


def legal_form(categorie_juridique: str | None) -> str | None:
    """Label of an INSEE legal category (4 digits), at level III when known, else at level I; None when unknown."""
    if not categorie_juridique:
        return None
    return LEGAL_FORMS.get(categorie_juridique) or LEGAL_FAMILIES.get(categorie_juridique[:1])


def naf_section(naf: str | None) -> str | None:
    """Letter of the NAF rév. 2 section that holds a code such as `28.41Z` or `2841Z`; None when it is not a code."""
    if not naf or not naf[:2].isdigit():
        return None
    division = int(naf[:2])
    letters = [letter for start, letter in _DIVISION_STARTS if start <= division]
    return letters[-1] if letters else None


def size_class(tranche: str | None) -> str | None:
    """Words of a Sirene size class code; a text that is not a code (`10-19`) is given back with « salariés »."""
    if not tranche:
        return None
    if tranche in SIZE_CLASSES:
        return SIZE_CLASSES[tranche]
    low, _, high = tranche.partition("-")
    if low.isdigit() and high.isdigit():
        return f"{low} à {high} salariés"
    if tranche.removesuffix("+").isdigit():
        return f"{tranche.removesuffix('+')} salariés et plus"
    return tranche


def alert_word(alerte: str | None) -> str:
    """Reader's word for an alert; « Pas d’alerte » for anything that is not one of the two alerts."""
    return ALERT_WORDS.get(alerte or "", "Pas d’alerte")


def novelty_word(motif: str) -> str:
    """Reader's word for the reason why a detection is new."""
    return NOVELTY_WORDS.get(motif, motif.replace("_", " ").capitalize())
