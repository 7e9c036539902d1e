with

debit as (

    select * from {{ ref('stg_urssaf__debit') }}
    where known_to = 'infinity'

),

event as (

    {{ rows_with_siret('debit', 'periode_debut', [
        'compte', 'periode_debut', 'periode_fin', 'numero_ecart_negatif', 'numero_historique', 'mois_comptable',
        'part_ouvriere_eur', 'part_patronale_eur',
    ]) }}

),

-- The account belongs to the identity of an ecart negatif: two accounts of one establishment may share period and number.
event_by_rank as (

    select
        *,
        row_number() over (
            partition by compte, periode_debut, periode_fin, numero_ecart_negatif, mois_comptable
            order by numero_historique desc
        ) as rank_in_the_month,
        max(numero_historique) over (
            partition by compte, periode_debut, periode_fin, numero_ecart_negatif
            order by mois_comptable
        ) as last_history_so_far
    from event
    where {{ not_excluded('left(event.siret, 9)') }}

),

-- The amount of an event is the balance that remains: the highest history number reached by the end of a month rules.
balance as (

    select
        *,
        lag(siret) over by_ecart as previous_siret,
        lag(part_ouvriere_eur) over by_ecart as previous_part_ouvriere_eur,
        lag(part_patronale_eur) over by_ecart as previous_part_patronale_eur
    from event_by_rank
    where rank_in_the_month = 1 and numero_historique = last_history_so_far
    window by_ecart as (
        partition by compte, periode_debut, periode_fin, numero_ecart_negatif
        order by mois_comptable
    )

),

-- What a month adds to the debt of an establishment. When the account moves, the debt leaves the old one with it.
change as (

    select
        siret,
        mois_comptable,
        part_ouvriere_eur,
        part_patronale_eur
    from balance
    union all
    select
        previous_siret as siret,
        mois_comptable,
        -previous_part_ouvriere_eur as part_ouvriere_eur,
        -previous_part_patronale_eur as part_patronale_eur
    from balance
    where previous_siret is not null

),

change_of_the_month as (

    select
        siret,
        mois_comptable,
        sum(part_ouvriere_eur) as part_ouvriere_eur,
        sum(part_patronale_eur) as part_patronale_eur
    from change
    group by siret, mois_comptable

),

-- One line only for each month in which something happened: the front end fills the months between.
stock as (

    select
        siret,
        mois_comptable as periode,
        sum(part_ouvriere_eur) over (partition by siret order by mois_comptable)::numeric(15, 2) as part_ouvriere,
        sum(part_patronale_eur) over (partition by siret order by mois_comptable)::numeric(15, 2) as part_patronale,
        mois_comptable = max(mois_comptable) over (partition by siret) as is_last
    from change_of_the_month

)

select * from stock
