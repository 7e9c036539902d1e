with

source as (

    select * from {{ source('raw', 'urssaf__debit') }}

),

renamed as (

    select
        ----------  ids
        siret,
        siren,
        compte,
        numero_ecart_negatif,
        numero_historique,

        ----------  labels
        etat_compte,
        code_procedure_collective,
        code_operation,
        code_motif,
        recours_en_cours,

        ----------  dates
        periode_debut,
        periode_fin,
        date_traitement,
        {{ urssaf_accounting_month('date_traitement') }} as mois_comptable,

        ----------  amounts
        part_ouvriere_eur,
        part_patronale_eur,
        part_ouvriere_eur + part_patronale_eur as dette_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
