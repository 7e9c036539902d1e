"""Who a company is in a month: identity, establishments, procedures, group."""

from __future__ import annotations

import polars as pl
from adbc_driver_postgresql.dbapi import Connection

from benchmarks.marts_baseline_panel import KEYS, known, latest, month_of, read, spans

#: Stages in the order in which they win on one day; severities 1 sauvegarde, 2 redressement, 3 liquidation.
OPENED, CONVERTED, PLAN, ENDED = range(4)
JUDGMENTS = {
    "Jugement d'ouverture d'une procédure de redressement judiciaire": (OPENED, 2),
    "Jugement arrêtant le plan de redressement": (PLAN, 2),
    "Jugement prononçant la conversion en liquidation judiciaire": (CONVERTED, 3),
    "Jugement de clôture pour extinction du passif": (ENDED, 3),
    "Jugement prononçant la conversion en redressement judiciaire": (CONVERTED, 2),
    "Jugement mettant fin à la procédure de redressement judiciaire": (ENDED, 2),
    "Jugement d'ouverture d'une procédure de sauvegarde": (OPENED, 1),
    "Jugement mettant fin à la procédure de sauvegarde": (ENDED, 1),
    "Jugement arrêtant le plan de sauvegarde": (PLAN, 1),
    "redressement ouverture": (OPENED, 2),
    "redressement fin_procedure": (ENDED, 2),
}


def identified(panel: pl.DataFrame, source: Connection) -> pl.DataFrame:
    """The seat created last, the company, and the activity: the company's, or else that of its seat."""
    seats = read(
        source,
        "select siren::int, siret as siret_siege, date_creation as creation_siege, departement, region, code_commune, libelle_commune,"
        " case when nomenclature_activite = 'NAFRev2' then activite_principale end as naf_siege, _known_from as known"
        " from raw.insee__etablissement"
        " left join reference.departement on departement = code where est_siege",
    )
    companies = read(
        source,
        "select siren::int, denomination, categorie_juridique, date_creation,"
        " case when nomenclature_activite = 'NAFRev2' then activite_principale end as naf, _known_from as known"
        " from raw.insee__unite_legale",
    )
    activities = read(
        source,
        "select naf.code as naf, division.code as naf_division, section as naf_section"
        " from reference.naf join reference.naf_division as division on left(naf.code, 2) = division.code",
    )
    seat = ["siret_siege", "departement", "region", "code_commune", "libelle_commune", "naf_siege"]
    panel = latest(panel, seats, "creation_siege", seat)
    panel = latest(panel, companies, "known", ["denomination", "categorie_juridique", "date_creation", "naf"])
    is_person = pl.col("categorie_juridique").str.starts_with("1")
    return panel.with_columns(
        pl.when(~is_person).then("denomination").alias("denomination"),
        pl.coalesce("naf", "naf_siege").alias("naf"),
    ).join(activities, on="naf", how="left", maintain_order="left")


