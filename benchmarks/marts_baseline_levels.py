"""What each source says of a company on the last day of a month: the columns of the baseline that look at no other month.

Months are numbers (year x 12 + month - 1) and a siren is one too. The panel has all months of each company, one after the other;
a source comes to it as its latest row, or as changes of a sum that add up along the months.
"""

from __future__ import annotations

import polars as pl

KEYS = ["siren", "m"]
ECART = ["siren", "compte", "periode_debut", "numero_ecart_negatif"]
#: Hours of one full-time month.
FULL_TIME = 151.67
#: A consumption of partial activity is shown two months after its month.
SHOWN_AFTER = 2
ACCOUNTS = (
    "marge_ebe", "autonomie_financiere", "taux_d_endettement", "ratio_de_liquidite", "caf_sur_ca", "couverture_des_interets",
    "credit_fournisseurs_jours", "poids_bfr_exploitation_sur_ca",
)  # fmt: skip
#: Stages in the order in which they win on one day; severities 1 sauvegarde, 2 redressement, 3 liquidation.
OPENED, CONVERTED, PLAN, ENDED = range(4)
JUDGMENTS = {
    "Jugement d'ouverture d'une procédure de redressement judiciaire": (OPENED, 2),
    "Jugement arrêtant le plan de redressement": (PLAN, 2),
    "Jugement prononçant la conversion en liquidation judiciaire": (CONVERTED, 3),
    "Jugement d'ouverture d'une procédure de sauvegarde": (OPENED, 1),
    "Jugement mettant fin à la procédure de sauvegarde": (ENDED, 1),
    "Jugement arrêtant le plan de sauvegarde": (PLAN, 1),
    "redressement ouverture": (OPENED, 2),
    "redressement fin_procedure": (ENDED, 2),
}


def levels(url: str, first: int, last: int) -> pl.DataFrame:
    """siren, m and the columns of the month, for each company that ever had ten employees, from month `first` to `last`."""
    effectif = _read(
        url,
        "select siren::int, periode, effectif::float8 as effectif, _known_from as known from raw.urssaf__effectif_ent",
    )
    companies = effectif.filter(pl.col("effectif") >= 10).select("siren").unique().sort("siren")
    months = _months(url, effectif, first, last)
    events = _debit_events(url)
    ecarts = events.group_by(ECART, maintain_order=True).agg(pl.col("m", "treated").first())
    begun = ecarts.select("siren", _first_day("treated").alias("ecart"), _first_day("m").alias("known"))
    hours = _hours(url)
    used = hours.filter(pl.col("heures") > 0).select("siren", "known", derniere_ap="periode")
    panel = companies.join(months, how="cross", maintain_order="left_right")
    panel = _latest(panel, effectif, "periode", ["effectif"])
    panel = _latest(panel, begun, "ecart", [])
    panel = _latest(panel, used, "derniere_ap", [])
    panel = _latest(panel, _paydex(url), "date_valeur", ["paydex_jours"])
    panel = _latest(panel, _accounts(url), "date_cloture_exercice", ["ca_evolution", "resultat_net_sur_ca", *ACCOUNTS])
    panel = _latest(
        panel, _banque_de_france(url), "arrete_bilan", ["bdf_poids_frng", "bdf_poids_dettes_fiscales_sociales"]
    )
    for changes in (
        _contributions(url), _debts(events, ecarts), _consumed(hours), _authorised(url), *_establishments(url), _commissions(url),
    ):  # fmt: skip
        panel = _cumulated(panel, changes, first)
    panel = panel.join(_delais(url), on=KEYS, how="left", maintain_order="left")
    panel = panel.join_asof(_procedures(url), on="m", by="siren", check_sortedness=False)
    return panel.pipe(_identified, url).pipe(_in_groups, url).pipe(_level_columns)


def _read(url: str, query: str) -> pl.DataFrame:
    return pl.read_database_uri(query, url, engine="adbc")


def month_of(column: str) -> pl.Expr:
    """The month of a date, as a number."""
    day = pl.col(column)
    return (day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1).cast(pl.Int32)


