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
_TEXTS = [
    *_NOTICES.values(),
    ("Avis de dépôt", "Dépôt de l'état des créances"),
    (_EXTRACT, "Jugement d'interdiction de gérer"),  # about a person
    (_EXTRACT, "Autre jugement et ordonnance"),
]
_CREDITS_CODE, _PERSON_CODE, _OTHER_CODE = len(_NOTICES), len(_NOTICES) + 1, len(_NOTICES) + 2
_Rows = dict[str, np.ndarray]
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
            "Siret": text_column(people.site_siret, people.head_at(where, day)),
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


def publication_lag(n: int, rng: np.random.Generator) -> np.ndarray:
    """Days from judgment to publication: median 9, a long tail (51 and more for about one in a hundred)."""
    usual = np.exp(rng.normal(np.log(BODACC_MEDIAN_LAG), 0.42, n)).clip(3, 50)
    return np.where(rng.random(n) < 0.015, rng.integers(40, 200, n), np.round(usual)).astype(int)


def bodacc_items(
    people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator
) -> tuple[pl.DataFrame, np.ndarray]:
    """Notices, and the publication date of each company's opening (NEVER: none).

    Some are odd: corrected (the first notice carries a wrong judgment date), cancelled (the company never failed), without
    SIREN, about a person.
    """
    steps = fate.steps
    rows: list[_Rows] = []
    n_steps = len(steps.company)
    published = steps.date + publication_lag(n_steps, rng)
    code = np.array(
        [list(_NOTICES).index((s, k)) for s, k in zip(steps.step.tolist(), steps.kind.tolist(), strict=True)]
    )
    opening = steps.step == 0
    wrong = opening & (rng.random(n_steps) < 0.02)
    shown = np.where(wrong, steps.date - rng.integers(3, 25, n_steps), steps.date)
    rows.append(_notices(steps.company, published, shown, code, 0))
    corrected_on = published[wrong] + rng.integers(10, 60, wrong.sum())
    rows.append(_notices(steps.company[wrong], corrected_on, steps.date[wrong], code[wrong], 1))

    rows += _mistakes(people, fate, timeline, rng) + _other_notices(people, fate, timeline, rng)

    merged = {key: np.concatenate([part[key] for part in rows]) for key in rows[0]}
    nameless = (merged["code"] == _PERSON_CODE) | (people.legal[merged["company"]] == SOLE_TRADER)
    unidentified = rng.random(len(nameless)) < np.where(
        nameless, np.where(merged["code"] == _PERSON_CODE, 1.0, 0.5), 0.02
    )
    first_published = np.full(people.n, NEVER)
    first_published[steps.company[opening]] = published[opening]
    return _render_notices(people, merged, unidentified), first_published


def _mistakes(people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator) -> list[_Rows]:
    """Openings published by mistake, then cancelled some weeks later: these companies did not fail."""
    sound = np.flatnonzero((fate.fail_date == NEVER) & (fate.end_date == NEVER))
    company = rng.choice(sound, max(1, people.n // 900), replace=False)
    n = len(company)
    day = timeline.first_days[rng.integers(3, timeline.months - 3, n)] + rng.integers(0, 28, n)
    day = np.maximum(day, people.birth[company] + 30)
    published = day + publication_lag(n, rng)
    kind = rng.integers(0, 2, n)
    cancelled = published + rng.integers(8, 45, n)
    return [_notices(company, published, day, kind, 0), _notices(company, cancelled, np.full(n, NEVER), kind, 2)]


def _other_notices(people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator) -> list[_Rows]:
    """Notices that open nothing: deposits of claims, bans on managing (about a person), orders of all sorts."""
    failed = np.flatnonzero(fate.fail_date < NEVER)
    rows = []
    for code, share, shortest, longest in ((_CREDITS_CODE, 0.5, 150, 400), (_PERSON_CODE, 0.08, 300, 900)):
        company = failed[rng.random(len(failed)) < share]
        day = fate.fail_date[company] + rng.integers(shortest, longest, len(company))
        rows.append(_notices(company, day + 8, day, np.full(len(company), code), 0))
    company = rng.choice(people.n, max(1, people.n // 150))
    day = timeline.first_days[rng.integers(1, timeline.months, len(company))] + rng.integers(0, 28, len(company))
    day = np.maximum(day, people.birth[company] + 30)
    return [*rows, _notices(company, day + 8, day, np.full(len(company), _OTHER_CODE), 0)]


def _notices(company: np.ndarray, published: np.ndarray, judged: np.ndarray, code: np.ndarray, kind: int) -> _Rows:
    return {
        "company": company,
        "published": published,
        "judged": judged,
        "code": code,
        "kind": np.full(len(company), kind),
    }


def _render_notices(people: Population, rows: _Rows, unidentified: np.ndarray) -> pl.DataFrame:
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
            "jugement_famille": pl.Series([family for family, _ in _TEXTS], dtype=pl.String).gather(code),
            "jugement_nature": pl.Series([nature for _, nature in _TEXTS], dtype=pl.String).gather(code),
            "judged": rows["judged"],
            "unidentified": unidentified[order],
        }
    ).with_columns(
        iso("published").alias("date_parution"),
        pl.when(pl.col("unidentified")).then(None).otherwise(pl.col("siren")).alias("siren"),
        pl.when(pl.col("judged") < NEVER.astype(object)).then(iso("judged")).alias("jugement_date"),
        pl.col("published").alias("known"),
    )


def odd_notices(frame: pl.DataFrame) -> dict[str, int]:
    """How many of these notices correct, cancel, name no SIREN, or are about a person."""
    return {
        "bodacc_rectificatif": frame.filter(pl.col("type_annonce") == _TYPES[1]).height,
        "bodacc_annulation": frame.filter(pl.col("type_annonce") == _TYPES[2]).height,
        "bodacc_sans_siren": frame["siren"].null_count(),
        "bodacc_personne": frame.filter(pl.col("jugement_nature") == _TEXTS[_PERSON_CODE][1]).height,
    }


def departement_of(people: Population) -> np.ndarray:
    """Département of each company's last head office."""
    return departements(people.site_commune[people.head_site])
