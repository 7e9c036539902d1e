"""What a monthly report is made of. Frozen pydantic models; a report that contradicts itself cannot be built.

Units: probabilities are fractions in [0, 1]; amounts are euros; partial activity is in full-time equivalents (ETP);
contributions are log-odds; months are the first day of the month. `None` always means "not known", never zero.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from reporting.nomenclature import is_natural_person

NATURAL_PERSON = "Entrepreneur individuel (nom non diffusé)"
"""Shown in place of the name of a natural person: the name is never published, even when a caller provides it."""

UNNAMED = "Dénomination non connue"
"""Shown when a legal person has no name in the sources."""


def _first_of_month(value: date) -> date:
    if value.day != 1:
        raise ValueError(f"{value} n'est pas le premier jour d'un mois")
    return value


Month = Annotated[date, AfterValidator(_first_of_month)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Siren = Annotated[str, Field(pattern=r"^[0-9]{9}$")]
Siret = Annotated[str, Field(pattern=r"^[0-9A-Z]{14}$")]
Alert = Literal["Alerte seuil F1", "Alerte seuil F2"]
TerritoryType = Literal["region", "departement"]
Novelty = Literal["premiere_alerte", "aggravation", "retour", "entree_perimetre", "changement_modele", "deja_en_alerte"]


# Characters that are not seen and change what is: controls, and marks of direction that would turn a Siren round.
_UNSEEN = {ord(each): None for each in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x7f"}
_UNSEEN |= {code: None for code in range(32) if chr(code) not in "\t\n\r"}


class Frozen(BaseModel):
    """What a reader is shown: it does not change once made, and holds no character that is not seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_seen(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value.translate(_UNSEEN) if isinstance(value, str) else value for name, value in data.items()}


class Counts(Frozen):
    """Counts of one territory for the month; F1 is the strong alert, F2 the moderate one (F1 companies excluded).

    `nb_autres_entrees`: in alert for the first time without being new; None in lists that did not count them.
    """

    nb_suivies: Count
    nb_f1: Count
    nb_f2: Count
    nb_nouvelles: Count
    nb_premieres: Count
    nb_aggravations: Count
    nb_retours: Count
    nb_autres_entrees: Count | None = None
    nb_sorties: Count
    nb_retenues: Count


class TerritoryCounts(Frozen):
    """Counts of one département of the region, for the map and its table."""

    code: str
    libelle: str
    nb_suivies: Count
    nb_f1: Count
    nb_f2: Count
    nb_nouvelles: Count


class MonthlyCount(Frozen):
    """Counts of the territory in one month of its history."""

    month: Month
    nb_f1: Count
    nb_f2: Count
    nb_nouvelles: Count


class Reason(Frozen):
    """Why the model puts the company where it is; `contribution` is in log-odds, positive when it raises the risk."""

    theme: str
    phrase: str
    contribution: float
    sens: Literal["aggravant", "favorable"]


class Clignotant(Frozen):
    """A simple rule that is lit (clignotant), beside the model.

    `precision_18m`: share of the companies where it was lit that failed within 18 months, None when too few were;
    `taux_de_base_18m`: the same share among all companies where it was known.
    """

    phrase: str
    origine: str
    precision_18m: Probability | None = None
    taux_de_base_18m: Probability | None = None


class SeriesPoint(Frozen):
    """One month of the company's past; a value is None when no source says it."""

    periode: Month
    effectif: float | None = None
    dette_po: float | None = None
    dette_pp: float | None = None
    ap_etp: float | None = None


class Offer(Frozen):
    """A public offer of help that fits; the lowest `priorite` is the first contact."""

    administration: str
    offre: str
    motif: str
    priorite: int


