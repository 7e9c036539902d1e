with

cotisation as (

    select * from {{ ref('stg_urssaf__cotisation') }}
    where known_to = 'infinity'

),

cotisation_of_an_establishment as (

    {{ rows_with_siret('cotisation', 'periode_debut', ['periode_debut', 'cotisation_due_eur']) }}

),

-- A quarter or a year is booked whole on its first month: that is what the front end's chart expects.
due_by_period as (

    select
        siret,
        periode_debut as periode,
        sum(cotisation_due_eur)::numeric(15, 2) as du
    from cotisation_of_an_establishment
    where {{ not_excluded('left(cotisation_of_an_establishment.siret, 9)') }}
    group by siret, periode_debut

)

select * from due_by_period
