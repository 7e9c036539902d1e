"""Sirene stock files: legal units, establishments, history of establishments."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulation.health import Fate
from simulation.nomenclature import ACTIVITIES, COMMUNES, SOLE_TRADER
from simulation.population import Population
from simulation.timeline import NEVER, iso
from simulation.urssaf import text_column

_ADDRESS = (
    "complementAdresse{0}Etablissement,numeroVoie{0}Etablissement,indiceRepetition{0}Etablissement,"
    "typeVoie{0}Etablissement,libelleVoie{0}Etablissement,codePostal{0}Etablissement,libelleCommune{0}Etablissement,"
    "libelleCommuneEtranger{0}Etablissement,distributionSpeciale{0}Etablissement,{1}codeCedex{0}Etablissement,"
    "libelleCedex{0}Etablissement,codePaysEtranger{0}Etablissement,libellePaysEtranger{0}Etablissement"
)
ETABLISSEMENT_HEADER = tuple(
    (
        "siren,nic,siret,statutDiffusionEtablissement,dateCreationEtablissement,trancheEffectifsEtablissement,"
        "anneeEffectifsEtablissement,activitePrincipaleRegistreMetiersEtablissement,dateDernierTraitementEtablissement,"
        "etablissementSiege,nombrePeriodesEtablissement,"
        + _ADDRESS.format("", "codeCommuneEtablissement,")
        + ","
        + _ADDRESS.format("2", "codeCommune2Etablissement,")
        + ",dateDebut,etatAdministratifEtablissement,enseigne1Etablissement,enseigne2Etablissement,"
        "enseigne3Etablissement,denominationUsuelleEtablissement,activitePrincipaleEtablissement,"
        "nomenclatureActivitePrincipaleEtablissement,caractereEmployeurEtablissement,longitude,latitude,geo_score,"
        "geo_type,geo_adresse,geo_id,geo_ligne,geo_l4,geo_l5"
    ).split(",")
)
UNITE_LEGALE_HEADER = tuple(
    "siren,statutDiffusionUniteLegale,unitePurgeeUniteLegale,dateCreationUniteLegale,sigleUniteLegale,sexeUniteLegale,"
    "prenom1UniteLegale,prenom2UniteLegale,prenom3UniteLegale,prenom4UniteLegale,prenomUsuelUniteLegale,"
    "pseudonymeUniteLegale,identifiantAssociationUniteLegale,trancheEffectifsUniteLegale,anneeEffectifsUniteLegale,"
    "dateDernierTraitementUniteLegale,nombrePeriodesUniteLegale,categorieEntreprise,anneeCategorieEntreprise,dateDebut,"
    "etatAdministratifUniteLegale,nomUniteLegale,nomUsageUniteLegale,denominationUniteLegale,"
    "denominationUsuelle1UniteLegale,denominationUsuelle2UniteLegale,denominationUsuelle3UniteLegale,"
    "categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,nomenclatureActivitePrincipaleUniteLegale,"
    "activitePrincipaleNAF25UniteLegale,nicSiegeUniteLegale,economieSocialeSolidaireUniteLegale,"
    "caractereEmployeurUniteLegale".split(",")
)
HISTORIQUE_HEADER = tuple(
    "siren,nic,siret,dateFin,dateDebut,etatAdministratifEtablissement,changementEtatAdministratifEtablissement,"
    "enseigne1Etablissement,enseigne2Etablissement,enseigne3Etablissement,changementEnseigneEtablissement,"
    "denominationUsuelleEtablissement,changementDenominationUsuelleEtablissement,activitePrincipaleEtablissement,"
    "nomenclatureActivitePrincipaleEtablissement,changementActivitePrincipaleEtablissement,"
    "caractereEmployeurEtablissement,changementCaractereEmployeurEtablissement".split(",")
)
SIRENE_LAG = 30


def _blank(frame: pl.DataFrame, header: tuple[str, ...]) -> pl.DataFrame:
    """Columns of the header that the simulation leaves empty."""
    return frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in header if name not in frame.columns)


def site_ends(people: Population, fate: Fate) -> np.ndarray:
    """Closing date of each establishment (NEVER: open): its own, or the company's end."""
    return np.minimum(people.site_close, np.maximum(fate.end_date[people.site_company], people.site_open + 1))