def _first_day(month: str) -> pl.Expr:
    return pl.date(pl.col(month) // 12, pl.col(month) % 12 + 1, 1)


def _known(*not_before: str) -> pl.Expr:
    """The month a row is known in, and not before the months of the dates given."""
    return pl.max_horizontal(month_of("known"), *map(month_of, not_before))


def _latest(panel: pl.DataFrame, rows: pl.DataFrame, period: str, values: list[str]) -> pl.DataFrame:
    """`panel` with `values` of the latest period known each month, and `<period>_index`, the month of that period."""
    index = month_of(period).alias(f"{period}_index")
    latest = (
        rows.select("siren", month_of("known").alias("m"), period, index, *values)
        .sort("siren", "m", period)
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(f"{period}_index", *values).last())
    )
    return panel.join_asof(latest, on="m", by="siren", check_sortedness=False)


def _spans(rows: pl.DataFrame, start: pl.Expr, end: pl.Expr, **values: pl.Expr) -> pl.DataFrame:
    """Changes of what counts from month `start` up to and without `end`."""
    spans = rows.select("siren", start.alias("m"), pl.max_horizontal(start, end).alias("end"), **values)
    closed = spans.select("siren", pl.col("end").alias("m"), -pl.col(*values))
    return pl.concat([spans.drop("end"), closed])


def _cumulated(panel: pl.DataFrame, changes: pl.DataFrame, first: int) -> pl.DataFrame:
    """`panel` with the sums of the changes so far; what came before the first month is put on it."""
    values = pl.exclude(KEYS)
    clipped = changes.with_columns(pl.col("m").clip(lower_bound=first))
    joined = panel.join(clipped.group_by(KEYS).agg(values.sum()), on=KEYS, how="left", maintain_order="left")
    names = [name for name in changes.columns if name not in KEYS]
    return joined.with_columns(pl.col(names).fill_null(0).cum_sum().over("siren"))


