"""Judgments as two administrations show them: URSSAF's procedure file and the notices of BODACC."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulation.health import Fate
from simulation.nomenclature import COMMUNES, COURTS, SOLE_TRADER
from simulation.population import Population
from simulation.timeline import NEVER, Timeline, compact, iso
from simulation.urssaf import departements, text_column

PROCOL_HEADER = tuple("Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx".split(";"))
BODACC_HEADER = tuple(
    "date_parution,numero_annonce,type_annonce,siren,tribunal,code_postal,jugement_type,jugement_famille,"
    "jugement_nature,jugement_date".split(",")
)
PROCOL_LAG, BODACC_MEDIAN_LAG = 30, 9

# (label by (step, kind)); step and kind are indices in health.STEPS and health.KINDS.
_PROCOL = {
    (0, 0): ("liquidation_ouverture",),
    (0, 1): ("Redressement_ouverture",),
    (0, 2): ("ouverture_sauvegarde",),
    (1, 1): ("redressement_inclusion_autre_procedure", "Ouverture_liquidation"),
    (1, 2): ("sauvegarde_inclusion_autre_procedure", "Ouverture_liquidation"),
    (2, 1): ("Redressement_plan_continuation",),
    (2, 2): ("plan_continuation_sauvegarde",),
    (3, 0): ("Liquidation_fin_procedure",),
    (4, 1): ("redressement_inclusion_autre_procedure", "Ouverture_liquidation"),
    (4, 2): ("sauvegarde_inclusion_autre_procedure", "Ouverture_liquidation"),
}
_OPENING, _EXTRACT, _RULING = "Jugement d'ouverture", "Extrait de jugement", "Jugement prononçant"
_NOTICES = {
    (0, 0): (_OPENING, "Jugement d'ouverture de liquidation judiciaire"),
    (0, 1): (_OPENING, "Jugement d'ouverture d'une procédure de redressement judiciaire"),
    (0, 2): (_OPENING, "Jugement d'ouverture d'une procédure de sauvegarde"),
    (1, 1): (_RULING, "Jugement de conversion en liquidation judiciaire"),
    (1, 2): (_RULING, "Jugement de conversion en liquidation judiciaire de la procédure de sauvegarde"),
    (2, 1): (_EXTRACT, "Jugement de plan de redressement"),
    (2, 2): (_EXTRACT, "Jugement arrêtant le plan de sauvegarde"),
    (3, 0): ("Jugement de clôture", "Jugement de clôture pour insuffisance d'actif"),
    (4, 1): (_EXTRACT, "Jugement prononçant la résolution du plan de redressement et la liquidation judiciaire"),
    (4, 2): (_EXTRACT, "Jugement prononçant la résolution du plan de sauvegarde et la liquidation judiciaire"),
}
_CREDITS = ("Avis de dépôt", "Dépôt de l'état des créances")
_PERSON = (_EXTRACT, "Jugement d'interdiction de gérer")
_OTHER = (_EXTRACT, "Autre jugement et ordonnance")
_TYPES = ("Avis initial", "Avis rectificatif", "Avis d’annulation")


def procol_items(people: Population, fate: Fate, rng: np.random.Generator) -> pl.DataFrame:
    """One row per judgment (two for a conversion), at the head office; a few companies are unknown to this file."""
    steps = fate.steps
    unseen = rng.random(people.n) < 0.05
    company, date, label, category = [], [], [], []
    for (step, kind), labels in _PROCOL.items():
        mask = (steps.step == step) & (steps.kind == kind) & ~unseen[steps.company]
        for text in labels:
            company.append(steps.company[mask])
            date.append(steps.date[mask])
            label += [text] * int(mask.sum())
            category += [str(kind + 1)] * int(mask.sum())
    where, day = np.concatenate(company), np.concatenate(date)
    # The balance of a redressement after its plan differs by establishment: a line that status rules must ignore.
    frame = pl.DataFrame(
        {
            "Siret": text_column(people.site_siret, _head_at(people, where, day)),
            "Siren": text_column(people.siren, where),
            "date": day,
            "Cat_v2": category,
            "Lib_actx_stdx": label,
        },
        schema_overrides={"Cat_v2": pl.String, "Lib_actx_stdx": pl.String},
    )
    balance = frame.filter(pl.col("Lib_actx_stdx") == "Redressement_plan_continuation")
    balance = balance[np.flatnonzero(rng.random(balance.height) < 0.3)].with_columns(
        pl.lit("Solde_procedure_redressement").alias("Lib_actx_stdx"), pl.col("date") + pl.duration(days=200)
    )
    return pl.concat([frame, balance]).with_columns(
        compact("date").alias("Dt_effet"), (pl.col("date") + pl.duration(days=PROCOL_LAG)).alias("known")
    )


def _head_at(people: Population, company: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Establishment index of the head office at a date."""
    first = np.flatnonzero(people.site_rank == 1)
    last = people.head_site
    return np.where(people.site_open[last][company] <= day, last[company], first[company])


def publication_lag(n: int, rng: np.random.Generator) -> np.ndarray:
    """Days from judgment to publication: median 9, a long tail (51 and more for about one in a hundred)."""
    usual = np.exp(rng.normal(np.log(BODACC_MEDIAN_LAG), 0.42, n)).clip(3, 50)
    return np.where(rng.random(n) < 0.015, rng.integers(40, 200, n), np.round(usual)).astype(int)


