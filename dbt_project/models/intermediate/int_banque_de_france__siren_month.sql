{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

ratio as (

    select * from {{ ref('stg_banque_de_france__ratio') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

known_ratio as (

    select
        ratio.*,
        {{ known_months('ratio') }}
    from ratio
    inner join eligible using (siren)
    where {{ known_in_range('ratio') }}

),

-- A closing date to come is a typing error: it must not hide the real ratios, and counts from its month only.
version as (

    select
        siren,
        arrete_bilan,
        poids_frng::double precision as poids_frng,
        poids_dettes_fiscales_sociales::double precision as poids_dettes_fiscales_sociales,
        greatest(valid_from, {{ month_index('arrete_bilan') }}) as valid_from,
        valid_to
    from known_ratio

),

latest_ratio as (

    {{ ruling_segments(
        'version',
        ['siren'],
        'version.arrete_bilan desc',
        ['arrete_bilan', 'poids_frng', 'poids_dettes_fiscales_sociales'],
    ) }}

),

-- As for accounts, a ratio speaks for 24 months after its closing date.
ratio_by_month as (

    select
        ratio.siren,
        series.month_index,
        ratio.poids_frng,
        ratio.poids_dettes_fiscales_sociales
    from latest_ratio as ratio
    {{ each_month(
        'greatest(ratio.change_month, ' ~ range_first() ~ ')',
        'least(ratio.segment_to - 1, ' ~ month_index('ratio.arrete_bilan') ~ ' + 24, ' ~ range_last() ~ ')',
    ) }}
    where ratio.is_known

)

select * from ratio_by_month
