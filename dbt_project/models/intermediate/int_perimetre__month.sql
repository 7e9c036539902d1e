with

months as (

    select * from {{ ref('int_month') }}

),

perimetre as (

    select * from {{ ref('perimetre') }}

),

applicable as (

    select
        months.month_index,
        months.month,
        perimetre.version,
        perimetre.effectif_minimum,
        perimetre.fenetre_mois,
        perimetre.exclut_siege_etranger,
        row_number() over (partition by months.month_index order by perimetre.applicable_depuis desc) as recency
    from months
    inner join perimetre on months.month >= perimetre.applicable_depuis

)

select
    month_index,
    month,
    version,
    effectif_minimum,
    fenetre_mois,
    exclut_siege_etranger
from applicable
where recency = 1
