{{ config(indexes=[{'columns': ['siret', 'change_month'], 'unique': true}]) }}

with

version as (

    select * from {{ ref('int_etablissement__version') }}

),

state as (

    {{ ruling_segments(
        'version',
        ['siret'],
        'version.date_debut desc, version.preference desc, version.etat_administratif desc',
        ['siren', 'etat_administratif', 'date_debut'],
    ) }}

)

select * from state
