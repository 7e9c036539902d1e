-- Combien doivent à l'Urssaf les entreprises en alerte, par département et niveau d'alerte ? (niveau A)
select
    detections.departement,
    detections.alerte,
    count(*) as entreprises,
    sum(montants.dette_eur) as dette_eur,
    sum(montants.dette_part_ouvriere_eur) as dont_part_ouvriere_eur,
    count(*) filter (where montants.a_delai) as avec_delai_de_paiement
from published.detections
inner join published.montants using (mois, siren)
where detections.mois = (select max(publications.mois) from published.publications)
group by detections.departement, detections.alerte
order by detections.departement, detections.alerte;