def bodacc_items(
    people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator
) -> tuple[pl.DataFrame, np.ndarray, dict[str, int]]:
    """Notices; publication date of each company's opening (NEVER: none); count of the odd ones by kind.

    Odd ones: corrected (the first notice carries a wrong judgment date), cancelled (the company never failed), without
    SIREN, about a person.
    """
    steps = fate.steps
    rows: list[dict[str, np.ndarray]] = []
    n_steps = len(steps.company)
    published = steps.date + publication_lag(n_steps, rng)
    texts = [*_NOTICES.values(), _CREDITS, _PERSON, _OTHER]
    code = np.array([list(_NOTICES).index((s, k)) for s, k in zip(steps.step.tolist(), steps.kind.tolist(), strict=True)])
    opening = steps.step == 0
    wrong = opening & (rng.random(n_steps) < 0.02)
    shown = np.where(wrong, steps.date - rng.integers(3, 25, n_steps), steps.date)
    rows.append(_notices(steps.company, published, shown, code, 0))
    corrected_on = published[wrong] + rng.integers(10, 60, wrong.sum())
    rows.append(_notices(steps.company[wrong], corrected_on, steps.date[wrong], code[wrong], 1))

    # Openings published by mistake, then cancelled: these companies did not fail.
    sound = np.flatnonzero((fate.fail_date == NEVER) & (fate.end_date == NEVER))
    mistaken = rng.choice(sound, max(1, people.n // 900), replace=False)
    day = timeline.first_days[rng.integers(3, timeline.months - 3, len(mistaken))] + rng.integers(0, 28, len(mistaken))
    day = np.maximum(day, people.birth[mistaken] + 30)
    out = day + publication_lag(len(day), rng)
    wrong_kind = rng.integers(0, 2, len(day))
    rows.append(_notices(mistaken, out, day, wrong_kind, 0))
    rows.append(_notices(mistaken, out + rng.integers(8, 45, len(day)), np.full(len(day), NEVER), wrong_kind, 2))

    credits = opening & (rng.random(n_steps) < 0.5)
    later = steps.date[credits] + rng.integers(150, 400, credits.sum())
    rows.append(_notices(steps.company[credits], later + 8, later, np.full(credits.sum(), len(texts) - 3), 0))
    person = opening & (rng.random(n_steps) < 0.08)
    later = steps.date[person] + rng.integers(300, 900, person.sum())
    rows.append(_notices(steps.company[person], later + 8, later, np.full(person.sum(), len(texts) - 2), 0))
    other = rng.choice(people.n, max(1, people.n // 150))
    later = timeline.first_days[rng.integers(1, timeline.months, len(other))] + rng.integers(0, 28, len(other))
    later = np.maximum(later, people.birth[other] + 30)
    rows.append(_notices(other, later + 8, later, np.full(len(other), len(texts) - 1), 0))

    merged = {key: np.concatenate([part[key] for part in rows]) for key in rows[0]}
    nameless = (merged["code"] == len(texts) - 2) | (people.legal[merged["company"]] == SOLE_TRADER)
    unidentified = rng.random(len(nameless)) < np.where(nameless, np.where(merged["code"] == len(texts) - 2, 1.0, 0.5), 0.02)
    counts = {
        "bodacc_rectificatif": int(wrong.sum()), "bodacc_annulation": len(mistaken),
        "bodacc_sans_siren": int(unidentified.sum()), "bodacc_personne": int(person.sum()),
    }  # fmt: skip
    first_published = np.full(people.n, NEVER)
    first_published[steps.company[opening]] = published[opening]
    return _render_notices(people, merged, texts, unidentified), first_published, counts


def _notices(
    company: np.ndarray, published: np.ndarray, judged: np.ndarray, code: np.ndarray, kind: int
) -> dict[str, np.ndarray]:
    return {"company": company, "published": published, "judged": judged, "code": code, "kind": np.full(len(company), kind)}


def _render_notices(
    people: Population, rows: dict[str, np.ndarray], texts: list[tuple[str, str]], unidentified: np.ndarray
) -> pl.DataFrame:
    """Notices as columns of the file; the number of a notice is unique in its day (ten per company, by rank)."""
    order = np.lexsort((rows["kind"], rows["published"], rows["company"]))
    rows = {key: values[order] for key, values in rows.items()}
    company = rows["company"]
    rank = np.arange(len(company)) - np.searchsorted(company, company)
    head = people.head_site[company]
    courts = np.array([COURTS.get(c.departement, COURTS["21"]) for c in COMMUNES])
    postal = np.array([c.postal_code for c in COMMUNES])
    commune = people.site_commune[head]
    kind, code = rows["kind"], rows["code"]
    return pl.DataFrame(
        {
            "published": rows["published"],
            "numero_annonce": people.number[company] * 20 + rank % 20,
            "type_annonce": text_column(np.array(_TYPES), kind),
            "siren": text_column(people.siren, company),
            "tribunal": text_column(courts, commune),
            "code_postal": text_column(postal, commune),
            "jugement_type": pl.Series(["initial", "initial", "annule"], dtype=pl.String).gather(kind),
            "jugement_famille": pl.Series([family for family, _ in texts], dtype=pl.String).gather(code),
            "jugement_nature": pl.Series([nature for _, nature in texts], dtype=pl.String).gather(code),
            "judged": rows["judged"],
            "unidentified": unidentified[order],
        }
    ).with_columns(
        iso("published").alias("date_parution"),
        pl.when(pl.col("unidentified")).then(None).otherwise(pl.col("siren")).alias("siren"),
        pl.when(pl.col("judged") < NEVER.astype(object)).then(iso("judged")).alias("jugement_date"),
        pl.col("published").alias("known"),
    )


def departement_of(people: Population) -> np.ndarray:
    """Département of each company's last head office."""
    return departements(people.site_commune[people.head_site])
