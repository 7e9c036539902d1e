-- Sur quelles données le dernier mois publié repose-t-il, et lesquelles étaient en retard ?
select
    source,
    producteur,
    libelle,
    derniere_livraison,
    derniere_periode,
    age_jours,
    en_retard,
    round(100.0 * rejets / nullif(lignes, 0), 2) as rejets_pct
from published.fraicheur_sources
where mois = (select max(publications.mois) from published.publications)
order by en_retard desc, age_jours desc nulls last, source;
