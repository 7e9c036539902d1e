-- Que montrait la liste à une date passée, et qu'en est-il aujourd'hui ? (remplacez la date de la première ligne)
with

jour as (

    select max(publie_le at time zone 'UTC')::date as au from published.publications

),

alors as (

    select liste.* from jour
    cross join lateral published.detections_au(jour.au) as liste

),

aujourd_hui as (

    select * from published.detections
    where mois = (select max(publications.mois) from published.publications)

)

select
    alors.mois as mois_alors,
    alors.siren,
    alors.alerte as alerte_alors,
    aujourd_hui.alerte as alerte_aujourd_hui
from alors
left join aujourd_hui using (siren)
order by alors.siren;
