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
from simulation.population import Population, make_population, make_siret
from simulation.timeline import NEVER, Timeline, make_timeline, month_name, urssaf_period
from simulation.urssaf import Accounts

BLOCK = 2_000
PERIMETER_HEADCOUNT, PERIMETER_MONTHS = 10, 36
EFFECTIF_LAG = 120
MARKER = "SIMULATION.txt"
MARKER_TEXT = (
    "SIMULATION\n\nCes fichiers décrivent une région fictive : aucune entreprise, aucun montant, aucun jugement n'est réel.\n"
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
    """What ``simulate`` wrote. ``warts`` counts each kind of defect over all deliveries; details in truth/warts.parquet."""

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

    ``companies`` companies living from January 2016 over ``months`` months; same arguments, same bytes. Memory depends on
    ``months``, not on ``companies`` (blocks of 2,000). ``progress(done, total)`` is called after each block.
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
    month = month_name((day.year - 2016) * 12 + day.month - 1)
    history = rank == 0
    gz = ".gz" if history else ""
    no_siret = (lambda header: tuple(c for c in header if c != "Siret")) if history else (lambda header: header)
    yield Layout("urssaf__compte", "sigfaible_etablissement_utf8.csv", urssaf.COMPTE_HEADER,
                 dates=("Date_crea_siret",), identities=("Siret",))  # fmt: skip
    yield Layout("urssaf__cotisation", "sigfaible_cotisdues.csv", urssaf.COTISATION_HEADER,
                 dates=("periode",), amounts=("cotis_due",), identities=("Siret",))  # fmt: skip
    yield Layout("urssaf__debit", f"sigfaible_debits.csv{gz}", debts.DEBIT_HEADER, compressed=history,
                 dates=("Dt_trt_ecn",), amounts=("Mt_PO", "Mt_PP"), identities=("Siren", "Siret"))  # fmt: skip
    # Until December 2025 URSSAF gave the account only; the free text was in ISO-8859-15.
    yield Layout("urssaf__delai", "sigfaible_delais.csv", no_siret(debts.DELAI_HEADER),
                 encoding="iso8859-15" if history else "utf-8", dates=("Date_creation", "Date_echeance"),
                 amounts=("Montant_global_echeancier",))  # fmt: skip
    yield Layout("urssaf__ccsf", "sigfaible_ccsf.csv", no_siret(debts.CCSF_HEADER), dates=("Date_de_traitement",))
    yield Layout("urssaf__procol", f"sigfaible_pcoll.csv{gz}", procedures.PROCOL_HEADER, compressed=history,
                 dates=("Dt_effet",), identities=("Siret",))  # fmt: skip
    if rank in (0, 2):  # headcounts come every three to six months
        periods = tuple(f"eff{urssaf_period(t)}" for t in range(_last_effectif(timeline, day) + 1))
        yield Layout("urssaf__effectif", "sigfaible_effectif_siret.csv",
                     ("compte", "siret", "rais_soc", "ape_ins", "dep", *periods, "base", "UR_EMET"),
                     identities=("siret",))  # fmt: skip
        yield Layout("urssaf__effectif_ent", "sigfaible_effectif_siren.csv", ("siren", *periods, "rais_soc"),
                     identities=("siren",))  # fmt: skip
    yield Layout("dgefp__demande_ap", "demande_ap.csv", dgefp.DEMANDE_HEADER, ",", quoted=True, dates=("DATE_STATUT",),
                 identities=("ETAB_SIRET",))  # fmt: skip
    yield Layout("dgefp__consommation_ap", "consommation_ap.csv", dgefp.CONSOMMATION_HEADER, ",", quoted=True,
                 dates=("MOIS",), amounts=("HEURES",), identities=("ETAB_SIRET",))  # fmt: skip
    yield Layout("insee__etablissement", "StockEtablissement_utf8_geo.csv", insee.ETABLISSEMENT_HEADER, ",",
                 dates=("longitude",), identities=("siren",))  # fmt: skip
    yield Layout("insee__unite_legale", "StockUniteLegale_utf8.csv", insee.UNITE_LEGALE_HEADER, ",", identities=("siren",))
    yield Layout("insee__etablissement_historique", "StockEtablissementHistorique_utf8.csv", insee.HISTORIQUE_HEADER, ",",
                 dates=("dateDebut",), identities=("siret",))  # fmt: skip
    yield Layout("bodacc__annonce", f"bodacc_annonces_{month}.csv", procedures.BODACC_HEADER, ",", dates=("date_parution",))
    yield Layout("inpi__ratio", "ratios_inpi_bce.csv", finance.RATIO_HEADER, byte_order_mark=True, compressed=True,
                 dates=("date_cloture_exercice",), identities=("siren",))  # fmt: skip
    if rank == 2:
        yield Layout("altares__paydex", f"paydex_stock_{day:%Y%m%d}.csv", finance.PAYDEX_STOCK_HEADER,
                     dates=("DATE_VALEUR",), identities=("SIREN",))  # fmt: skip
    else:
        yield Layout("altares__paydex", f"E_202012095813_Retro-Paydex_{day:%Y%m%d}.csv", finance.PAYDEX_RETRO_HEADER,
                     dates=("DATE_VALEUR",), identities=("SIREN",))  # fmt: skip
    yield Layout("banque_de_france__ratio", f"bdf_{month}.csv", finance.BDF_HEADER, dates=("ARRETE_BILAN",))


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
    copy = OpenFile(again.layout, timeline.deliveries[2], files[2, source].path.parent / again.path.name, line=again.line)
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
        self.notices, self.published, self.odd_notices = procedures.bodacc_items(
            self.people, self.fate, timeline, self._rng("bodacc")
        )

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
                self._note(opened, source, items.get(source), day)
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
            "urssaf__cotisation": urssaf.cotisation_items(people, accounts, arrears.paid_share, timeline, self._rng("cotis")),
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
        """(source, lines) of one delivery: full stocks of what is known, or what became known since the last delivery."""
        received = pl.lit(day)
        known = pl.col("known") <= received
        new = known & (pl.col("known") > pl.lit(previous)) if previous else known
        yield "urssaf__compte", urssaf.render_compte(items["urssaf__compte"], received)
        yield "urssaf__cotisation", items["urssaf__cotisation"].filter(known)
        wrong = (pl.col("wrong_PP") >= 0) & pl.lit(rank == 0)
        yield (
            "urssaf__debit",
            items["urssaf__debit"].filter(known).with_columns(pl.when(wrong).then("wrong_PP").otherwise("Mt_PP").alias("Mt_PP")),
        )
        for source in ("urssaf__delai", "urssaf__ccsf", "urssaf__procol", "dgefp__consommation_ap"):
            yield source, items[source].filter(known)
        if rank in (0, 2):
            yield "urssaf__effectif", self._effectif(day)
            last = _last_effectif(self.timeline, day)
            yield "urssaf__effectif_ent", urssaf.render_effectif_ent(self.people, self.fate, last, self._effectif_seed())
        yield "dgefp__demande_ap", dgefp.render_demande(items["dgefp__demande_ap"], items["dgefp__consommation_ap"], received)
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
        """Headcounts by establishment, and a few under a pseudo-SIRET (10th digit 9), as ACOSS uses for its own needs."""
        last = _last_effectif(self.timeline, day)
        frame = urssaf.render_effectif(self.people, self.accounts, self.timeline, last, self._effectif_seed())
        rng = self._rng("pseudo")
        picked = frame[np.sort(rng.choice(frame.height, max(1, frame.height // 400), replace=False))]
        siren = picked["siret"].str.head(9).to_numpy().astype("U9")
        pseudo = make_siret(siren, 9_001 + np.arange(len(siren)))
        return pl.concat([frame, picked.with_columns(pl.Series("siret", pseudo.tolist()))])

    def _note(self, opened: OpenFile, source: str, items: pl.DataFrame | None, day: date) -> None:
        """Record the warts that are not single bad lines: late items, corrections to come, odd notices, pseudo-SIRET."""

        def note(wart: str, count: int) -> None:
            if count:
                opened.warts.append((day, source, opened.path.name, 0, wart, "", str(count)))

        if items is not None and "due_for_knowledge" in items.columns:
            received = pl.lit(day)
            note("late", items.filter((pl.col("due_for_knowledge") <= received) & (pl.col("known") > received)).height)
        if source == "urssaf__debit" and day == self.timeline.deliveries[0] and items is not None:
            note("corrected_later", items.filter((pl.col("known") <= pl.lit(day)) & (pl.col("wrong_PP") >= 0)).height)
        if source == "urssaf__effectif":
            note("pseudo_siret", self._effectif(day)["siret"].str.slice(9, 1).eq("9").sum())
        if source == "bodacc__annonce" and day == self.timeline.deliveries[0]:
            for wart, count in self.odd_notices.items():
                note(wart, count)


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
        people, fate, timeline = block.people, block.fate, block.timeline
        naf = np.array([a.naf for a in ACTIVITIES])[people.activity]
        recent = fate.headcount[:, -PERIMETER_MONTHS:].max(axis=1)
        excluded = np.isin(naf, sorted(EXCLUDED_NAF)) | (people.legal == PUBLIC_FORM)
        inside = (recent >= PERIMETER_HEADCOUNT) & ~excluded
        self.in_perimeter += int(inside.sum())
        self._write(
            "companies",
            pl.DataFrame(
                {
                    "siren": people.siren.tolist(),
                    "siret_siege": people.site_siret[people.head_site].tolist(),
                    "naf": naf.tolist(),
                    "departement": procedures.departement_of(people).tolist(),
                    "categorie_juridique": people.legal.tolist(),
                    "date_creation": people.birth,
                    "date_fin": pl.Series(fate.end_date).replace(NEVER.astype(object), None),
                    "effectif_max_36m": recent,
                    "ten_employees": recent >= PERIMETER_HEADCOUNT,
                    "excluded": excluded,
                    "in_perimeter": inside,
                }
            ),
        )
        failed = np.flatnonzero((fate.fail_month < NEVER_MONTH) & (fate.fail_month < timeline.months))
        self.failures += len(failed)
        self._write(
            "failures",
            pl.DataFrame(
                {
                    "siren": people.siren[failed].tolist(),
                    "failure_date": fate.fail_date[failed],
                    "kind": np.array(KINDS)[fate.fail_kind[failed]].tolist(),
                    "published_on": block.published[failed],
                },
                schema_overrides={"siren": pl.String, "kind": pl.String},
            ),
        )
        months = timeline.first_days[: timeline.months]
        self._write(
            "health",
            pl.DataFrame(
                {
                    "siren": urssaf.text_column(people.siren, np.repeat(np.arange(people.n), timeline.months)),
                    "month": np.tile(months, people.n),
                    "health": -fate.distress.ravel(),
                    "hazard": fate.hazard.ravel(),
                    "headcount": fate.headcount.ravel(),
                }
            ),
        )

    def close(self, warts: list[tuple[date, str, str, int, str, str, str]]) -> dict[str, int]:
        """Write the warts (``line`` 0: the whole file) and close; count of each kind."""
        frame = pl.DataFrame(warts, schema=WART_SCHEMA, orient="row").sort("received_on", "source", "file", "line", "wart")
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
            self.writers[name] = parquet.ParquetWriter(self.folder / f"{name}.parquet", table.schema, compression="zstd")
        self.writers[name].write_table(table)
