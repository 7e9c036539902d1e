-- Comment le nombre d'alertes et de nouvelles détections évolue-t-il d'un mois publié à l'autre ?
select
    publications.mois,
    publications.modele,
    count(*) filter (where detections.alerte = 'Alerte seuil F1') as alertes_elevees,
    count(*) filter (where detections.alerte = 'Alerte seuil F2') as alertes_moderees,
    count(*) filter (where detections.est_nouvelle_detection) as nouvelles_detections,
    count(*) filter (where detections.est_retour) as retours
from published.publications
left join published.detections using (mois)
group by publications.mois, publications.modele
order by publications.mois;
