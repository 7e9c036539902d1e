{{ config(indexes=[{'columns': ['siren', 'premier_mois']}]) }}

with

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

-- The URSSAF closes its month on the 20th: what it treats later speaks from the next month, even when known before.
-- Reading the raw rows for each use costs less than keeping them all on disk.
version as not materialized (

    select
        compte,
        periode_debut,
        periode_fin,
        numero_ecart_negatif,
        numero_historique,
        siret,
        coalesce(left(siret, 9), siren) as siren,
        date_traitement,
        part_ouvriere_eur,
        part_patronale_eur,
        {{ known_months() }},
        {{ range_first() if is_one_month() else month_index('mois_comptable') }} as treated_from
    from {{ ref('stg_urssaf__debit') }}
    where {{ known_in_range() }} and {{ accounted_in_range('date_traitement') }}

),

{% set ecart = ['compte', 'periode_debut', 'periode_fin', 'numero_ecart_negatif'] %}
{% set event = ecart + ['numero_historique', 'date_traitement', 'part_ouvriere_eur', 'part_patronale_eur'] %}

account as (

    select * from {{ ref('int_compte__siren') }}

),

-- An account may come from, or go to, a company that is not followed: both sides are needed to know who owes.
ecart_in_play as (

    select {{ ecart | join(', ') }} from {{ ref('int_debit__ecart') }}
    where first_siren <> last_siren or first_siren in (select eligible.siren from eligible)

),

account_that_moved as (

    select * from account
    where periode_from > '-infinity'

),

event_of_an_account as (

    {% for side, condition in {
        'account': 'version.siret is null and version.periode_debut < account.periode_to',
        'account_that_moved': 'version.siret is not null and version.periode_debut < account.periode_from',
    }.items() %}
    select
        version.*,
        account.siren as account_siren,
        account.siret as account_siret,
        account.periode_from,
        account.segment_from,
        account.segment_to,
        account.month_from
    from version
    inner join {{ side }} as account on version.compte = account.compte and {{ condition }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- The debt follows the account: the establishment is that of the file, until the account is known to have joined
-- another one after the period in debt; without one in the file, that of the account.
event_at_an_establishment as (

    select
        siren,
        siret,
        {{ event | join(', ') }},
        '-infinity'::date as joined_on,
        greatest(valid_from, treated_from) as valid_from,
        valid_to
    from version
    where siren is not null
    union all
    select
        account_siren as siren,
        account_siret as siret,
        {{ event | join(', ') }},
        periode_from as joined_on,
        greatest(valid_from, treated_from, segment_from, month_from) as valid_from,
        least(valid_to, segment_to) as valid_to
    from event_of_an_account

),

eligible_version as (

    select
        event.*,
        event.siret is not null as is_located
    from event_at_an_establishment as event
    inner join ecart_in_play using ({{ ecart | join(', ') }})
    where {{ touches_range() }}

),

-- The identity of an ecart negatif holds the account: two accounts of one establishment may share period and number.
-- The amount of an event is the balance that remains: the highest history number known rules.
balance as (

    {{ ruling_segments(
        'eligible_version',
        ecart,
        'version.numero_historique desc, version.date_traitement desc, version.is_located desc, version.joined_on desc, version.siret',
        ['siren', 'siret', 'part_ouvriere_eur', 'part_patronale_eur'],
        first_of='date_traitement',
    ) }}

),

segment as (

    select
        balance.siren,
        balance.siret,
        balance.compte,
        balance.periode_debut,
        balance.periode_fin,
        balance.numero_ecart_negatif,
        balance.part_ouvriere_eur,
        balance.part_patronale_eur,
        {{ month_index(urssaf_accounting_month('balance.first_date_traitement')) }} as premier_mois,
        balance.change_month as valid_from,
        balance.segment_to as valid_to
    from balance
    inner join eligible on balance.siren = eligible.siren
    where balance.is_known

)

select * from segment
order by siren, premier_mois
