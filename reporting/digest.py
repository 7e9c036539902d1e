"""The message that tells a reader of a list: published, corrected or taken back. It names no company.

A mail box is read by others, forwarded and kept: the companies are in the report, for those who may see it. The message says
how many there are, where to look, and, above all, when a list that was announced must no longer be used.
"""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from reporting import french
from reporting.model import Count, Frozen, Month, TerritoryType, file_stem, territory_folder


class TerritoryNews(Frozen):
    """What changed for one territory since the last message: its list is there, is another one (`nb_ajoutees`, `nb_retirees`: new
    detections that came and went), or was taken back (`nb_annoncees`: the new detections that had been announced)."""

    type: TerritoryType
    code: str
    libelle: str
    nature: Literal["liste", "correction", "retrait"]
    nb_nouvelles: Count = 0
    nb_retenues: Count = 0
    nb_f1: Count = 0
    nb_f2: Count = 0
    nb_ajoutees: Count = 0
    nb_retirees: Count = 0
    nb_annoncees: Count = 0


class Digest(Frozen):
    """One message: a month, the territories that its reader follows, and what the reader must know of the sources.

    `reports_url`: address of the folder of all reports, when they are served; without it the message gives the file's name.
    """

    month: Month
    simulation: bool
    news: tuple[TerritoryNews, ...]
    sources_en_retard: tuple[str, ...] = ()
    reports_url: str | None = None
    contact: str

    @property
    def subject(self) -> str:
        """« Vigie, décembre 2025, Côte-d’Or : 3 entreprises nouvellement détectées »."""
        place = f", {self.news[0].libelle}" if len(self.news) == 1 else ""
        natures = {news.nature for news in self.news}
        if natures == {"liste"} and place:
            what = _new(self.news[0].nb_nouvelles)
        elif natures == {"liste"}:
            what = "les listes sont publiées"
        elif natures == {"retrait"}:
            what = "liste retirée" if place else "listes retirées"
        else:
            what = "liste modifiée" if place else "listes modifiées"
        start = "SIMULATION – " if self.simulation else ""
        return f"{start}Vigie, {french.month(self.month)}{place}{french.NO_BREAK}: {what}"

    @property
    def body(self) -> str:
        """Plain text: read by every program and every screen reader."""
        lines = ["Bonjour,", ""]
        if self.simulation:
            lines += ["SIMULATION : tout ce qui suit vient de données fictives, aucune entreprise n’existe.", ""]
        for news in self.news:
            lines += [*self._of_a_territory(news), ""]
        if self.sources_en_retard:
            what = french.counted(len(self.sources_en_retard), "source", feminine=True)
            lines += [f"Données incomplètes : {what} en retard ({french.enumeration(self.sources_en_retard)}).", ""]
        lines += [
            "Ce message ne nomme aucune entreprise : elles sont dans le rapport.",
            f"Une question, ou ne plus le recevoir : {self.contact}.",
        ]
        return french.spaced("\n".join(lines)) + "\n"

    def _of_a_territory(self, news: TerritoryNews) -> list[str]:
        of_month = french.of(french.month(self.month))
        if news.nature == "retrait":
            were_there = (
                french.plural(news.nb_annoncees, "y figurait", "y figuraient") if news.nb_annoncees else "n’y figurait"
            )
            return [
                f"{news.libelle} : la liste {of_month} a été retirée.",
                f"- N’appelez plus d’après ce rapport ({_new(news.nb_annoncees)} {were_there}).",
            ]
        if news.nature == "correction":
            head = [
                f"{news.libelle} : la liste {of_month} a changé depuis notre message.",
                f"- {french.counted(news.nb_ajoutees, 'entreprise ajoutée', 'entreprises ajoutées', feminine=True).capitalize()}, "
                f"{french.counted(news.nb_retirees, 'retirée', feminine=True)} : reprenez le rapport avant d’appeler.",
            ]
        else:
            head = [f"{news.libelle} : la liste {of_month} est publiée."]
        to_contact = f", dont {french.number(news.nb_retenues)} à contacter ce mois-ci" if news.nb_retenues else ""
        return [
            *head,
            f"- {_new(news.nb_nouvelles).capitalize()}{to_contact}.",
            f"- En tout, {french.counted(news.nb_f1, 'alerte forte', 'alertes fortes', feminine=True)} et "
            f"{french.counted(news.nb_f2, 'alerte modérée', 'alertes modérées', feminine=True)}.",
            f"- Rapport : {self._report(news)}",
        ]

    def _report(self, news: TerritoryNews) -> str:
        folder = territory_folder(news.type, news.code)
        name = f"{file_stem(self.month, folder, simulation=self.simulation)}.html"
        return f"{self.reports_url}/{self.month:%Y-%m}/{folder}/{name}" if self.reports_url else name


def message(digest: Digest, *, sender: str, recipient: str, message_id: str, moment: datetime) -> EmailMessage:
    """The digest as a message ready to be sent; the same `message_id` when it is sent again after a doubt."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = sender, recipient, digest.subject
    made["Date"], made["Message-ID"] = moment, message_id
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(digest.body)
    return made


def _new(count: int) -> str:
    return french.counted(
        count, "entreprise nouvellement détectée", "entreprises nouvellement détectées", feminine=True
    )
