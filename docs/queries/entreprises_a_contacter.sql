-- Qui contacter ce mois-ci dans chaque département, et pour quelle offre en premier ?
select
    detections.departement,
    detections.rang_departement,
    detections.siren,
    detections.denomination,
    detections.effectif,
    offres.administration,
    offres.offre,
    offres.motif
from published.detections
inner join published.offres using (mois, siren)
where
    detections.retenue_departement
    and detections.mois = (select max(publications.mois) from published.publications)
    and offres.priorite = 1
order by detections.departement, detections.rang_departement;
