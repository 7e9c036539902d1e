-- Quels thèmes pèsent le plus dans les alertes, mois après mois ?
select
    mois,
    theme,
    count(distinct siren) as entreprises,
    round(avg(contribution)::numeric, 3) as contribution_moyenne
from published.raisons
where sens = 'aggravant'
group by mois, theme
order by mois, contribution_moyenne desc;
