{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

groupe as (

    select
        *,
        {{ known_months() }}
    from {{ ref('stg_ellisphere__groupe') }}
    where {{ known_in_range() }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

-- The head of a group is one of its companies.
member_version as (

    select
        eligible.siren,
        groupe.code_groupe,
        groupe.siren_groupe,
        groupe.niveau_detention,
        groupe.part_financiere,
        groupe.valid_from,
        groupe.valid_to
    from groupe
    inner join eligible on groupe.siren_filiale = eligible.siren
    where groupe.siren_filiale is distinct from groupe.siren_groupe
    union all
    select
        eligible.siren,
        groupe.code_groupe,
        groupe.siren_groupe,
        0 as niveau_detention,
        100 as part_financiere,
        groupe.valid_from,
        groupe.valid_to
    from groupe
    inner join eligible on groupe.siren_groupe = eligible.siren

),

-- In several groups: who is held comes before who holds, then the largest share.
group_of_a_company as (

    {{ ruling_segments(
        'member_version',
        ['siren'],
        'coalesce(version.niveau_detention = 0, false), version.part_financiere desc nulls last, version.niveau_detention, version.code_groupe',
        ['code_groupe', 'siren_groupe', 'part_financiere'],
    ) }}

),

filiale as (

    select
        code_groupe,
        valid_from as start_month,
        valid_to as end_month,
        1 as nb_filiales
    from groupe
    where code_groupe in (select member_version.code_groupe from member_version)

),

filiale_delta as (

    {{ month_deltas('filiale', ['nb_filiales'], key='code_groupe') }}

),

group_size as (

    select
        code_groupe,
        month_index as size_from,
        lead(month_index, 1, 999999) over (partition by code_groupe order by month_index) as size_to,
        sum(nb_filiales) over (partition by code_groupe order by month_index) as nb_filiales
    from filiale_delta

),

company_in_a_group as (

    select
        company.siren,
        series.month_index,
        company.siren_groupe as siren_tete,
        company.part_financiere,
        group_size.nb_filiales
    from group_of_a_company as company
    inner join group_size
        on
            company.code_groupe = group_size.code_groupe
            and company.change_month < group_size.size_to
            and company.segment_to > group_size.size_from
    {{ each_month(
        'greatest(company.change_month, group_size.size_from)',
        'least(company.segment_to, group_size.size_to, ' ~ range_last() ~ ' + 1) - 1',
    ) }}
    where company.is_known

)

select * from company_in_a_group
