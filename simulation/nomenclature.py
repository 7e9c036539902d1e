"""What the fictional region borrows from the real one: communes, activities, legal forms, courts, failure levels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Commune:
    """A real commune: official geographical code, name, postal code, rough coordinates, weight among the companies."""

    code: str
    name: str
    postal_code: str
    longitude: float
    latitude: float
    weight: float

    @property
    def departement(self) -> str:
        """Département code: two characters, three overseas."""
        return self.code[:3] if self.code.startswith(("97", "98")) else self.code[:2]


@dataclass(frozen=True)
class Activity:
    """An activity (NAF Rev. 2) and how companies of it live in the simulation.

    ``weight`` share among companies; ``size`` factor on headcount; ``risk`` shift of the latent distress;
    ``ap`` taste for short-time work (activité partielle); ``season`` amplitude of the summer peak of headcount;
    ``word`` the word used in fictional names.
    """

    naf: str
    weight: float
    size: float
    risk: float
    ap: float
    season: float
    word: str


# Shares of the eight départements follow their population; the last ones hold a few establishments outside the region.
COMMUNES = (
    Commune("21231", "DIJON", "21000", 5.0415, 47.3220, 11.0),
    Commune("21054", "BEAUNE", "21200", 4.8386, 47.0260, 4.0),
    Commune("21166", "CHENOVE", "21300", 5.0064, 47.2912, 2.5),
    Commune("21425", "MONTBARD", "21500", 4.3370, 47.6230, 1.5),
    Commune("25056", "BESANCON", "25000", 6.0244, 47.2378, 9.0),
    Commune("25388", "MONTBELIARD", "25200", 6.7981, 47.5100, 4.5),
    Commune("25462", "PONTARLIER", "25300", 6.3554, 46.9060, 3.5),
    Commune("25031", "AUDINCOURT", "25400", 6.8402, 47.4827, 2.5),
    Commune("39300", "LONS-LE-SAUNIER", "39000", 5.5533, 46.6739, 4.0),
    Commune("39198", "DOLE", "39100", 5.4897, 47.0928, 3.5),
    Commune("39478", "SAINT-CLAUDE", "39200", 5.8639, 46.3872, 1.8),
    Commune("58194", "NEVERS", "58000", 3.1590, 46.9896, 4.7),
    Commune("58086", "COSNE-COURS-SUR-LOIRE", "58200", 2.9253, 47.4115, 2.5),
    Commune("70550", "VESOUL", "70000", 6.1556, 47.6226, 4.0),
    Commune("70310", "LURE", "70200", 6.4967, 47.6841, 2.3),
    Commune("70279", "GRAY", "70100", 5.5914, 47.4468, 2.0),
    Commune("71270", "MACON", "71000", 4.8286, 46.3069, 7.0),
    Commune("71076", "CHALON-SUR-SAONE", "71100", 4.8528, 46.7806, 7.0),
    Commune("71153", "LE CREUSOT", "71200", 4.4167, 46.8011, 3.0),
    Commune("71306", "MONTCEAU-LES-MINES", "71300", 4.3694, 46.6664, 2.6),
    Commune("89024", "AUXERRE", "89000", 3.5670, 47.7982, 6.0),
    Commune("89387", "SENS", "89100", 3.2837, 48.1975, 4.5),
    Commune("89025", "AVALLON", "89200", 3.9083, 47.4903, 1.3),
    Commune("90010", "BELFORT", "90000", 6.8638, 47.6380, 4.0),
    Commune("90033", "DELLE", "90100", 6.9989, 47.5075, 1.0),
    Commune("69381", "LYON 1ER ARRONDISSEMENT", "69001", 4.8300, 45.7690, 0.0),
    Commune("2A004", "AJACCIO", "20000", 8.7369, 41.9267, 0.0),
    Commune("97411", "SAINT-DENIS", "97400", 55.4481, -20.8789, 0.0),
)
IN_REGION = 25  # communes before this index are in Bourgogne-Franche-Comté

COURTS = {
    "21": "Greffe du Tribunal de Commerce de Dijon",
    "25": "Greffe du Tribunal de Commerce de Besançon",
    "39": "Greffe du Tribunal de Commerce de Lons-le-Saunier",
    "58": "Greffe du Tribunal de Commerce de Nevers",
    "70": "Greffe du Tribunal de Commerce de Vesoul",
    "71": "Greffe du Tribunal de Commerce de Mâcon",
    "89": "Greffe du Tribunal des Activités Economiques d'Auxerre",
    "90": "Greffe du Tribunal de Commerce de Belfort",
}

ACTIVITIES = (
    Activity("43.22A", 4.0, 0.9, 0.30, 0.7, 0.00, "PLOMBERIE"),
    Activity("43.21A", 4.0, 0.9, 0.25, 0.7, 0.00, "ÉLECTRICITÉ"),
    Activity("43.99C", 5.0, 0.9, 0.35, 0.8, 0.02, "MAÇONNERIE"),
    Activity("43.32A", 3.5, 0.8, 0.25, 0.7, 0.00, "MENUISERIE"),
    Activity("43.91B", 2.0, 0.9, 0.20, 0.8, 0.02, "COUVERTURE"),
    Activity("41.20A", 1.5, 0.8, 0.45, 0.6, 0.00, "BÂTIMENT"),
    Activity("42.11Z", 1.0, 1.8, 0.00, 0.6, 0.02, "TRAVAUX"),
    Activity("56.10A", 7.0, 0.6, 0.40, 1.6, 0.06, "RESTAURATION"),
    Activity("55.10Z", 2.0, 0.9, 0.15, 1.7, 0.10, "HÔTELLERIE"),
    Activity("56.30Z", 1.5, 0.4, 0.45, 1.6, 0.04, "BRASSERIE"),
    Activity("47.11F", 2.0, 3.0, -0.30, 0.2, 0.03, "DISTRIBUTION"),
    Activity("47.71Z", 2.5, 0.6, 0.40, 1.2, 0.02, "HABILLEMENT"),
    Activity("47.59A", 1.5, 0.7, 0.25, 1.0, 0.00, "AMEUBLEMENT"),
    Activity("45.11Z", 2.5, 1.2, 0.05, 0.9, 0.00, "AUTOMOBILES"),
    Activity("45.20A", 3.0, 0.6, 0.10, 0.7, 0.00, "CARROSSERIE"),
    Activity("46.73A", 2.0, 1.0, 0.00, 0.5, 0.00, "MATÉRIAUX"),
    Activity("46.34Z", 1.0, 1.0, -0.05, 0.6, 0.00, "BOISSONS"),
    Activity("10.71C", 3.5, 0.6, 0.20, 0.3, 0.00, "BOULANGERIE"),
    Activity("10.51C", 1.2, 1.5, -0.40, 0.2, 0.00, "FROMAGERIE"),
    Activity("11.02B", 0.8, 1.0, -0.20, 0.2, 0.05, "ŒNOLOGIE"),
    Activity("25.62B", 4.0, 1.4, 0.10, 1.4, 0.00, "MÉCANIQUE"),
    Activity("25.50B", 1.5, 1.7, 0.10, 1.5, 0.00, "DÉCOUPAGE"),
    Activity("22.29A", 1.5, 1.9, 0.05, 1.3, 0.00, "PLASTURGIE"),
    Activity("26.52Z", 0.8, 1.8, 0.00, 1.3, 0.00, "HORLOGERIE"),
    Activity("29.32Z", 1.0, 2.6, 0.10, 1.6, 0.00, "ÉQUIPEMENT"),
    Activity("16.10A", 1.0, 1.1, 0.05, 0.9, 0.00, "SCIERIE"),
    Activity("31.09B", 0.8, 1.1, 0.20, 1.0, 0.00, "MEUBLES"),
    Activity("33.12Z", 1.5, 1.0, -0.05, 0.8, 0.00, "MAINTENANCE"),
    Activity("49.41B", 3.0, 1.3, 0.30, 0.5, 0.00, "TRANSPORTS"),
    Activity("49.41A", 1.5, 1.6, 0.20, 0.5, 0.00, "LOGISTIQUE"),
    Activity("49.39A", 0.5, 1.6, -0.10, 0.7, 0.02, "AUTOCARS"),
    Activity("62.02A", 2.0, 1.0, -0.15, 0.2, 0.00, "INFORMATIQUE"),
    Activity("69.20Z", 2.5, 1.1, -0.60, 0.1, 0.00, "EXPERTISE"),
    Activity("71.12B", 2.5, 1.0, -0.15, 0.3, 0.00, "INGÉNIERIE"),
    Activity("78.20Z", 0.8, 3.0, 0.10, 0.4, 0.02, "INTÉRIM"),
    Activity("80.10Z", 0.8, 1.8, 0.35, 0.3, 0.00, "SÉCURITÉ"),
    Activity("81.21Z", 2.5, 1.7, 0.20, 0.3, 0.00, "PROPRETÉ"),
    Activity("81.30Z", 1.5, 0.7, 0.10, 0.3, 0.05, "PAYSAGE"),
    Activity("86.90B", 0.8, 1.4, -0.80, 0.2, 0.00, "ANALYSES"),
    Activity("88.10A", 1.2, 2.2, -0.35, 0.1, 0.00, "ASSISTANCE"),
    Activity("87.10A", 0.8, 3.0, -0.60, 0.1, 0.00, "RÉSIDENCE"),
    Activity("96.02A", 2.5, 0.4, 0.25, 1.2, 0.00, "COIFFURE"),
    Activity("93.13Z", 0.7, 0.6, 0.30, 1.5, 0.00, "FORME"),
    Activity("85.59A", 1.0, 0.9, 0.20, 0.5, 0.00, "FORMATION"),
    Activity("64.20Z", 1.2, 0.6, -0.20, 0.1, 0.00, "HOLDING"),
    Activity("94.99Z", 0.8, 1.0, -0.40, 0.2, 0.00, "AMICALE"),
    Activity("01.21Z", 1.0, 0.6, -0.10, 0.1, 0.12, "VIGNOBLE"),
    # The perimeter must exclude these: public law, education, finance.
    Activity("84.11Z", 1.3, 3.5, -3.00, 0.0, 0.00, "SYNDICAT INTERCOMMUNAL"),
    Activity("85.31Z", 0.7, 2.5, -2.50, 0.0, 0.00, "ENSEIGNEMENT"),
    Activity("64.19Z", 0.4, 4.0, -2.50, 0.0, 0.00, "CRÉDIT"),
    Activity("66.22Z", 0.7, 0.7, -0.50, 0.1, 0.00, "ASSURANCES"),
)
PUBLIC_NAF = "84.11Z"
EXCLUDED_NAF = frozenset({"84.11Z", "85.31Z", "64.19Z", "66.22Z"})

# categorie_juridique, share, suffix of the fictional name; 1000 = natural person, whose name is never written.
LEGAL_FORMS = (
    ("5499", 0.44, "SARL"),
    ("5710", 0.37, "SAS"),
    ("5599", 0.04, "SA"),
    ("5720", 0.05, "SASU"),
    ("5498", 0.04, "EURL"),
    ("1000", 0.045, ""),
    ("9220", 0.015, "ASSOCIATION"),
)
SOLE_TRADER = "1000"
PUBLIC_FORM = "7210"

# Failures of a year relative to 2016-19: the published series for France (about 55 000 a year before 2020, 31 000 and
# 28 000 under the support of 2020-21, then catching up to 66 000 and more).
YEARLY_FAILURES = {
    2015: 1.10, 2016: 1.05, 2017: 1.00, 2018: 0.98, 2019: 0.95, 2020: 0.58, 2021: 0.50,
    2022: 0.78, 2023: 1.08, 2024: 1.28, 2025: 1.32,
}  # fmt: skip
LATER_YEARS = 1.25
