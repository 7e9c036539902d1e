{{ config(indexes=[{'columns': ['compte', 'periode_debut', 'periode_fin', 'numero_ecart_negatif'], 'unique': true}]) }}

{#- Nearly all ecarts were settled long ago: told apart once, cheaply, they are left out before the events are put in order. -#}

with

account as (

    select
        compte,
        min(siren) as first_siren,
        max(siren) as last_siren,
        count(*) as entries
    from {{ ref('int_compte__siren') }}
    group by compte

),

version as (

    select
        compte,
        periode_debut,
        periode_fin,
        numero_ecart_negatif,
        numero_historique,
        siret,
        siren,
        date_traitement,
        part_ouvriere_eur <> 0 or part_patronale_eur <> 0 as is_open,
        {% if is_one_month() %}
        false as is_news
        {% else %}
        known_from >= {{ range_start_date() }} + interval '1 month'
        or known_to < {{ range_end_date() }}
        or date_traitement > {{ range_start_date() }} + 19 as is_news
        {% endif %}
    from {{ ref('stg_urssaf__debit') }}
    where {{ known_in_range() }} and {{ accounted_in_range('date_traitement') }}

),

ecart_at_a_place as (

    select
        compte,
        periode_debut,
        periode_fin,
        numero_ecart_negatif,
        siret,
        siren,
        max(numero_historique) as last_event,
        max(numero_historique) filter (where is_open) as last_open_event,
        min(date_traitement) as first_treated_on,
        bool_or(is_news) as has_news
    from version
    group by compte, periode_debut, periode_fin, numero_ecart_negatif, siret, siren

),

account_at_a_place as (

    select
        compte,
        coalesce(left(siret, 9), siren) as siren,
        max(first_treated_on) filter (where not has_news) as last_settled_on
    from ecart_at_a_place
    group by compte, siret, ecart_at_a_place.siren

),

account_of_the_events as (

    select
        compte,
        min(siren) as first_siren,
        max(siren) as last_siren,
        max(last_settled_on) as last_settled_on,
        count(*) as places
    from account_at_a_place
    group by compte

),

-- Without a company in the file, an account that the table does not know owes for none.
account_and_its_companies as (

    select
        compte,
        least(event.first_siren, entry.first_siren) as first_siren,
        greatest(event.last_siren, entry.last_siren) as last_siren,
        event.last_settled_on,
        event.places > 1 or coalesce(entry.entries, 0) > 1 or event.first_siren <> entry.first_siren as may_move
    from account_of_the_events as event
    left join account as entry using (compte)
    where coalesce(event.first_siren, entry.first_siren) is not null

),

-- In play: what is still owed, what changes in the range, what began less than a year before it, and, of each account, the last
-- ecart (it says when the company last fell behind). Of an account that moves, all.
ecart_in_play as (

    select distinct
        ecart.compte,
        ecart.periode_debut,
        ecart.periode_fin,
        ecart.numero_ecart_negatif,
        account.first_siren,
        account.last_siren
    from ecart_at_a_place as ecart
    inner join account_and_its_companies as account using (compte)
    where
        ecart.has_news
        or ecart.last_open_event = ecart.last_event
        or ecart.first_treated_on > {{ range_start_date() }} + 19 - interval '12 months'
        or ecart.first_treated_on = account.last_settled_on
        or account.may_move

)

select * from ecart_in_play