def _months(url: str, effectif: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """m, month (a date), last period of the headcounts and version of the perimeter then."""
    months = pl.DataFrame({"m": range(first, last + 1)}, schema={"m": pl.Int32}).with_columns(
        _first_day("m").alias("month")
    )
    periods = (
        effectif.group_by(month_of("known").alias("m")).agg(month_of("periode").max().alias("last_period")).sort("m")
    )
    versions = _read(url, "select version as version_perimetre, applicable_depuis from reference.perimetre")
    versions = versions.select("version_perimetre", m=month_of("applicable_depuis")).sort("m")
    return months.join_asof(periods.with_columns(pl.col("last_period").cum_max()), on="m").join_asof(versions, on="m")


def _identified(panel: pl.DataFrame, url: str) -> pl.DataFrame:
    """The seat created last, the company, and the activity: the company's, or else that of its seat."""
    seats = _read(
        url,
        "select siren::int, siret as siret_siege, date_creation as creation_siege, departement, region, code_commune, libelle_commune,"
        " activite_principale as naf_siege, _known_from as known from raw.insee__etablissement"
        " left join reference.departement on departement = code where est_siege and nomenclature_activite = 'NAFRev2'",
    )
    companies = _read(
        url,
        "select siren::int, denomination, categorie_juridique, date_creation, activite_principale as naf, _known_from as known"
        " from raw.insee__unite_legale where nomenclature_activite = 'NAFRev2'",
    )
    activities = _read(
        url,
        "select naf.code as naf, division.code as naf_division, section as naf_section"
        " from reference.naf join reference.naf_division as division on left(naf.code, 2) = division.code",
    )
    seat = ["siret_siege", "departement", "region", "code_commune", "libelle_commune", "naf_siege"]
    panel = _latest(panel, seats, "creation_siege", seat)
    panel = _latest(panel, companies, "known", ["denomination", "categorie_juridique", "date_creation", "naf"])
    is_person = pl.col("categorie_juridique").str.starts_with("1")
    return panel.with_columns(
        pl.when(~is_person).then("denomination").alias("denomination"),
        pl.coalesce("naf", "naf_siege").alias("naf"),
    ).join(activities, on="naf", how="left", maintain_order="left")


def _paydex(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select siren::int, date_valeur, nb_jours::float8 as paydex_jours, _known_from as known from raw.altares__paydex",
    )


def _banque_de_france(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select siren::int, arrete_bilan, poids_frng::float8 as bdf_poids_frng,"
        " poids_dettes_fiscales_sociales::float8 as bdf_poids_dettes_fiscales_sociales, _known_from as known"
        " from raw.banque_de_france__ratio",
    )


def _accounts(url: str) -> pl.DataFrame:
    """Accounts, the complete ones of a closing date, beside those before them when these closed 550 days before at most."""
    ratios = ", ".join(f"{name}::float8 as {name}" for name in ACCOUNTS)
    accounts = _read(
        url,
        "select siren::int, date_cloture_exercice, chiffre_affaires_eur::float8 as ca, resultat_net_eur::float8 as resultat,"
        f" array_position('{{C,K,S}}', type_bilan) as preference, {ratios}, _known_from as known from raw.inpi__ratio",
    ).sort("siren", "date_cloture_exercice", "preference")
    accounts = accounts.unique(["siren", "date_cloture_exercice"], keep="first", maintain_order=True)
    before = pl.col("ca", "date_cloture_exercice").shift(1).over("siren").name.suffix("_before")
    recent = pl.col("date_cloture_exercice") - pl.col("date_cloture_exercice_before") <= pl.duration(days=550)
    return accounts.with_columns(before).with_columns(
        pl.when((pl.col("ca_before") > 0) & recent).then(pl.col("ca") / pl.col("ca_before") - 1).alias("ca_evolution"),
        pl.when(pl.col("ca") > 0).then(pl.col("resultat") / pl.col("ca")).alias("resultat_net_sur_ca"),
    )


def _contributions(url: str) -> pl.DataFrame:
    """What is due for the twelve periods before a month, and the number of those that are known."""
    due = _read(
        url,
        "select left(siret, 9)::int as siren, periode_debut, cotisation_due_eur::float8 as due, _known_from as known"
        " from raw.urssaf__cotisation",
    )
    period = month_of("periode_debut")
    start = pl.max_horizontal(month_of("known"), period + 1)
    return _spans(due, start, period + 13, due=pl.col("due"), periodes=pl.lit(1))


def _debit_events(url: str) -> pl.DataFrame:
    """The events of each écart in their order: `treated`, the URSSAF's month, and `m`, the month they are known in."""
    events = _read(
        url,
        "select siren::int, compte, periode_debut, numero_ecart_negatif, numero_historique, date_traitement, _known_from as known,"
        " part_ouvriere_eur::float8 as po, part_patronale_eur::float8 as pp from raw.urssaf__debit",
    ).sort("siren", "compte", "periode_debut", "numero_ecart_negatif", "numero_historique")
    treated = month_of("date_traitement") + (pl.col("date_traitement").dt.day() > 20).cast(pl.Int32)
    return events.with_columns(treated.alias("treated"), pl.max_horizontal(month_of("known"), treated).alias("m"))


def _debts(events: pl.DataFrame, ecarts: pl.DataFrame) -> pl.DataFrame:
    """Changes of both parts (each event replaces the balance before it) and of the number of écarts under a year old."""
    deltas = [(pl.col(part) - pl.col(part).shift(1, fill_value=0).over(ECART)).alias(part) for part in ("po", "pp")]
    recent = _spans(ecarts, pl.col("m"), pl.col("treated") + 12, nb_ecarts_12m=pl.lit(1))
    return pl.concat([events.select("siren", "m", *deltas), recent], how="diagonal")


def _hours(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select left(siret, 9)::int as siren, periode, heures::float8 as heures, _known_from as known from raw.dgefp__consommation_ap",
    )


def _consumed(hours: pl.DataFrame) -> pl.DataFrame:
    """Hours of the last month shown, of the last three, of the last twelve."""
    shown = month_of("periode") + SHOWN_AFTER
    start = pl.max_horizontal(month_of("known"), shown)
    spans = [_spans(hours, start, shown + n, **{f"heures_{n}m": pl.col("heures")}) for n in (1, 3, 12)]
    return pl.concat(spans, how="diagonal")


def _authorised(url: str) -> pl.DataFrame:
    """Hours authorised for a month: those of the request, by the share of its days."""
    requests = _read(
        url,
        "select left(siret, 9)::int as siren, periode_debut, periode_fin, heures_autorisees::float8 as heures, _known_from as known"
        " from raw.dgefp__demande_ap",
    )
    month = pl.int_ranges(month_of("periode_debut"), month_of("periode_fin") + 1, dtype=pl.Int32)
    by_month = requests.with_columns(month.alias("month")).explode("month").with_columns(first_day=_first_day("month"))
    days = (
        pl.min_horizontal("periode_fin", pl.col("first_day").dt.month_end())
        - pl.max_horizontal("periode_debut", "first_day")
    ).dt.total_days() + 1
    all_days = (pl.col("periode_fin") - pl.col("periode_debut")).dt.total_days() + 1
    start = pl.max_horizontal(month_of("known"), "month")
    return _spans(by_month, start, pl.col("month") + 1, heures_autorisees=pl.col("heures") * days / all_days)


def _establishments(url: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Changes of the number of establishments: open and known; opened within a year; closed within a year."""
    stock = _read(
        url,
        "select siren::int, siret, date_creation as began, 'A' as etat, _known_from as known from raw.insee__etablissement",
    )
    history = _read(
        url,
        "select left(siret, 9)::int as siren, siret, date_debut as began, etat_administratif as etat, changement_etat,"
        " _known_from as known from raw.insee__etablissement_historique",
    )
    states = pl.concat([stock, history.drop("changement_etat")]).sort("siret", "began", maintain_order=True)
    is_open = (pl.col("etat") == "A").cast(pl.Int32)
    number = states.select(
        "siren",
        _known("began").alias("m"),
        (is_open - is_open.shift(1, fill_value=0).over("siret")).alias("nb_etablissements"),
        pl.col("siret").is_first_distinct().cast(pl.Int32).alias("nb_connus"),
    )
    closed = history.filter((pl.col("etat") == "F") & pl.col("changement_etat"))
    start, end = _known("began"), month_of("began") + 12
    return (
        number,
        _spans(stock, start, end, etablissements_ouverts_12m=pl.lit(1)),
        _spans(closed, start, end, etablissements_fermes_12m=pl.lit(1)),
    )


def _commissions(url: str) -> pl.DataFrame:
    """Files opened within 24 months; those whose last stage is an opening or an approval of less than 36 months."""
    stages = _read(
        url,
        "select left(siret, 9)::int as siren, compte, date_traitement, stade, _known_from as known from raw.urssaf__ccsf",
    )
    in_force = pl.col("stade").is_in(["DEBUT", "APPROB"])
    stages = stages.with_columns(_known("date_traitement").alias("start"), in_force.alias("in_force"))
    stages = stages.sort("siren", "compte", "date_traitement", pl.col("in_force").not_())
    start, day = pl.col("start"), month_of("date_traitement")
    stages = stages.with_columns(pl.col("start").shift(-1).over("siren", "compte").alias("next"))
    opened = _spans(stages.filter(pl.col("stade") == "DEBUT"), start, day + 24, ccsf_24m=pl.lit(1))
    end = pl.min_horizontal(day + 36, "next")
    return pl.concat([opened, _spans(stages.filter("in_force"), start, end, ccsf_en_cours=pl.lit(1))], how="diagonal")


def _delais(url: str) -> pl.DataFrame:
    """siren, m and what the approved délais are that month; amounts in cents, where half a cent is exact."""
    delais = _read(
        url,
        "select left(siret, 9)::int as siren, compte, numero_structure, date_creation, date_echeance,"
        " max(montant_echeancier_eur)::float8 as montant, min(_known_from) as known from raw.urssaf__delai"
        " where stade in ('APPROB', 'PR') and date_echeance > date_creation group by 1, 2, 3, 4, 5",
    )
    created, ends = month_of("date_creation"), month_of("date_echeance")
    counted = pl.int_ranges(_known("date_creation"), pl.max_horizontal(ends, created + 24), dtype=pl.Int32)
    by_month = delais.with_columns(counted.alias("m")).explode("m", empty_as_null=False)
    left = (pl.col("date_echeance") - _first_day("m").dt.month_end()).dt.total_days().clip(lower_bound=0)
    days = (pl.col("date_echeance") - pl.col("date_creation")).dt.total_days()
    return by_month.group_by(KEYS).agg(
        (left > 0).any().cast(pl.Float64).alias("delai_en_cours"),
        (pl.col("montant") * 100 * left / days).sum().alias("reste_centimes"),
        (ends - pl.col("m")).clip(lower_bound=0).max().alias("delai_echeances_restantes"),
        (pl.col("m") < created + 24).sum().alias("nb_delais_24m"),
    )


def _procedures(url: str) -> pl.DataFrame:
    """siren, m, status and its date, each time a judgment is known.

    Of each severity the last judgment speaks, and the end of a procedure also ends the lighter ones opened before it. `rank` orders
    judgments by date, then stage, so that the last one is a maximum.
    """
    judgments = _read(
        url,
        "select siren::int, jugement_nature as nature, jugement_date as jour, _known_from as known from raw.bodacc__annonce"
        " union all"
        " select siren::int, action_procol || ' ' || stade_procol, date_effet, _known_from from raw.urssaf__procol",
    )
    meaning = pl.DataFrame([(n, *m) for n, m in JUDGMENTS.items()], ["nature", "stage", "severity"], orient="row")
    events = judgments.join(meaning, on="nature")
    # A plan lasts ten years at most.
    over = events.filter(pl.col("stage") == PLAN).with_columns(
        pl.col("jour").dt.offset_by("10y"), stage=pl.lit(ENDED, pl.Int64)
    )
    rank = (pl.col("jour").cast(pl.Int64) * 4 + pl.col("stage")).alias("rank")
    events = pl.concat([events, over]).with_columns(rank, _known("jour").alias("m")).sort(KEYS)
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


def _in_groups(panel: pl.DataFrame, url: str) -> pl.DataFrame:
    """The group of a company: who is held comes before who holds, then the largest share; and the subsidiaries known of it."""
    links = _read(
        url,
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


def _level_columns(panel: pl.DataFrame) -> pl.DataFrame:
    month, effectif = pl.col("m"), pl.col("effectif")
    spoken = (pl.col("date_cloture_exercice_index") + 24 >= month).fill_null(False)
    spoken_bdf = pl.col("arrete_bilan_index") + 24 >= month
    recent_paydex = month - pl.col("date_valeur_index") <= 12
    cents = (pl.col("due") * 100 / pl.col("periodes")).round(mode="half_away_from_zero")
    accounts = ["ca_evolution", "resultat_net_sur_ca", *ACCOUNTS]
    panel = panel.with_columns(
        pl.when(pl.col("periodes") > 0).then(cents / 100).alias("cotisation_moyenne_12m_eur"),
        pl.col("po").round(2).alias("dette_part_ouvriere_eur"),
        pl.col("pp").round(2).alias("dette_part_patronale_eur"),
        (pl.col("po") + pl.col("pp")).round(2).alias("dette_eur"),
        pl.col("delai_en_cours", "reste_centimes", "delai_echeances_restantes", "nb_delais_24m").fill_null(0),
        pl.when(pl.col("nb_connus") > 0).then("nb_etablissements").alias("nb_etablissements"),
        *[pl.when(spoken).then(name).alias(name) for name in accounts],
        *[
            pl.when(spoken_bdf).then(name).alias(name)
            for name in ("bdf_poids_frng", "bdf_poids_dettes_fiscales_sociales")
        ],
        pl.when(recent_paydex).then("paydex_jours").alias("paydex_jours"),
        pl.col("procedure_statut").is_not_null().alias("en_procedure"),
    )
    contribution = pl.when(pl.col("cotisation_moyenne_12m_eur") > 0).then("cotisation_moyenne_12m_eur")
    active = (pl.col("nb_etablissements") > 0).fill_null(True)
    return panel.with_columns(
        active.alias("est_actif"),
        (active & ~pl.col("en_procedure")).alias("a_risque"),
        pl.col("procedure_statut").fill_null("in_bonis"),
        _headcount_class(effectif).alias("tranche_effectif"),
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


def _headcount_class(effectif: pl.Expr) -> pl.Expr:
    labels = ["0-9", "10-19", "20-49", "50-99", "100-249", "250+"]
    return effectif.cut([10, 20, 50, 100, 250], labels=labels, left_closed=True)