class Company(Frozen):
    """A newly detected company of the territory."""

    rang: Annotated[int, Field(ge=1)]
    retenue: bool
    siren: Siren
    siret_siege: Siret | None = None
    denomination: str | None = None
    libelle_commune: str | None = None
    departement: str
    naf: str | None = None
    naf_libelle: str | None = None
    naf_section: str | None = None
    categorie_juridique: str | None = None
    date_creation: date | None = None
    tranche_effectif: str | None = None
    effectif: float | None = None
    alerte: Alert
    alerte_precedente: str | None = None
    p12: Probability
    p18: Probability
    p24: Probability
    motif_nouveaute: Novelty
    premiere_alerte_le: date | None = None
    nb_alertes_4_listes: int | None = None
    dette_eur: float | None = None
    dette_part_ouvriere_eur: float | None = None
    dette_part_patronale_eur: float | None = None
    a_delai: bool | None = None
    ap_etp_consomme_12m: float | None = None
    reasons: tuple[Reason, ...] = ()
    clignotants: tuple[Clignotant, ...] = ()
    series: tuple[SeriesPoint, ...] = ()
    offers: tuple[Offer, ...] = ()

    @model_validator(mode="after")
    def _horizons_are_ordered(self) -> Self:
        if not self.p12 <= self.p18 <= self.p24:
            raise ValueError(f"{self.siren} : les probabilités à 12, 18 et 24 mois ne sont pas croissantes")
        periods = [point.periode for point in self.series]
        if periods != sorted(set(periods)):
            raise ValueError(f"{self.siren} : la série doit avoir un point par mois, dans l'ordre")
        return self

    @property
    def nom(self) -> str:
        """Name that a reader may see: never the name of a natural person."""
        if is_natural_person(self.categorie_juridique):
            return NATURAL_PERSON
        if self.denomination and self.denomination.strip():
            return " ".join(self.denomination.split())
        # The contract with the publication: no denomination means a natural person, unless the legal form says not.
        return UNNAMED if self.categorie_juridique else NATURAL_PERSON

    @property
    def aggravating(self) -> tuple[Reason, ...]:
        """Reasons that raise the risk, strongest first."""
        found = [reason for reason in self.reasons if reason.sens == "aggravant"]
        return tuple(sorted(found, key=lambda reason: (-abs(reason.contribution), reason.theme, reason.phrase)))

    @property
    def favourable(self) -> tuple[Reason, ...]:
        """Reasons that lower the risk, strongest first."""
        found = [reason for reason in self.reasons if reason.sens == "favorable"]
        return tuple(sorted(found, key=lambda reason: (-abs(reason.contribution), reason.theme, reason.phrase)))

    @property
    def ranked_offers(self) -> tuple[Offer, ...]:
        """Offers, first contact first."""
        return tuple(sorted(self.offers, key=lambda offer: (offer.priorite, offer.administration, offer.offre)))


class SourceFreshness(Frozen):
    """How recent one source is, as known on the last day of the month.

    `est_ecartee`: the model of the month was learned without it, because it is missing or too old.
    """

    source: str
    producteur: str
    libelle: str
    derniere_livraison: date | None = None
    derniere_periode: date | None = None
    lignes: Count | None = None
    rejets: Count | None = None
    age_jours: int | None = None
    en_retard: bool
    est_ecartee: bool = False

    @property
    def missing(self) -> bool:
        """True when the source was never delivered."""
        return self.derniere_livraison is None


class Interval(Frozen):
    """A figure and its confidence interval, when one was computed."""

    valeur: float
    bas: float | None = None
    haut: float | None = None


class HorizonFigures(Frozen):
    """Out-of-time figures of the model at one horizon. `oe` = observed / expected number of failures."""

    mois: Literal[12, 18, 24]
    auc: Interval | None = None
    ap: Interval | None = None
    oe: Interval | None = None
    taux_base: Probability | None = None
    nb_observations: Count | None = None
    nb_defaillances: Count | None = None


class MethodFigures(Frozen):
    """What the reader may check about the model."""

    apprentissage_debut: Month | None = None
    apprentissage_fin: Month | None = None
    evaluation_debut: Month | None = None
    evaluation_fin: Month | None = None
    niveau_intervalle: Probability = 0.95
    horizons: tuple[HorizonFigures, ...] = ()

    def horizon(self, months: int) -> HorizonFigures | None:
        """Figures at `months`, or None when that horizon was not evaluated."""
        return next((figures for figures in self.horizons if figures.mois == months), None)


