-- Quelles entreprises le dernier mois publié détecte-t-il pour la première fois, et pourquoi ?
with

dernier_mois as (

    select max(mois) as mois from published.publications

),

raison_principale as (

    select
        mois,
        siren,
        phrase
    from published.raisons
    where rang = 1

)

select
    detections.mois,
    detections.siren,
    detections.denomination,
    detections.departement,
    detections.alerte,
    round(100 * detections.p18::numeric, 1) as risque_18_mois_pct,
    detections.motif_nouveaute,
    raison_principale.phrase as raison_principale
from published.detections
inner join dernier_mois using (mois)
left join raison_principale using (mois, siren)
where detections.est_nouvelle_detection
order by detections.p18 desc, detections.siren;
