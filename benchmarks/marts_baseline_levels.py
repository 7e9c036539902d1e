"""What each source says of a company on the last day of a month: the columns of the baseline that look at no other month."""

from __future__ import annotations

import polars as pl
from adbc_driver_postgresql.dbapi import Connection

from benchmarks.marts_baseline_company import establishments, identified, in_groups, procedures
from benchmarks.marts_baseline_panel import KEYS, cumulated, first_day, known, latest, month_of, read, spans

ECART = ["siren", "compte", "periode_debut", "numero_ecart_negatif"]
#: Classes of headcount, by the number that they stay below.
HEADCOUNTS = {10: "0-9", 20: "10-19", 50: "20-49", 100: "50-99", 250: "100-249", float("inf"): "250+"}
#: Hours of one full-time month.
FULL_TIME = 151.67
#: A consumption of partial activity is shown two months after its month.
SHOWN_AFTER = 2
RATIOS = (
    "marge_ebe", "autonomie_financiere", "taux_d_endettement", "ratio_de_liquidite", "caf_sur_ca", "couverture_des_interets",
    "credit_fournisseurs_jours", "poids_bfr_exploitation_sur_ca",
)  # fmt: skip
ACCOUNTS = ("ca_evolution", "resultat_net_sur_ca", *RATIOS)
BANQUE_DE_FRANCE = ("bdf_poids_frng", "bdf_poids_dettes_fiscales_sociales")


def levels(source: Connection, first: int, last: int) -> pl.DataFrame:
    """siren, m and the columns of the month, for each company that ever had ten employees, from month `first` to `last`."""
    effectif = read(
        source,
        "select siren::int, periode, effectif::float8 as effectif, _known_from as known from raw.urssaf__effectif_ent",
    )
    companies = effectif.filter(pl.col("effectif") >= 10).select("siren").unique().sort("siren")
    months = _months(source, effectif, first, last)
    events = _debit_events(source)
    ecarts = events.group_by(ECART, maintain_order=True).agg(pl.col("m", "treated").first())
    begun = ecarts.select("siren", first_day("treated").alias("ecart"), first_day("m").alias("known"))
    hours = _hours(source)
    used = hours.filter(pl.col("heures") > 0).select("siren", "known", derniere_ap="periode")
    panel = companies.join(months, how="cross", maintain_order="left_right")
    panel = latest(panel, effectif, "periode", ["effectif"])
    panel = latest(panel, begun, "ecart", [])
    panel = latest(panel, used, "derniere_ap", [])
    panel = latest(panel, _paydex(source), "date_valeur", ["paydex_jours"])
    panel = latest(panel, _accounts(source), "date_cloture_exercice", ACCOUNTS)
    panel = latest(panel, _banque_de_france(source), "arrete_bilan", BANQUE_DE_FRANCE)
    for changes in (
        _contributions(source),
        _debts(events, ecarts),
        _consumed(hours),
        _authorised(source),
        _commissions(source),
        *establishments(source),
    ):
        panel = cumulated(panel, changes, first)
    panel = panel.join(_delais(source), on=KEYS, how="left", maintain_order="left")
    panel = panel.join_asof(procedures(source), on="m", by="siren", check_sortedness=False)
    return panel.pipe(identified, source).pipe(in_groups, source).pipe(_level_columns)


