-- Par quels niveaux d'alerte une entreprise est-elle passée ? (ici celle qui figure dans le plus de listes)
with

entreprise as (

    select siren from published.detections
    group by siren
    order by count(*) desc, siren
    limit 1

)

select
    scores.mois,
    scores.siren,
    coalesce(scores.alerte, 'Pas d''alerte') as alerte,
    round(100 * scores.p12::numeric, 1) as risque_12_mois_pct,
    round(100 * scores.p18::numeric, 1) as risque_18_mois_pct,
    round(100 * scores.p24::numeric, 1) as risque_24_mois_pct
from published.scores
inner join entreprise using (siren)
order by scores.mois;
