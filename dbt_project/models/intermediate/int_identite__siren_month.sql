{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

{%- set place = ['siret', 'departement', 'code_commune', 'libelle_commune', 'code_pays_etranger', 'naf'] -%}
{%- set naf_rev2 -%}
case when replace(lower(etablissement.nomenclature_activite), '_', '') = 'nafrev2' then etablissement.activite_principale end
{%- endset %}

with

etablissement as (

    select * from {{ ref('stg_insee__etablissement') }}

),

etat as (

    select * from {{ ref('int_etablissement__etat') }}

),

delivery as (

    select * from {{ ref('stg_ingest__delivery') }}

),

unite_legale as (

    select * from {{ ref('stg_insee__unite_legale') }}

),

spine as (

    select
        siren,
        month_index
    from {{ ref('int_spine') }}
    where effectif_suffisant

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

departement as (

    select * from {{ ref('departement') }}

),

naf_division as (

    select * from {{ ref('naf_division') }}

),

perimetre as (

    select * from {{ ref('int_perimetre__month') }}

),

exclusion as (

    select * from {{ ref('perimetre_exclusion') }}

),

first_month_of_sirene as (

    select
        (select {{ month_index('min(etablissement.known_from)') }} from etablissement) as etablissement,
        (select {{ month_index('min(unite_legale.known_from)') }} from unite_legale) as unite_legale

),

head_office as (

    select
        etablissement.siren,
        etablissement.siret,
        etablissement.departement,
        etablissement.code_commune,
        etablissement.libelle_commune,
        etablissement.code_pays_etranger,
        {{ naf_rev2 }} as naf,
        row_number() over (
            partition by etablissement.siren
            order by etablissement.date_creation desc nulls last, etablissement.siret desc
        ) as preference,
        {{ known_months('etablissement') }}
    from etablissement
    inner join eligible using (siren)
    where
        etablissement.est_siege
        and {{ known_in_range('etablissement') }}

),

first_head_office as (

    select
        siren,
        min(valid_from) as valid_from
    from head_office
    group by siren

),

-- The first stock names the head office of the day it was received. In the months before it, until the head office is created and
-- known, another establishment known then stands in: the oldest that is open, or else the last one to have closed. From the
-- reception on, a company delivered without a head office has none.
establishment_before_the_stock as (

    select
        etablissement.*,
        {{ naf_rev2 }} as naf,
        least({{ month_index('delivery.received_on') }}, first_head_office.valid_from) as end_month,
        {{ known_months('etablissement') }}
    from etablissement
    inner join eligible on etablissement.siren = eligible.siren
    inner join delivery on etablissement.delivery_id = delivery.delivery_id
    left join first_head_office on etablissement.siren = first_head_office.siren
    where
        not etablissement.est_siege
        and {{ known_in_range('etablissement') }}
        and delivery.received_on >= {{ range_start_date() }} + interval '1 month'
        and etablissement.known_from < delivery.received_on
        and coalesce(first_head_office.valid_from > {{ range_first() }}, true)

),

state_before_the_stock as (

    select
        establishment.*,
        case when etat.etat_administratif <> 'A' then etat.date_debut end as closed_on,
        greatest(establishment.valid_from, etat.change_month, {{ range_first() }}) as state_from,
        least(establishment.valid_to, establishment.end_month, etat.segment_to) as state_to
    from establishment_before_the_stock as establishment
    inner join etat on establishment.siret = etat.siret
    where etat.is_known

),

-- Who is open when another comes, and still is when it goes, hides it: leaving it out spares companies with thousands of
-- establishments, where each would be compared with all the others. Nobody hides himself, however many states he has.
open_until as (

    select
        siren,
        siret,
        date_creation,
        coalesce(min(case when closed_on is not null then state_from end), max(state_to)) as open_until
    from state_before_the_stock
    where state_from < state_to
    group by siren, siret, date_creation

),

hidden_until as (

    select
        siren,
        siret,
        max(open_until) over (
            partition by siren
            order by date_creation, siret
            rows between unbounded preceding and 1 preceding
        ) as hidden_until
    from open_until

),

stand_in as (

    select
        state.*,
        row_number() over (
            partition by state.siren
            order by state.closed_on desc nulls first, state.date_creation, state.siret
        ) as preference,
        hidden.hidden_until
    from state_before_the_stock as state
    inner join hidden_until as hidden on state.siren = hidden.siren and state.siret = hidden.siret
    where state.state_from < state.state_to

),

siege_version as (

    select
        siren,
        {{ place | join(',\n        ') }},
        preference,
        valid_from,
        valid_to
    from head_office
    union all
    select
        siren,
        {{ place | join(',\n        ') }},
        preference,
        state_from as valid_from,
        state_to as valid_to
    from stand_in
    where coalesce(hidden_until < state_to, true)

),

siege as (

    {{ ruling_segments('siege_version', ['siren'], 'version.preference', place) }}

),

siege_by_month as (

    select
        siege.*,
        series.month_index
    from siege
    {{ each_month(
        'greatest(siege.change_month, ' ~ range_first() ~ ')',
        'least(siege.segment_to - 1, ' ~ range_last() ~ ')',
    ) }}
    where siege.is_known

),

company_version as (

    select
        unite_legale.siren,
        unite_legale.denomination,
        unite_legale.categorie_juridique,
        unite_legale.date_creation,
        case
            when
                replace(lower(unite_legale.nomenclature_activite), '_', '') = 'nafrev2'
                then unite_legale.activite_principale
        end as naf,
        coalesce(
            unite_legale.activite_principale_naf25,
            case when lower(unite_legale.nomenclature_activite) = 'naf2025' then unite_legale.activite_principale end
        ) as naf_2025,
        {{ known_months('unite_legale') }}
    from unite_legale
    inner join eligible using (siren)
    where {{ known_in_range('unite_legale') }}

),

company_by_month as (

    select
        version.*,
        series.month_index
    from company_version as version
    {{ each_month(
        'greatest(version.valid_from, ' ~ range_first() ~ ')',
        'least(version.valid_to - 1, ' ~ range_last() ~ ')',
    ) }}

),

identity as (

    select
        spine.siren,
        spine.month_index,
        siege.siret as siret_siege,
        siege.departement,
        siege.code_commune,
        siege.libelle_commune,
        siege.code_pays_etranger,
        company.categorie_juridique,
        company.date_creation,
        -- The name of a natural person is personal data and never leaves the raw table.
        case when left(company.categorie_juridique, 1) <> '1' then company.denomination end as denomination,
        coalesce(company.naf, siege.naf) as naf,
        company.naf_2025
    from spine
    left join siege_by_month as siege on spine.siren = siege.siren and spine.month_index = siege.month_index
    left join company_by_month as company on spine.siren = company.siren and spine.month_index = company.month_index

),

identity_with_exclusion as (

    select
        identity.siren,
        identity.month_index,
        identity.siret_siege,
        identity.departement,
        departement.region,
        identity.code_commune,
        identity.libelle_commune,
        identity.categorie_juridique,
        identity.date_creation,
        identity.denomination,
        identity.naf,
        naf_division.code as naf_division,
        naf_division.section as naf_section,
        perimetre.version as version_perimetre,
        perimetre.effectif_minimum,
        -- A source that was never delivered excludes nobody. The NAF 2025 speaks for who has no code in the NAF rév. 2.
        case
            when legal_form.code is not null then legal_form.motif
            when activity.code is not null then activity.motif
            when first_month.etablissement is null or identity.month_index < first_month.etablissement then null
            when identity.siret_siege is null then 'siege_inconnu'
            when identity.code_pays_etranger is not null and identity.departement is null
                then case when perimetre.exclut_siege_etranger then 'siege_a_l_etranger' end
            when departement.code is null then 'departement_inconnu'
        end as motif_exclusion
    from identity
    cross join first_month_of_sirene as first_month
    inner join perimetre on identity.month_index = perimetre.month_index
    left join departement on identity.departement = departement.code
    left join naf_division on left(identity.naf, 2) = naf_division.code
    left join exclusion as legal_form
        on
            perimetre.version = legal_form.version
            and legal_form.nature = 'categorie_juridique'
            and identity.categorie_juridique = legal_form.code
    left join exclusion as activity
        on
            perimetre.version = activity.version
            and activity.nature = case when identity.naf is null then 'naf_2025' else 'naf_rev2' end
            and coalesce(identity.naf, identity.naf_2025) = activity.code

)

select * from identity_with_exclusion
