-- Quels secteurs et quelles tailles portent le plus de risque parmi les entreprises suivies ?
select
    entreprises.naf_section,
    entreprises.tranche_effectif,
    count(*) as entreprises,
    round(100 * avg(scores.p18)::numeric, 2) as risque_moyen_18_mois_pct,
    count(scores.alerte) as alertes
from published.entreprises
inner join published.scores using (mois, siren)
where entreprises.mois = (select max(publications.mois) from published.publications)
group by entreprises.naf_section, entreprises.tranche_effectif
order by risque_moyen_18_mois_pct desc, entreprises.naf_section, entreprises.tranche_effectif;
