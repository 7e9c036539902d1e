"""The whole simulated region: blocks of companies in, delivery folders and the truth out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as parquet

from simulation import debts, dgefp, finance, insee, procedures, urssaf
from simulation.delivery import WART_SCHEMA, Layout, OpenFile
from simulation.health import KINDS, NEVER_MONTH, Fate, live
from simulation.nomenclature import ACTIVITIES, EXCLUDED_NAF, PUBLIC_FORM
from simulation.population import Population, make_population
from simulation.timeline import FIRST_MONTH, NEVER, Timeline, make_timeline, month_name, urssaf_period
from simulation.urssaf import Accounts

BLOCK = 2_000
PERIMETER_HEADCOUNT, PERIMETER_MONTHS = 10, 36
EFFECTIF_LAG = 120
EFFECTIF_DELIVERIES = (0, 2)  # headcounts come every three to six months
MARKER = "SIMULATION.txt"
MARKER_TEXT = (
    "SIMULATION\n\n"
    "Ces fichiers décrivent une région fictive : aucune entreprise, aucun montant, aucun jugement n'est réel.\n"
    "Tous les SIREN commencent par 0. Produit par `vigie simulate`.\n"
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FileSummary:
    """A delivered file: ``lines`` data lines (header not counted), warts included."""

    source: str
    name: str
    lines: int
    bytes: int


@dataclass(frozen=True)
class DeliverySummary:
    """A delivery folder: ``received_on`` is its date and its name."""

    received_on: date
    folder: Path
    files: tuple[FileSummary, ...]


@dataclass(frozen=True)
class SimulationSummary:
    """What ``simulate`` wrote. ``warts`` counts each kind of defect (truth/warts.parquet has them one by one)."""

    out: Path
    companies: int
    months: int
    seed: int
    first_month: date
    last_month: date
    deliveries: tuple[DeliverySummary, ...]
    in_perimeter: int
    failures: int
    warts: dict[str, int]

    @property
    def lines(self) -> int:
        """Data lines of all files of all deliveries."""
        return sum(file.lines for delivery in self.deliveries for file in delivery.files)


def simulate(
    out: Path, *, companies: int = 8000, months: int = 120, seed: int = 1, progress: Progress | None = None
) -> SimulationSummary:
    """Write the deliveries and the truth of a fictional region into ``out``.

    ``companies`` companies living from January 2016 over ``months`` months; same arguments, same bytes. Memory depends
    on ``months``, not on ``companies`` (blocks of 2,000). ``progress(done, total)`` is called after each block.
    Raises ValueError when there are too few companies or months, or when ``out`` already holds deliveries.
    """
    if companies < 50:
        raise ValueError(f"at least 50 companies are needed to simulate, got {companies}")
    timeline = make_timeline(months)
    if (out / "deliveries").exists() or (out / "truth").exists():
        raise ValueError(f"{out} already holds a simulation; choose another folder")
    files = _open_files(out, timeline)
    truth = _Truth(out / "truth")
    blocks = list(range(0, companies, BLOCK))
    for done, first in enumerate(blocks):
        region = _Block(first, min(BLOCK, companies - first), timeline, seed)
        region.deliver(files)
        truth.add(region)
        if progress:
            progress(done + 1, len(blocks))
    deliveries = _close_files(out, timeline, files)
    warts = truth.close([wart for opened in files.values() for wart in opened.warts])
    days = timeline.first_days
    return SimulationSummary(
        out, companies, months, seed, days[0].astype(object), days[months - 1].astype(object), deliveries,
        truth.in_perimeter, truth.failures, warts,
    )  # fmt: skip


# ---------------------------------------------------------------- which file in which delivery


def _layouts(timeline: Timeline, rank: int) -> Iterator[Layout]:
    """Files of the ``rank``-th delivery (0 = history), in the layouts that each producer used at the time."""
    day = timeline.deliveries[rank]
    month = month_name((day.year - FIRST_MONTH.year) * 12 + day.month - 1)
    yield from _urssaf_layouts(history=rank == 0)
    if rank in EFFECTIF_DELIVERIES:
        periods = tuple(f"eff{urssaf_period(t)}" for t in range(_last_effectif(timeline, day) + 1))
        header = ("compte", "siret", "rais_soc", "ape_ins", "dep", *periods, "base", "UR_EMET")
        yield Layout("urssaf__effectif", "sigfaible_effectif_siret.csv", header, identities=("siret",))
        header = ("siren", *periods, "rais_soc")
        yield Layout("urssaf__effectif_ent", "sigfaible_effectif_siren.csv", header, identities=("siren",))
    yield from _state_layouts()
    bodacc = f"bodacc_annonces_{month}.csv"
    yield Layout("bodacc__annonce", bodacc, procedures.BODACC_HEADER, ",", dates=("date_parution",))
    stock = rank == 2
    yield Layout(
        "altares__paydex",
        f"paydex_stock_{day:%Y%m%d}.csv" if stock else f"E_202012095813_Retro-Paydex_{day:%Y%m%d}.csv",
        finance.PAYDEX_STOCK_HEADER if stock else finance.PAYDEX_RETRO_HEADER,
        dates=("DATE_VALEUR",),
        identities=("SIREN",),
    )
    yield Layout("banque_de_france__ratio", f"bdf_{month}.csv", finance.BDF_HEADER, dates=("ARRETE_BILAN",))


def _urssaf_layouts(history: bool) -> Iterator[Layout]:
    """Monthly URSSAF files. Until late 2025 délais and CCSF gave the account only, in ISO-8859-15."""
    gz = ".gz" if history else ""
    delai, ccsf = (
        tuple(column for column in header if not (history and column == "Siret"))
        for header in (debts.DELAI_HEADER, debts.CCSF_HEADER)
    )
    name = "sigfaible_etablissement_utf8.csv"
    yield Layout("urssaf__compte", name, urssaf.COMPTE_HEADER, dates=("Date_crea_siret",), identities=("Siret",))
    yield Layout(
        "urssaf__cotisation", "sigfaible_cotisdues.csv", urssaf.COTISATION_HEADER,
        dates=("periode",), amounts=("cotis_due",), identities=("Siret",),
    )  # fmt: skip
    yield Layout(
        "urssaf__debit", f"sigfaible_debits.csv{gz}", debts.DEBIT_HEADER, compressed=history,
        dates=("Dt_trt_ecn",), amounts=("Mt_PO", "Mt_PP"), identities=("Siren", "Siret"),
    )  # fmt: skip
    yield Layout(
        "urssaf__delai", "sigfaible_delais.csv", delai, encoding="iso8859-15" if history else "utf-8",
        dates=("Date_creation", "Date_echeance"), amounts=("Montant_global_echeancier",),
    )  # fmt: skip
    yield Layout("urssaf__ccsf", "sigfaible_ccsf.csv", ccsf, dates=("Date_de_traitement",))
    name = f"sigfaible_pcoll.csv{gz}"
    header = procedures.PROCOL_HEADER
    yield Layout("urssaf__procol", name, header, compressed=history, dates=("Dt_effet",), identities=("Siret",))


def _state_layouts() -> Iterator[Layout]:
    """Files whose name and layout do not change from one delivery to the next."""
    yield Layout(
        "dgefp__demande_ap", "demande_ap.csv", dgefp.DEMANDE_HEADER, ",", quoted=True,
        dates=("DATE_STATUT",), identities=("ETAB_SIRET",),
    )  # fmt: skip
    yield Layout(
        "dgefp__consommation_ap", "consommation_ap.csv", dgefp.CONSOMMATION_HEADER, ",", quoted=True,
        dates=("MOIS",), amounts=("HEURES",), identities=("ETAB_SIRET",),
    )  # fmt: skip
    yield Layout(
        "insee__etablissement", "StockEtablissement_utf8_geo.csv", insee.ETABLISSEMENT_HEADER, ",",
        coordinates=("longitude", "latitude"), identities=("siren",),
    )  # fmt: skip
    name = "StockUniteLegale_utf8.csv"
    yield Layout("insee__unite_legale", name, insee.UNITE_LEGALE_HEADER, ",", identities=("siren",))
    yield Layout(
        "insee__etablissement_historique", "StockEtablissementHistorique_utf8.csv", insee.HISTORIQUE_HEADER, ",",
        dates=("dateDebut",), identities=("siret",),
    )  # fmt: skip
    yield Layout(
        "inpi__ratio", "ratios_inpi_bce.csv", finance.RATIO_HEADER, byte_order_mark=True, compressed=True,
        dates=("date_cloture_exercice",), identities=("siren",),
    )  # fmt: skip


def _last_effectif(timeline: Timeline, received: date) -> int:
    """Index of the last month whose headcounts are known at ``received``."""
    known = timeline.first_days[: timeline.months] + EFFECTIF_LAG <= np.datetime64(received)
    return int(np.flatnonzero(known)[-1])


def _open_files(out: Path, timeline: Timeline) -> dict[tuple[int, str], OpenFile]:
    files = {}
    for rank, day in enumerate(timeline.deliveries):
        folder = out / "deliveries" / day.isoformat()
        folder.mkdir(parents=True)
        (folder / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        for layout in _layouts(timeline, rank):
            files[rank, layout.source] = OpenFile(layout, day, folder / layout.file).open()
    return files


def _close_files(out: Path, timeline: Timeline, files: dict[tuple[int, str], OpenFile]) -> tuple[DeliverySummary, ...]:
    """Close all files, drop increments without a line, redeliver one increment unchanged a month later."""
    for opened in files.values():
        opened.close()
    source = "altares__paydex"  # an increment that is never empty
    again = files[1, source]
    copy = OpenFile(
        again.layout, timeline.deliveries[2], files[2, source].path.parent / again.path.name, line=again.line
    )
    copy.path.write_bytes(again.path.read_bytes())
    copy.warts.append((copy.received_on, source, copy.path.name, 0, "identical_redelivery", "", "1"))
    files[2, f"{source} again"] = copy
    summaries = []
    for rank, day in enumerate(timeline.deliveries):
        written = []
        for (delivery, _), opened in sorted(files.items(), key=lambda item: (item[0][0], item[1].path.name)):
            if delivery != rank:
                continue
            if opened.line == 1:
                opened.path.unlink()
                continue
            size = opened.path.stat().st_size
            written.append(FileSummary(opened.layout.source, opened.path.name, opened.line - 1, size))
        summaries.append(DeliverySummary(day, out / "deliveries" / day.isoformat(), tuple(written)))
    return tuple(summaries)


# ---------------------------------------------------------------- one block of companies


class _Block:
    """The life of a block of companies, and its lines in every file."""

    def __init__(self, first: int, n: int, timeline: Timeline, seed: int) -> None:
        self.first, self.timeline, self.seed = first, timeline, seed
        self.people: Population = make_population(first, n, timeline, seed, self._rng("population"))
        self.fate: Fate = live(self.people, timeline, self._rng("life"))
        self.accounts: Accounts = urssaf.open_accounts(self.people, self.fate, timeline, self._rng("accounts"))
        self.notices, self.published = procedures.bodacc_items(self.people, self.fate, timeline, self._rng("bodacc"))

    def _rng(self, *stream: str) -> np.random.Generator:
        """A generator of its own for each purpose: adding draws to one changes no other."""
        words = [int.from_bytes(name.encode()[:8].ljust(8, b" "), "big") for name in stream]
        return np.random.default_rng([self.seed, self.first, *words])

    def deliver(self, files: dict[tuple[int, str], OpenFile]) -> None:
        """Append this block's lines to every file of every delivery."""
        previous: date | None = None
        items = self._items()
        for rank, day in enumerate(self.timeline.deliveries):
            for source, frame in self._rendered(items, rank, day, previous):
                opened = files[rank, source]
                opened.append(frame, self._rng(source[:8], source[-8:], day.isoformat()[-8:]))
                self._note(opened, frame, items.get(source))
            previous = day

    def _items(self) -> dict[str, pl.DataFrame]:
        """Everything that will ever be delivered, with the day it is known."""
        people, fate, accounts, timeline = self.people, self.fate, self.accounts, self.timeline
        arrears = debts.fall_behind(people, fate, accounts, timeline, self._rng("arrears"))
        delais, ccsf = debts.plan_items(people, fate, accounts, arrears, timeline, self._rng("plans"))
        requests, consumption = dgefp.ap_items(people, fate, timeline, self._rng("ap"))
        inpi, bdf = finance.accounts_items(people, fate, timeline, self._rng("bilans"))
        sites = insee.etablissement_items(people, fate, self._rng("sirene"))
        return {
            "urssaf__compte": urssaf.compte_items(people, accounts, fate, timeline),
            "urssaf__cotisation": urssaf.cotisation_items(
                people, accounts, arrears.paid_share, timeline, self._rng("cotis")
            ),
            "urssaf__debit": debts.debit_items(people, fate, accounts, arrears, timeline, self._rng("debits")),
            "urssaf__delai": delais,
            "urssaf__ccsf": ccsf,
            "urssaf__procol": procedures.procol_items(people, fate, self._rng("procol")),
            "dgefp__demande_ap": requests,
            "dgefp__consommation_ap": consumption,
            "insee__etablissement": sites,
            "insee__unite_legale": insee.unite_legale_items(people, fate),
            "insee__etablissement_historique": insee.historique_items(sites),
            "bodacc__annonce": self.notices,
            "inpi__ratio": inpi,
            "altares__paydex": finance.paydex_items(people, fate, timeline, self._rng("paydex")),
            "banque_de_france__ratio": bdf,
        }

    def _rendered(
        self, items: dict[str, pl.DataFrame], rank: int, day: date, previous: date | None
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """(source, lines) of one delivery: full stocks of what is known, or what became known since the last."""
        received = pl.lit(day)
        known = pl.col("known") <= received
        new = known & (pl.col("known") > pl.lit(previous)) if previous else known
        yield "urssaf__compte", urssaf.render_compte(items["urssaf__compte"], received)
        yield "urssaf__cotisation", items["urssaf__cotisation"].filter(known)
        wrong = (pl.col("wrong_PP") >= 0) & pl.lit(rank == 0)
        yield (
            "urssaf__debit",
            items["urssaf__debit"]
            .filter(known)
            .with_columns(pl.when(wrong).then("wrong_PP").otherwise("Mt_PP").alias("Mt_PP")),
        )
        for source in ("urssaf__delai", "urssaf__ccsf", "urssaf__procol", "dgefp__consommation_ap"):
            yield source, items[source].filter(known)
        if rank in EFFECTIF_DELIVERIES:
            yield "urssaf__effectif", self._effectif(day)
            last = _last_effectif(self.timeline, day)
            yield (
                "urssaf__effectif_ent",
                urssaf.render_effectif_ent(self.people, self.fate, last, self._effectif_seed()),
            )
        yield (
            "dgefp__demande_ap",
            dgefp.render_demande(items["dgefp__demande_ap"], items["dgefp__consommation_ap"], received),
        )
        yield "insee__etablissement", insee.render_etablissement(items["insee__etablissement"], received)
        yield "insee__unite_legale", insee.render_unite_legale(items["insee__unite_legale"], received)
        history = items["insee__etablissement_historique"]
        yield "insee__etablissement_historique", insee.render_historique(history, received)
        yield "bodacc__annonce", items["bodacc__annonce"].filter(new).sort("published", "numero_annonce")
        yield "inpi__ratio", items["inpi__ratio"].filter(new)
        header = finance.PAYDEX_STOCK_HEADER if rank == 2 else finance.PAYDEX_RETRO_HEADER
        yield "altares__paydex", finance.render_paydex(items["altares__paydex"].filter(new), header)
        bdf = items["banque_de_france__ratio"].filter(new)
        yield "banque_de_france__ratio", finance.render_bdf(bdf, french=rank == 3)

    def _effectif_seed(self) -> int:
        return self.seed * 1_000_003 + self.first * 2

    def _effectif(self, day: date) -> pl.DataFrame:
        last = _last_effectif(self.timeline, day)
        return urssaf.render_effectif(self.people, self.accounts, last, self._effectif_seed())

    def _note(self, opened: OpenFile, frame: pl.DataFrame, items: pl.DataFrame | None) -> None:
        """Record the warts that are not bad lines: late items, corrections to come, odd notices, pseudo-SIRET."""
        source, day = opened.layout.source, opened.received_on
        counts: dict[str, int] = {}
        if items is not None and "due_for_knowledge" in items.columns:
            received = pl.lit(day)
            counts["late"] = items.filter(
                (pl.col("due_for_knowledge") <= received) & (pl.col("known") > received)
            ).height
        if source == "urssaf__debit" and day == self.timeline.deliveries[0]:
            counts["corrected_later"] = frame.filter(pl.col("wrong_PP") >= 0).height
        if source in ("urssaf__effectif", "urssaf__effectif_ent"):
            counts["missing_month"] = urssaf.missing_months(frame)
        if source == "urssaf__effectif":
            counts["pseudo_siret"] = frame.filter(pl.col("siret").str.slice(9, 1) == "9").height
        if source == "bodacc__annonce":
            counts |= procedures.odd_notices(frame)
        for wart, count in counts.items():
            if count:
                opened.warts.append((day, source, opened.path.name, 0, wart, "", str(count)))


# ---------------------------------------------------------------- the truth


class _Truth:
    """Files of truth/, written block by block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.writers: dict[str, parquet.ParquetWriter] = {}
        self.in_perimeter = self.failures = 0

    def add(self, block: _Block) -> None:
        """Append what really happened to a block of companies."""
        companies, failures = _true_companies(block), _true_failures(block)
        self.in_perimeter += int(companies["in_perimeter"].sum())
        self.failures += failures.height
        self._write("companies", companies)
        self._write("failures", failures)
        self._write("health", _true_health(block))

    def close(self, warts: list[tuple[date, str, str, int, str, str, str]]) -> dict[str, int]:
        """Write the warts (``line`` 0: the whole file) and close; count of each kind."""
        frame = pl.DataFrame(warts, schema=WART_SCHEMA, orient="row").sort(
            "received_on", "source", "file", "line", "wart"
        )
        self._write("warts", frame)
        for writer in self.writers.values():
            writer.close()
        counts: Counter[str] = Counter()
        for wart, line, value in frame.select("wart", "line", "value").iter_rows():
            counts[wart] += 1 if line else int(value)
        return dict(sorted(counts.items()))

    def _write(self, name: str, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if name not in self.writers:
            self.writers[name] = parquet.ParquetWriter(
                self.folder / f"{name}.parquet", table.schema, compression="zstd"
            )
        self.writers[name].write_table(table)


def _true_companies(block: _Block) -> pl.DataFrame:
    """One row per company; ``in_perimeter``: ten employees in one of the last 36 months, activity not excluded."""
    people, fate = block.people, block.fate
    naf = np.array([a.naf for a in ACTIVITIES])[people.activity]
    recent = fate.headcount[:, -PERIMETER_MONTHS:].max(axis=1)
    excluded = np.isin(naf, sorted(EXCLUDED_NAF)) | (people.legal == PUBLIC_FORM)
    return pl.DataFrame(
        {
            "siren": people.siren.tolist(),
            "siret_siege": people.site_siret[insee.final_head(people, fate)].tolist(),
            "naf": naf.tolist(),
            "departement": procedures.departement_of(people).tolist(),
            "categorie_juridique": people.legal.tolist(),
            "date_creation": people.birth,
            "date_fin": pl.Series(fate.end_date).replace(NEVER.astype(object), None),
            "effectif_max_36m": recent,
            "excluded": excluded,
            "in_perimeter": (recent >= PERIMETER_HEADCOUNT) & ~excluded,
        }
    )


def _true_failures(block: _Block) -> pl.DataFrame:
    """First procedure of each company that had one: judgment, kind, first publication."""
    fate = block.fate
    failed = np.flatnonzero(fate.fail_month < NEVER_MONTH)
    return pl.DataFrame(
        {
            "siren": block.people.siren[failed].tolist(),
            "failure_date": fate.fail_date[failed],
            "kind": np.array(KINDS)[fate.fail_kind[failed]].tolist(),
            "published_on": block.published[failed],
        },
        schema_overrides={"siren": pl.String, "kind": pl.String},
    )


def _true_health(block: _Block) -> pl.DataFrame:
    """Latent health (high is good), monthly probability of a first procedure and headcount, by company and month."""
    people, fate, months = block.people, block.fate, block.timeline.months
    return pl.DataFrame(
        {
            "siren": urssaf.text_column(people.siren, np.repeat(np.arange(people.n), months)),
            "month": np.tile(block.timeline.first_days[:months], people.n),
            "health": -fate.distress.ravel(),
            "hazard": fate.hazard.ravel(),
            "headcount": fate.headcount.ravel(),
        }
    )