def _months(source: Connection, effectif: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """m, month (a date), last period of the headcounts and version of the perimeter then."""
    months = pl.DataFrame({"m": range(first, last + 1)}, schema={"m": pl.Int32}).with_columns(
        first_day("m").alias("month")
    )
    periods = (
        effectif.group_by(month_of("known").alias("m")).agg(month_of("periode").max().alias("last_period")).sort("m")
    )
    versions = read(source, "select version as version_perimetre, applicable_depuis from reference.perimetre")
    versions = versions.select("version_perimetre", m=month_of("applicable_depuis")).sort("m")
    return months.join_asof(periods.with_columns(pl.col("last_period").cum_max()), on="m").join_asof(versions, on="m")


def _paydex(source: Connection) -> pl.DataFrame:
    return read(
        source,
        "select siren::int, date_valeur, nb_jours::float8 as paydex_jours, _known_from as known from raw.altares__paydex",
    )


def _banque_de_france(source: Connection) -> pl.DataFrame:
    return read(
        source,
        "select siren::int, arrete_bilan, poids_frng::float8 as bdf_poids_frng,"
        " poids_dettes_fiscales_sociales::float8 as bdf_poids_dettes_fiscales_sociales, _known_from as known"
        " from raw.banque_de_france__ratio",
    )


def _accounts(source: Connection) -> pl.DataFrame:
    """Accounts (complete, else of the group, else simplified), beside those that the company or the group closed a year before."""
    ratios = ", ".join(f"{name}::float8 as {name}" for name in RATIOS)
    accounts = read(
        source,
        "select siren::int, date_cloture_exercice, chiffre_affaires_eur::float8 as ca, resultat_net_eur::float8 as resultat,"
        " array_position('{C,K,S}', type_bilan) as preference, type_bilan = 'K' as of_the_group,"
        f" {ratios}, _known_from as known from raw.inpi__ratio",
    ).sort("siren", "date_cloture_exercice", "preference")
    kind = ["siren", "of_the_group"]
    accounts = accounts.unique([*kind, "date_cloture_exercice"], keep="first", maintain_order=True)
    before = pl.col("ca", "date_cloture_exercice").shift(1).over(kind).name.suffix("_before")
    days = (pl.col("date_cloture_exercice") - pl.col("date_cloture_exercice_before")).dt.total_days()
    comparable = (pl.col("ca_before") > 0) & days.is_between(330, 400)
    accounts = accounts.with_columns(before).with_columns(
        pl.when(comparable).then(pl.col("ca") / pl.col("ca_before") - 1).alias("ca_evolution"),
        pl.when(pl.col("ca") > 0).then(pl.col("resultat") / pl.col("ca")).alias("resultat_net_sur_ca"),
    )
    return accounts.unique(["siren", "date_cloture_exercice"], keep="first", maintain_order=True)


def _contributions(source: Connection) -> pl.DataFrame:
    """What is due for the twelve periods before a month, and the number of those that are known."""
    due = read(
        source,
        "select left(siret, 9)::int as siren, periode_debut, cotisation_due_eur::float8 as due, _known_from as known"
        " from raw.urssaf__cotisation",
    )
    period = month_of("periode_debut")
    start = pl.max_horizontal(month_of("known"), period + 1)
    return spans(due, start, period + 13, due=pl.col("due"), periodes=pl.lit(1))


def _debit_events(source: Connection) -> pl.DataFrame:
    """The events of each écart in their order: `treated`, the URSSAF's month, and `m`, the month they are known in."""
    events = read(
        source,
        "select siren::int, compte, periode_debut, numero_ecart_negatif, numero_historique, date_traitement, _known_from as known,"
        " part_ouvriere_eur::float8 as po, part_patronale_eur::float8 as pp from raw.urssaf__debit",
    ).sort("siren", "compte", "periode_debut", "numero_ecart_negatif", "numero_historique")
    treated = month_of("date_traitement") + (pl.col("date_traitement").dt.day() > 20).cast(pl.Int32)
    return events.with_columns(treated.alias("treated"), pl.max_horizontal(month_of("known"), treated).alias("m"))


def _debts(events: pl.DataFrame, ecarts: pl.DataFrame) -> pl.DataFrame:
    """Changes of both parts (each event replaces the balance before it) and of the number of écarts under a year old."""
    deltas = [(pl.col(part) - pl.col(part).shift(1, fill_value=0).over(ECART)).alias(part) for part in ("po", "pp")]
    recent = spans(ecarts, pl.col("m"), pl.col("treated") + 12, nb_ecarts_12m=pl.lit(1))
    return pl.concat([events.select("siren", "m", *deltas), recent], how="diagonal")


def _delais(source: Connection) -> pl.DataFrame:
    """siren, m and what the approved délais are that month; amounts in cents, where half a cent is exact."""
    delais = read(
        source,
        "select left(siret, 9)::int as siren, compte, numero_structure, date_creation, date_echeance,"
        " max(montant_echeancier_eur)::float8 as montant, min(_known_from) as known from raw.urssaf__delai"
        " where stade in ('APPROB', 'PR') and date_echeance > date_creation group by 1, 2, 3, 4, 5",
    )
    created, ends = month_of("date_creation"), month_of("date_echeance")
    counted = pl.int_ranges(known("date_creation"), pl.max_horizontal(ends, created + 24), dtype=pl.Int32)
    by_month = delais.with_columns(counted.alias("m")).explode("m", empty_as_null=False)
    left = (pl.col("date_echeance") - first_day("m").dt.month_end()).dt.total_days().clip(lower_bound=0)
    days = (pl.col("date_echeance") - pl.col("date_creation")).dt.total_days()
    return by_month.group_by(KEYS).agg(
        (left > 0).any().cast(pl.Float64).alias("delai_en_cours"),
        (pl.col("montant") * 100 * left / days).sum().alias("reste_centimes"),
        (ends - pl.col("m")).clip(lower_bound=0).max().alias("delai_echeances_restantes"),
        (pl.col("m") < created + 24).sum().alias("nb_delais_24m"),
    )


def _commissions(source: Connection) -> pl.DataFrame:
    """Files opened, or approved, within 24 months; those whose last stage is an opening or an approval of less than 36 months."""
    stages = read(
        source,
        "select left(siret, 9)::int as siren, compte, date_traitement, stade, _known_from as known from raw.urssaf__ccsf",
    )
    in_force = pl.col("stade").is_in(["DEBUT", "APPROB"])
    stages = stages.with_columns(known("date_traitement").alias("start"), in_force.alias("in_force"))
    stages = stages.sort("siren", "compte", "date_traitement", pl.col("in_force").not_())
    start, day = pl.col("start"), month_of("date_traitement")
    stages = stages.with_columns(pl.col("start").shift(-1).over("siren", "compte").alias("next"))
    opened = spans(stages.filter("in_force"), start, day + 24, ccsf_24m=pl.lit(1))
    end = pl.min_horizontal(day + 36, "next")
    return pl.concat([opened, spans(stages.filter("in_force"), start, end, ccsf_en_cours=pl.lit(1))], how="diagonal")


def _hours(source: Connection) -> pl.DataFrame:
    return read(
        source,
        "select left(siret, 9)::int as siren, periode, heures::float8 as heures, _known_from as known from raw.dgefp__consommation_ap",
    )


def _consumed(hours: pl.DataFrame) -> pl.DataFrame:
    """Hours of the last month shown, of the last three, of the last twelve."""
    shown = month_of("periode") + SHOWN_AFTER
    start = pl.max_horizontal(month_of("known"), shown)
    by_length = [spans(hours, start, shown + n, **{f"heures_{n}m": pl.col("heures")}) for n in (1, 3, 12)]
    return pl.concat(by_length, how="diagonal")


def _authorised(source: Connection) -> pl.DataFrame:
    """Hours authorised for a month: those of the request, by the share of its days."""
    requests = read(
        source,
        "select left(siret, 9)::int as siren, periode_debut, periode_fin, heures_autorisees::float8 as heures, _known_from as known"
        " from raw.dgefp__demande_ap",
    )
    month = pl.int_ranges(month_of("periode_debut"), month_of("periode_fin") + 1, dtype=pl.Int32)
    by_month = requests.with_columns(month.alias("month")).explode("month").with_columns(first_day=first_day("month"))
    days = (
        pl.min_horizontal("periode_fin", pl.col("first_day").dt.month_end())
        - pl.max_horizontal("periode_debut", "first_day")
    ).dt.total_days() + 1
    all_days = (pl.col("periode_fin") - pl.col("periode_debut")).dt.total_days() + 1
    start = pl.max_horizontal(month_of("known"), "month")
    return spans(by_month, start, pl.col("month") + 1, heures_autorisees=pl.col("heures") * days / all_days)


def _level_columns(panel: pl.DataFrame) -> pl.DataFrame:
    month, effectif = pl.col("m"), pl.col("effectif")
    spoken = (pl.col("date_cloture_exercice_index") + 24 >= month).fill_null(False)
    spoken_bdf = pl.col("arrete_bilan_index") + 24 >= month
    recent_paydex = month - pl.col("date_valeur_index") <= 12
    cents = (pl.col("due") * 100 / pl.col("periodes")).round(mode="half_away_from_zero")
    panel = panel.with_columns(
        pl.when(pl.col("periodes") > 0).then(cents / 100).alias("cotisation_moyenne_12m_eur"),
        pl.col("po").round(2).alias("dette_part_ouvriere_eur"),
        pl.col("pp").round(2).alias("dette_part_patronale_eur"),
        (pl.col("po") + pl.col("pp")).round(2).alias("dette_eur"),
        pl.col("delai_en_cours", "reste_centimes", "delai_echeances_restantes", "nb_delais_24m").fill_null(0),
        pl.when(pl.col("nb_connus") > 0).then("nb_etablissements").alias("nb_etablissements"),
        *[pl.when(spoken).then(name).alias(name) for name in ACCOUNTS],
        *[pl.when(spoken_bdf).then(name).alias(name) for name in BANQUE_DE_FRANCE],
        pl.when(recent_paydex).then("paydex_jours").alias("paydex_jours"),
        pl.col("procedure_statut").is_not_null().alias("en_procedure"),
    )
    contribution = pl.when(pl.col("cotisation_moyenne_12m_eur") > 0).then("cotisation_moyenne_12m_eur")
    active = (pl.col("nb_etablissements") > 0).fill_null(True)
    return panel.with_columns(
        active.alias("est_actif"),
        (active & ~pl.col("en_procedure")).alias("a_risque"),
        pl.col("procedure_statut").fill_null("in_bonis"),
        pl.coalesce(pl.when(effectif < below).then(pl.lit(name)) for below, name in HEADCOUNTS.items()).alias(
            "tranche_effectif"
        ),
        (month - pl.col("periode_index")).alias("effectif_anciennete_mois"),
        (pl.col("periode_index") < pl.col("last_period")).alias("effectif_lacune"),
        (12 - pl.col("periodes")).alias("cotisation_mois_manquants_12m"),
        (pl.col("dette_eur") / contribution).alias("dette_sur_cotisation"),
        (pl.col("dette_part_ouvriere_eur") / contribution).alias("dette_ouvriere_sur_cotisation"),
        (pl.col("dette_eur") / effectif).alias("dette_par_salarie_eur"),
        (month - pl.col("ecart_index")).alias("mois_depuis_dernier_ecart"),
        (pl.col("reste_centimes").round(mode="half_away_from_zero") / 100).alias("delai_reste_eur"),
        (pl.col("reste_centimes") / 100 / contribution).alias("delai_reste_sur_cotisation"),
        *[(pl.col(name) > 0).alias(name) for name in ("ccsf_24m", "ccsf_en_cours")],
        (pl.col("heures_1m") / FULL_TIME).alias("ap_etp_consomme"),
        (pl.col("heures_12m") / 12 / FULL_TIME).alias("ap_etp_consomme_12m"),
        (pl.col("heures_3m") / 3 / FULL_TIME / effectif).alias("ap_part_effectif_3m"),
        (pl.col("heures_autorisees") / FULL_TIME).alias("ap_etp_autorise"),
        (month - pl.col("derniere_ap_index")).alias("ap_mois_depuis_derniere"),
        pl.when(recent_paydex).then(month - pl.col("date_valeur_index")).alias("paydex_anciennete_mois"),
        pl.when(spoken).then(month - pl.col("date_cloture_exercice_index")).alias("bilan_anciennete_mois"),
        spoken.not_().alias("bilans_manquants"),
        (month - month_of("date_creation")).alias("age_mois"),
    )