class MonthlyReport(Frozen):
    """The report of one territory for one month: its newly detected companies, retained ones first, by rank.

    `seuil_f1` and `seuil_f2` are thresholds on p18. `companies` holds all the new detections of the territory, those
    retained within `capacite` first. `missing_sources` are labels of sources that were never delivered and are not in
    `freshness`. Raises pydantic.ValidationError (a ValueError) when the parts contradict one another.
    """

    month: Month
    territoire_code: Annotated[str, Field(pattern=r"^[0-9A-Z]{1,3}$")]
    territoire_libelle: str
    territoire_type: TerritoryType
    region_code: str
    region_libelle: str | None = None
    simulation: bool
    seuil_f1: Probability
    seuil_f2: Probability
    model_id: str
    capacite: Count | None = None
    counts: Counts
    territories: tuple[TerritoryCounts, ...] = ()
    history: tuple[MonthlyCount, ...] = ()
    companies: tuple[Company, ...] = ()
    freshness: tuple[SourceFreshness, ...] = ()
    missing_sources: tuple[str, ...] = ()
    method: MethodFigures = MethodFigures()

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for problem, present in (
            ("le seuil F1 est inférieur au seuil F2", self.seuil_f1 < self.seuil_f2),
            ("nb_nouvelles diffère du nombre d'entreprises", self.counts.nb_nouvelles != len(self.companies)),
            ("nb_retenues diffère du nombre d'entreprises retenues", self.counts.nb_retenues != len(self.retained)),
            ("plus d'entreprises retenues que la capacité", len(self.retained) > self._limit),
            ("une entreprise figure deux fois", len({c.siren for c in self.companies}) < len(self.companies)),
            ("les entreprises retenues doivent venir d'abord, par rang", not self._companies_are_sorted),
            ("l'historique doit avoir un point par mois, dans l'ordre, sans mois futur", not self._history_is_sorted),
        ):
            if present:
                raise ValueError(f"rapport {self.territoire_code} {self.month:%Y-%m} : {problem}")
        return self

    @property
    def _limit(self) -> float:
        return float("inf") if self.capacite is None else self.capacite

    @property
    def _companies_are_sorted(self) -> bool:
        keys = [(not company.retenue, company.rang) for company in self.companies]
        return keys == sorted(keys)

    @property
    def _history_is_sorted(self) -> bool:
        months = [point.month for point in self.history]
        return months == sorted(set(months)) and (not months or months[-1] <= self.month)

    @property
    def retained(self) -> tuple[Company, ...]:
        """Companies retained within the territory's capacity: those to call this month."""
        return tuple(company for company in self.companies if company.retenue)

    @property
    def others(self) -> tuple[Company, ...]:
        """New companies beyond the capacity."""
        return tuple(company for company in self.companies if not company.retenue)

    @property
    def late_sources(self) -> tuple[SourceFreshness, ...]:
        """Sources delivered, but later than their contract says."""
        return tuple(source for source in self.freshness if source.en_retard and not source.missing)

    @property
    def unused_sources(self) -> tuple[SourceFreshness, ...]:
        """Sources that the model of the month does without."""
        return tuple(source for source in self.freshness if source.est_ecartee)

    @property
    def missing_labels(self) -> tuple[str, ...]:
        """Labels of the sources never delivered."""
        never = [source.libelle for source in self.freshness if source.missing]
        return tuple(sorted({*never, *self.missing_sources}))

    @property
    def folder(self) -> str:
        """Folder of the territory's files inside the month's folder, such as `departement-21`."""
        return territory_folder(self.territoire_type, self.territoire_code)

    @property
    def file_stem(self) -> str:
        """File name without its suffix, such as `vigie-2025-12-departement-21` (`-simulation` when fictional)."""
        return file_stem(self.month, self.folder, simulation=self.simulation)


def territory_folder(kind: str, code: str) -> str:
    """Folder of a territory's files inside the month's folder, such as `departement-21`."""
    return f"{kind}-{code}"


def file_stem(month: date, folder: str, *, simulation: bool) -> str:
    """Name of a report without its suffix, such as `vigie-2025-12-departement-21` (`-simulation` when fictional)."""
    return f"vigie-{month:%Y-%m}-{folder}{'-simulation' if simulation else ''}"
