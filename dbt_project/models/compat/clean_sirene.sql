with

etablissement as (

    select
        *,
        {{ naf_with_dot('activite_principale', 'nomenclature_activite') }} as ape
    from {{ ref('stg_insee__etablissement') }}
    where known_to = 'infinity'

),

type_voie as (

    select * from {{ ref('type_voie') }}

),

naf_division as (

    select * from {{ ref('naf_division') }}

),

establishment as (

    select
        etablissement.siren,
        etablissement.siret,
        etablissement.est_siege as siege,
        nullif(
            concat_ws(
                e'\n',
                nullif(
                    concat_ws(
                        ' ',
                        etablissement.numero_voie,
                        case etablissement.indice_repetition
                            when 'B' then 'BIS' when 'T' then 'TER' when 'Q' then 'QUATER'
                            else etablissement.indice_repetition
                        end,
                        coalesce(type_voie.libelle, etablissement.type_voie),
                        etablissement.libelle_voie,
                        '(' || etablissement.complement_adresse || ')'
                    ),
                    ''
                ),
                nullif(
                    concat_ws(
                        ' ',
                        etablissement.code_postal,
                        coalesce(etablissement.libelle_commune, etablissement.libelle_commune_etranger)
                    ),
                    ''
                ),
                etablissement.libelle_pays_etranger
            ),
            ''
        ) as adresse,
        etablissement.code_commune,
        etablissement.departement,
        etablissement.ape,
        naf_division.section as naf_section,
        etablissement.date_creation,
        etablissement.longitude::double precision as longitude,
        etablissement.latitude::double precision as latitude,
        coalesce(etablissement.etat_administratif = 'A', false) as est_actif
    from etablissement
    left join type_voie on etablissement.type_voie = type_voie.code
    left join naf_division on left(etablissement.ape, 2) = naf_division.code

)

select * from establishment