def establishments(source: Connection) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Changes of the number of establishments: open and known; opened within a year; closed within a year."""
    stock = read(
        source,
        "select siren::int, siret, date_creation as began, 'A' as etat, _known_from as known from raw.insee__etablissement",
    )
    history = read(
        source,
        "select left(siret, 9)::int as siren, siret, date_debut as began, etat_administratif as etat, changement_etat,"
        " _known_from as known from raw.insee__etablissement_historique",
    )
    states = pl.concat([stock, history.drop("changement_etat")]).sort("siret", "began", maintain_order=True)
    is_open = (pl.col("etat") == "A").cast(pl.Int32)
    number = states.select(
        "siren",
        known("began").alias("m"),
        (is_open - is_open.shift(1, fill_value=0).over("siret")).alias("nb_etablissements"),
        pl.col("siret").is_first_distinct().cast(pl.Int32).alias("nb_connus"),
    )
    closed = history.filter((pl.col("etat") == "F") & pl.col("changement_etat"))
    start, end = known("began"), month_of("began") + 12
    return (
        number,
        spans(stock, start, end, etablissements_ouverts_12m=pl.lit(1)),
        spans(closed, start, end, etablissements_fermes_12m=pl.lit(1)),
    )


def procedures(source: Connection) -> pl.DataFrame:
    """siren, m, status and its date, each time a judgment is known.

    Of each severity the last judgment speaks, and the end of a procedure also ends the lighter ones opened before it. `rank` orders
    judgments by date, then stage, so that the last one is a maximum.
    """
    judgments = read(
        source,
        "select siren::int, jugement_nature as nature, jugement_date as jour, _known_from as known from raw.bodacc__annonce"
        " union all"
        " select siren::int, action_procol || ' ' || stade_procol, date_effet, _known_from from raw.urssaf__procol",
    )
    meaning = pl.DataFrame([(n, *m) for n, m in JUDGMENTS.items()], ["nature", "stage", "severity"], orient="row")
    events = judgments.join(meaning, on="nature")
    # A plan lasts ten years at most; its end is one of its own day, seen ten years later.
    over = events.filter(pl.col("stage") == PLAN).with_columns(
        seen=pl.col("jour").dt.offset_by("10y"), stage=pl.lit(ENDED, pl.Int64)
    )
    rank = (pl.col("jour").cast(pl.Int64) * 4 + pl.col("stage")).alias("rank")
    events = events.with_columns(seen="jour")
    events = pl.concat([events, over.select(events.columns)]).with_columns(rank, known("seen").alias("m")).sort(KEYS)
    severity, ended = pl.col("severity"), pl.col("stage") == ENDED

    def last(condition: pl.Expr) -> pl.Expr:
        return pl.when(condition).then("rank").otherwise(0).cum_max().over("siren")

    events = events.with_columns(
        *[last(severity == s).alias(f"last_{s}") for s in (1, 2, 3)],
        *[last((severity == s) & ended).alias(f"end_{s}") for s in (2, 3)],
    )
    sauvegarde, redressement, liquidation = (pl.col(f"last_{s}") for s in (1, 2, 3))

    def in_force(last: pl.Expr, *ends: str) -> pl.Expr:
        still = [pl.col(end) // 4 <= last // 4 for end in ends]
        return pl.all_horizontal(last > 0, last % 4 != ENDED, *still)

    def plan_or(last: pl.Expr, kind: str) -> pl.Expr:
        return pl.when(last % 4 == PLAN).then(pl.lit(f"plan_{kind}")).otherwise(pl.lit(kind))

    def gravest(of_liquidation: pl.Expr, of_redressement: pl.Expr, of_sauvegarde: pl.Expr) -> pl.Expr:
        return (
            pl.when(in_force(liquidation)).then(of_liquidation)
            .when(in_force(redressement, "end_3")).then(of_redressement)
            .when(in_force(sauvegarde, "end_2", "end_3")).then(of_sauvegarde)
        )  # fmt: skip

    status = gravest(pl.lit("liquidation"), plan_or(redressement, "redressement"), plan_or(sauvegarde, "sauvegarde"))
    began = gravest(liquidation, redressement, sauvegarde) // 4
    states = events.select(
        *KEYS, status.alias("procedure_statut"), began.cast(pl.Int32).cast(pl.Date).alias("procedure_date")
    )
    return states.unique(KEYS, keep="last", maintain_order=True)


def in_groups(panel: pl.DataFrame, source: Connection) -> pl.DataFrame:
    """The group of a company: who is held comes before who holds, then the largest share; and the subsidiaries known of it."""
    links = read(
        source,
        "select siren_filiale::int as siren, siren_groupe as groupe_siren_tete, code_groupe, niveau_detention as niveau,"
        " part_financiere::float8 as groupe_part_financiere, _known_from as known from raw.ellisphere__groupe",
    ).with_columns(month_of("known").alias("m"))
    heads = links.drop_nulls("groupe_siren_tete").with_columns(
        pl.col("groupe_siren_tete").cast(pl.Int32).alias("siren"),
        niveau=pl.lit(0),
        groupe_part_financiere=pl.lit(100.0),
    )
    members = pl.concat([links, heads.cast(links.schema)]).sort(
        pl.col("niveau") == 0, -pl.col("groupe_part_financiere"), "niveau", "code_groupe", nulls_last=True
    )
    members = members.with_row_index("rank")
    best = (
        members.sort(KEYS)
        .select(*KEYS, pl.col("rank").cum_min().over("siren"))
        .unique(KEYS, keep="last", maintain_order=True)
    )
    group = members.select("rank", "code_groupe", "groupe_siren_tete", "groupe_part_financiere")
    best = best.join(group, on="rank", maintain_order="left").drop("rank")
    sizes = links.group_by("code_groupe", "m").agg(pl.len().alias("groupe_nb_filiales")).sort("code_groupe", "m")
    sizes = sizes.with_columns(pl.col("groupe_nb_filiales").cum_sum().over("code_groupe"))
    months = panel.select(pl.col("m").unique(maintain_order=True))
    every_month = sizes.select("code_groupe").unique().join(months, how="cross", maintain_order="left_right")
    sizes = every_month.join_asof(sizes, on="m", by="code_groupe", check_sortedness=False)
    panel = panel.join_asof(best, on="m", by="siren", check_sortedness=False)
    panel = panel.join(sizes, on=["code_groupe", "m"], how="left", maintain_order="left")
    delivered = pl.col("m") >= links["m"].min()
    return panel.with_columns(
        pl.when(delivered).then(pl.col("code_groupe").is_not_null()).alias("dans_un_groupe"),
        pl.when(delivered).then(pl.col("groupe_nb_filiales").fill_null(0)).alias("groupe_nb_filiales"),
    )
