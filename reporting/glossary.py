"""The words of the report, explained in plain French for its readers, in alphabetical order."""

from __future__ import annotations

TERMS: tuple[tuple[str, str], ...] = (
    (
        "Activité partielle",
        (
            "Dispositif public qui indemnise les heures chômées par les salariés d’une entreprise en baisse d’activité. "
            "Elle est comptée ici en équivalents temps plein (ETP) : les heures consommées d’un mois divisées par 151,67. "
            "Elles sont connues deux mois plus tard."
        ),
    ),
    (
        "Aggravation",
        "Entreprise déjà en alerte modérée qui passe pour la première fois en alerte forte.",
    ),
    (
        "Alerte forte, alerte modérée",
        (
            "Deux niveaux de risque. L’alerte forte (seuil F1) retient peu d’entreprises, avec moins d’erreurs ; l’alerte "
            "modérée (seuil F2) en retient davantage, pour en manquer moins."
        ),
    ),
    (
        "CCSF",
        (
            "Commission des chefs de services financiers : elle accorde un échéancier commun pour les dettes fiscales et "
            "sociales."
        ),
    ),
    (
        "Clignotant",
        (
            "Règle simple, reprise des tribunaux de l’entreprise belges ou des créanciers publics italiens, lue à côté du "
            "modèle et sans lui. Chacune est donnée avec ce qu’elle a valu : combien d’entreprises où elle était allumée "
            "ont connu une procédure dans les 18 mois."
        ),
    ),
    (
        "CODEFI",
        (
            "Comité départemental d’examen des problèmes de financement des entreprises. Il réunit, autour du préfet, les "
            "administrations qui peuvent aider une entreprise en difficulté."
        ),
    ),
    (
        "CRP",
        "Commissaire aux restructurations et à la prévention des difficultés des entreprises, présent dans chaque région.",
    ),
    (
        "Délai de paiement Urssaf",
        "Échéancier accordé par l’Urssaf pour régler une dette de cotisations.",
    ),
    (
        "Dette sociale",
        (
            "Cotisations dues à l’Urssaf et non réglées à la fin du mois, tous établissements confondus. La part salariale "
            "a été retenue sur les salaires ; la part patronale est à la charge de l’employeur."
        ),
    ),
    (
        "Nouvelle détection",
        (
            "Entreprise qui passe en alerte pour la première fois, ou dont l’alerte s’aggrave, parce que sa propre "
            "situation a changé. Un changement du modèle ou un fichier arrivé en retard ne crée pas de nouvelle détection."
        ),
    ),
    (
        "Probabilité",
        (
            "Part des entreprises qui, dans une situation semblable, ont connu une procédure collective dans le délai "
            "indiqué. « 7 sur 100 » signifie aussi que 93 sur 100 n’en ont pas connu."
        ),
    ),
    (
        "Procédure collective",
        "Sauvegarde, redressement judiciaire ou liquidation judiciaire, ouverte par un tribunal.",
    ),
    (
        "Retour",
        "Entreprise qui avait quitté les alertes et qui y revient.",
    ),
    (
        "Siren, Siret",
        "Numéros d’identité de l’entreprise (9 chiffres) et de chacun de ses établissements (14 chiffres).",
    ),
    (
        "Sortie",
        (
            "Entreprise en alerte dans la liste précédente qui ne l’est plus : risque redescendu, entrée en procédure, cessation "
            "ou sortie du périmètre."
        ),
    ),
)
