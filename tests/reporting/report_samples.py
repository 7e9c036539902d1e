"""Fictional reports for the tests of reporting/: Siren that start with 0, invented names, seeded values."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from reporting.model import (
    Company,
    Counts,
    HorizonFigures,
    Interval,
    MethodFigures,
    MonthlyCount,
    MonthlyReport,
    Offer,
    Reason,
    SeriesPoint,
    SourceFreshness,
    TerritoryCounts,
)

MONTH = date(2025, 12, 1)

DEPARTEMENTS = {
    "21": "Côte-d’Or",
    "25": "Doubs",
    "39": "Jura",
    "58": "Nièvre",
    "70": "Haute-Saône",
    "71": "Saône-et-Loire",
    "89": "Yonne",
    "90": "Territoire de Belfort",
}
_NEW = {"21": 4, "25": 3, "39": 0, "58": 1, "70": 1, "71": 2, "89": 0, "90": 1}

_NAMES = (
    "MECANIQUE FICTIVE DU VAL",
    "Établissements Imaginaires de Fonderie et d’Usinage de Précision de la Haute Vallée Réunie, Père et Fils",
    None,
    "ATELIERS INVENTES SAS",
    "TRANSPORTS DE NULLE PART",
    "SCIERIE CHIMERE",
    "BOULANGERIE FABULEUSE",
    "LOGICIELS LEGENDAIRES",
    "HOTEL DU MIRAGE",
    "CHARPENTES UTOPIE",
    "VERRERIE DU SONGE",
    "IMPRIMERIE FANTOME",
)
_NAF = (
    ("25.62B", "Mécanique industrielle"),
    ("24.51Z", "Fonderie de fonte"),
    ("43.32A", "Travaux de menuiserie bois et PVC"),
    ("28.41Z", None),
)


def siren(number: int) -> str:
    """Fictional Siren: starts with 0 and passes the Luhn check."""
    body = f"0{number:07d}"
    total = 0
    for position, digit in enumerate(reversed(body), start=1):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return f"{body}{(10 - total % 10) % 10}"


def months_before(month: date, count: int) -> list[date]:
    """The `count` months that end with `month`, oldest first."""
    last = month.year * 12 + month.month - 1
    return [date(index // 12, index % 12 + 1, 1) for index in range(last - count + 1, last + 1)]


def series(rng: random.Random) -> tuple[SeriesPoint, ...]:
    """24 months of a declining company, with a gap in the headcount; partial activity is known two months later."""
    points = []
    headcount, debt = rng.randint(18, 80), 0.0
    for index, month in enumerate(months_before(MONTH, 24)):
        headcount = max(5, headcount - rng.choice((0, 0, 0, 1, 1, -1)))
        debt = max(0.0, debt + rng.choice((0, 0, 1800.0, 5200.5)) * (index > 9))
        points.append(
            SeriesPoint(
                periode=month,
                effectif=None if index in (6, 7) else headcount,
                dette_po=round(debt * 0.2, 2),
                dette_pp=round(debt * 0.8, 2),
                ap_etp=None if index > 21 else 0.0 if index < 17 else round(rng.uniform(0, 6), 2),
            )
        )
    return tuple(points)


REASONS = (
    Reason(
        theme="Dettes sociales",
        phrase="La dette sociale représente 3,4 mois de cotisations, en hausse de 2,1 mois depuis six mois.",
        contribution=1.12,
        sens="aggravant",
    ),
    Reason(
        theme="Effectif",
        phrase="L’effectif a baissé de 18 % en un an, contre 2 % dans le secteur.",
        contribution=0.46,
        sens="aggravant",
    ),
    Reason(
        theme="Activité partielle",
        phrase="L’activité partielle a repris il y a trois mois.",
        contribution=0.21,
        sens="aggravant",
    ),
    Reason(
        theme="Données financières",
        phrase="Les capitaux propres couvrent 31 % du bilan : une marge de manœuvre.",
        contribution=-0.33,
        sens="favorable",
    ),
    Reason(
        theme="Contexte", phrase="L’entreprise existe depuis plus de vingt ans.", contribution=-0.18, sens="favorable"
    ),
)

OFFERS = (
    Offer(
        administration="CODEFI",
        offre="Saisine de la commission des chefs de services financiers",
        motif="Dette sociale et difficultés de financement simultanées.",
        priorite=3,
    ),
    Offer(
        administration="Urssaf",
        offre="Délai de paiement des cotisations",
        motif="Dette sociale en hausse, aucun délai en cours, entreprise in bonis.",
        priorite=1,
    ),
    Offer(
        administration="DREETS",
        offre="Diagnostic emploi et activité partielle de longue durée",
        motif="Reprise de l’activité partielle.",
        priorite=2,
    ),
)


def company(rank: int, **changes: Any) -> Company:
    """A fictional company of rank `rank`, with `changes` to its fields."""
    rng = random.Random(1000 + rank)
    p18 = round(0.46 / rank**0.75, 4)
    naf, naf_label = _NAF[rank % len(_NAF)]
    points = series(rng)
    departement = [code for code, count in _NEW.items() for _ in range(count)][(rank * 5) % sum(_NEW.values())]
    strong = p18 >= 0.2
    fields: dict[str, Any] = {
        "rang": rank,
        "retenue": rank <= 5,
        "siren": siren(1_200_000 + rank),
        "siret_siege": siren(1_200_000 + rank) + "00017",
        "denomination": _NAMES[(rank - 1) % len(_NAMES)],
        "libelle_commune": ("Dijon", "Vesoul", "Saint-Jean-de-Losne", "Belfort")[rank % 4],
        "departement": departement,
        "naf": naf,
        "naf_libelle": naf_label,
        "tranche_effectif": "12",
        "effectif": points[-1].effectif,
        "alerte": "Alerte seuil F1" if strong else "Alerte seuil F2",
        "alerte_precedente": "Alerte seuil F2" if rank == 2 else None,
        "p12": round(p18 * 0.7, 4),
        "p18": p18,
        "p24": round(min(1.0, p18 * 1.25), 4),
        "motif_nouveaute": "aggravation" if rank == 2 else "premiere_alerte",
        "premiere_alerte_le": date(2025, 6, 1) if rank == 2 else MONTH,
        "dette_eur": round((points[-1].dette_po or 0) + (points[-1].dette_pp or 0), 2),
        "dette_part_ouvriere_eur": points[-1].dette_po,
        "dette_part_patronale_eur": points[-1].dette_pp,
        "a_delai": rank % 3 == 0,
        "ap_etp_consomme_12m": 2.35,
        "reasons": REASONS[: 5 - rank % 2],
        "series": points,
        "offers": OFFERS[: 1 + rank % 3],
    }
    return Company(**(fields | changes))


FRESHNESS = (
    SourceFreshness(
        source="urssaf__debit",
        producteur="Urssaf",
        libelle="Débits (dettes de cotisations)",
        derniere_livraison=date(2025, 12, 22),
        derniere_periode=date(2025, 12, 1),
        lignes=1_284_310,
        rejets=12,
        age_jours=9,
        en_retard=False,
    ),
    SourceFreshness(
        source="urssaf__effectif_ent",
        producteur="Urssaf",
        libelle="Effectifs des entreprises",
        derniere_livraison=date(2025, 9, 22),
        derniere_periode=date(2025, 5, 1),
        lignes=412_000,
        rejets=0,
        age_jours=100,
        en_retard=True,
    ),
    SourceFreshness(
        source="dgefp__consommation_ap",
        producteur="DGEFP",
        libelle="Activité partielle consommée",
        derniere_livraison=date(2025, 12, 22),
        derniere_periode=date(2025, 10, 1),
        lignes=58_211,
        rejets=1,
        age_jours=9,
        en_retard=False,
    ),
    SourceFreshness(
        source="altares__paydex", producteur="Altares", libelle="Retards de paiement aux fournisseurs", en_retard=True
    ),
)

METHOD = MethodFigures(
    apprentissage_debut=date(2016, 1, 1),
    apprentissage_fin=date(2022, 12, 1),
    evaluation_debut=date(2023, 1, 1),
    evaluation_fin=date(2023, 12, 1),
    horizons=tuple(
        HorizonFigures(
            mois=months,
            auc=Interval(valeur=0.912 - shift, bas=0.901 - shift, haut=0.923 - shift),
            ap=Interval(valeur=0.41, bas=0.38, haut=0.44),
            oe=Interval(valeur=0.98, bas=0.93, haut=1.04),
            taux_base=rate,
            nb_observations=84_000,
            nb_defaillances=1_900,
        )
        for months, shift, rate in ((12, 0.0, 0.021), (18, 0.01, 0.031), (24, 0.02, 0.04))
    ),
)


def history(month: date = MONTH) -> tuple[MonthlyCount, ...]:
    """24 months of counts."""
    rng = random.Random(7)
    return tuple(
        MonthlyCount(
            month=m,
            nb_f1=60 + rng.randint(-8, 8) + i,
            nb_f2=150 + rng.randint(-15, 15),
            nb_nouvelles=rng.randint(4, 18),
        )
        for i, m in enumerate(months_before(month, 24))
    )


def report(companies: tuple[Company, ...] | None = None, **changes: Any) -> MonthlyReport:
    """The fictional region's report: 12 new companies, 5 of them retained; `changes` replace fields."""
    listed = tuple(company(rank) for rank in range(1, 13)) if companies is None else companies
    fields: dict[str, Any] = {
        "month": MONTH,
        "territoire_code": "27",
        "territoire_libelle": "Bourgogne-Franche-Comté",
        "territoire_type": "region",
        "region_code": "27",
        "region_libelle": "Bourgogne-Franche-Comté",
        "simulation": True,
        "seuil_f1": 0.2,
        "seuil_f2": 0.07,
        "model_id": "hazard-2025-09-3f2a",
        "capacite": 5,
        "counts": Counts(
            nb_suivies=11_482,
            nb_f1=84,
            nb_f2=163,
            nb_nouvelles=len(listed),
            nb_premieres=sum(each.motif_nouveaute == "premiere_alerte" for each in listed),
            nb_aggravations=sum(each.motif_nouveaute == "aggravation" for each in listed),
            nb_retours=3,
            nb_autres_entrees=2,
            nb_sorties=9,
            nb_retenues=sum(each.retenue for each in listed),
        ),
        "territories": tuple(
            TerritoryCounts(
                code=code, libelle=label, nb_suivies=1400, nb_f1=8 + _NEW[code], nb_f2=20, nb_nouvelles=_NEW[code]
            )
            for code, label in DEPARTEMENTS.items()
        ),
        "history": history(),
        "companies": listed,
        "freshness": FRESHNESS,
        "missing_sources": ("Ratios de la Banque de France",),
        "method": METHOD,
    }
    return MonthlyReport(**(fields | changes))


def department_report(companies: tuple[Company, ...] = (), **changes: Any) -> MonthlyReport:
    """The report of Côte-d’Or, by default a month without any new company."""
    fields: dict[str, Any] = {
        "territoire_code": "21",
        "territoire_libelle": "Côte-d’Or",
        "territoire_type": "departement",
        "capacite": 2,
    }
    return report(companies, **(fields | changes))