def final_head(people: Population, fate: Fate) -> np.ndarray:
    """Last head office of each company: the first establishment if the company ended before it moved."""
    return people.head_at(np.arange(people.n), fate.end_date - 1)


def etablissement_items(people: Population, fate: Fate, rng: np.random.Generator) -> pl.DataFrame:
    """One row per establishment; ``end`` its closing, ``head_from``/``head_to`` when it is the head office."""
    company = people.site_company
    end = site_ends(people, fate)
    exists = people.site_open < fate.end_date[company]
    first_of_moved = (people.site_rank == 1) & ~people.site_head
    new_open = people.site_open[people.head_site][company]
    new_open = np.where(new_open < fate.end_date[company], new_open, NEVER)  # the company ended before it moved
    commune = people.site_commune
    n = len(company)
    jitter = rng.normal(0, 0.02, (2, n))
    get = {name: np.array([str(getattr(c, name)) for c in COMMUNES]) for name in ("code", "name", "postal_code")}
    place = np.array([(c.longitude, c.latitude) for c in COMMUNES])[commune]
    naf = np.array([a.naf for a in ACTIVITIES])
    frame = pl.DataFrame(
        {
            "siren": text_column(people.siren, company),
            "siret": people.site_siret.tolist(),
            "statutDiffusionEtablissement": np.where(people.legal[company] == SOLE_TRADER, "P", "O").tolist(),
            "created": people.site_open,
            "end": end,
            "head_from": np.where(people.site_head | first_of_moved, people.site_open, NEVER),
            "head_to": np.where(first_of_moved, new_open, NEVER),
            "numeroVoieEtablissement": (1 + (people.number[company] * 7 + people.site_rank) % 190).astype(str).tolist(),
            "typeVoieEtablissement": pl.repeat("RUE", n, eager=True),
            "libelleVoieEtablissement": pl.repeat("DE LA SIMULATION", n, eager=True),
            "codePostalEtablissement": text_column(get["postal_code"], commune),
            "libelleCommuneEtablissement": text_column(get["name"], commune),
            "codeCommuneEtablissement": text_column(get["code"], commune),
            "activitePrincipaleEtablissement": text_column(naf, people.activity[company]),
            "nomenclatureActivitePrincipaleEtablissement": pl.repeat("NAFRev2", n, eager=True),
            "longitude": np.round(place[:, 0] + jitter[0], 6),
            "latitude": np.round(place[:, 1] + jitter[1], 6),
            "geo_score": np.round(0.6 + 0.4 * rng.random(n), 2),
            "known": people.site_open + SIRENE_LAG,
        }
    )[np.flatnonzero(exists)]
    return frame.with_columns(
        pl.col("siret").str.slice(9).alias("nic"), iso("created").alias("dateCreationEtablissement")
    )


def render_etablissement(items: pl.DataFrame, received: pl.Expr) -> pl.DataFrame:
    """The stock as of ``received``: an opening, closing or change of head office shows 30 days after."""
    lag = pl.duration(days=SIRENE_LAG)
    closed = pl.col("end") + lag <= received
    head = (pl.col("head_from") + lag <= received) & (pl.col("head_to") + lag > received)
    frame = items.filter(pl.col("known") <= received).with_columns(
        pl.when(head).then(pl.lit("true")).otherwise(pl.lit("false")).alias("etablissementSiege"),
        pl.when(closed).then(pl.lit("F")).otherwise(pl.lit("A")).alias("etatAdministratifEtablissement"),
        pl.when(closed).then(iso("end")).otherwise(iso("created")).alias("dateDebut"),
        pl.when(closed).then(pl.lit("2")).otherwise(pl.lit("1")).alias("nombrePeriodesEtablissement"),
        pl.when(closed).then(pl.lit("N")).otherwise(pl.lit("O")).alias("caractereEmployeurEtablissement"),
    )
    return _blank(frame, ETABLISSEMENT_HEADER)


def historique_items(items: pl.DataFrame) -> pl.DataFrame:
    """Two states per closed establishment, one per open one: start, and end where the next state begins."""
    ended = items.filter(pl.col("end") < pl.lit(NEVER.astype(object)))
    first = items.select(
        "siren", "nic", "siret", "activitePrincipaleEtablissement", "end", pl.col("created").alias("begins")
    )
    return pl.concat(
        [
            first.with_columns(state=pl.lit("A"), changed=pl.lit("false")),
            ended.select(
                "siren", "nic", "siret", "activitePrincipaleEtablissement",
                pl.lit(NEVER.astype(object)).cast(pl.Date).alias("end"), pl.col("end").alias("begins"),
                pl.lit("F").alias("state"), pl.lit("true").alias("changed"),
            ),
        ]
    ).sort("siret", "begins", descending=[False, True])  # fmt: skip


def render_historique(items: pl.DataFrame, received: pl.Expr) -> pl.DataFrame:
    """States known at ``received``; the end of a state is there only when the next one is known."""
    lag = pl.duration(days=SIRENE_LAG)
    false = pl.lit("false")
    frame = items.filter(pl.col("begins") + lag <= received).with_columns(
        iso("begins").alias("dateDebut"),
        pl.when(pl.col("end") + lag <= received)
        .then((pl.col("end") - pl.duration(days=1)).dt.strftime("%Y-%m-%d"))
        .alias("dateFin"),
        pl.col("state").alias("etatAdministratifEtablissement"),
        pl.col("changed").alias("changementEtatAdministratifEtablissement"),
        pl.lit("NAFRev2").alias("nomenclatureActivitePrincipaleEtablissement"),
        *(false.alias(name) for name in HISTORIQUE_HEADER if name.startswith("changement") and "Etat" not in name),
        pl.when(pl.col("state") == "A")
        .then(pl.lit("O"))
        .otherwise(pl.lit("N"))
        .alias("caractereEmployeurEtablissement"),
    )
    return _blank(frame, HISTORIQUE_HEADER)


def unite_legale_items(people: Population, fate: Fate) -> pl.DataFrame:
    """One row per company; names of natural persons are ``[ND]``, as INSEE writes what is not disclosed."""
    person = people.legal == SOLE_TRADER
    head = final_head(people, fate)
    first = np.flatnonzero(people.site_rank == 1)
    naf = np.array([a.naf for a in ACTIVITIES])
    siret = people.site_siret
    hidden = pl.Series(np.where(person, "[ND]", "").tolist()).replace("", None)
    return pl.DataFrame(
        {
            "siren": people.siren.tolist(),
            "statutDiffusionUniteLegale": np.where(person, "P", "O").tolist(),
            "created": people.birth,
            "end": fate.end_date,
            "moved": people.site_open[head],
            "nic_first": pl.Series(siret[first].tolist()).str.slice(9),
            "nic_last": pl.Series(siret[head].tolist()).str.slice(9),
            "prenom1UniteLegale": hidden,
            "nomUniteLegale": hidden,
            "denominationUniteLegale": pl.Series(np.where(person, "", people.name).tolist()).replace("", None),
            "categorieJuridiqueUniteLegale": people.legal.tolist(),
            "activitePrincipaleUniteLegale": text_column(naf, people.activity),
            "nomenclatureActivitePrincipaleUniteLegale": pl.repeat("NAFRev2", people.n, eager=True),
            "activitePrincipaleNAF25UniteLegale": text_column(naf, people.activity),
            "categorieEntreprise": np.where(people.size < 250, "PME", "ETI").tolist(),
            "known": people.birth + SIRENE_LAG,
        }
    ).with_columns(iso("created").alias("dateCreationUniteLegale"))


def render_unite_legale(items: pl.DataFrame, received: pl.Expr) -> pl.DataFrame:
    """The stock as of ``received``: end of the company and new head office show 30 days after."""
    lag = pl.duration(days=SIRENE_LAG)
    ended = pl.col("end") + lag <= received
    frame = items.filter(pl.col("known") <= received).with_columns(
        pl.when(ended).then(pl.lit("C")).otherwise(pl.lit("A")).alias("etatAdministratifUniteLegale"),
        pl.when(ended).then(iso("end")).otherwise(iso("created")).alias("dateDebut"),
        pl.when(ended).then(pl.lit("2")).otherwise(pl.lit("1")).alias("nombrePeriodesUniteLegale"),
        pl.when(pl.col("moved") + lag <= received)
        .then(pl.col("nic_last"))
        .otherwise(pl.col("nic_first"))
        .alias("nicSiegeUniteLegale"),
        pl.when(ended).then(pl.lit("N")).otherwise(pl.lit("O")).alias("caractereEmployeurUniteLegale"),
    )
    return _blank(frame, UNITE_LEGALE_HEADER)
