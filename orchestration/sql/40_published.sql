-- What readers see: the months whose publication is in force. Views of the invoker, so that row security applies.

create or replace view published.publications with (security_invoker = true) as
select
    m.month as mois,
    m.published_at as publie_le,
    m.model_id as modele,
    m.seuil_f1 as seuil_f1,
    m.seuil_f2 as seuil_f2,
    m.simulation as simulation,
    m.content_sha256 as empreinte
from publication.month as m
where m.status = 'published';

comment on view published.publications is 'Une ligne par mois publié : modèle, seuils et date de publication.';
comment on column published.publications.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.publications.publie_le is 'Date et heure de publication (UTC). Source : Vigie.';
comment on column published.publications.modele is 'Identifiant du modèle de risque employé. Source : Vigie.';
comment on column published.publications.seuil_f1 is 'Probabilité à 18 mois à partir de laquelle l’alerte est élevée (seuil F1). Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.publications.seuil_f2 is 'Probabilité à 18 mois à partir de laquelle l’alerte est modérée (seuil F2). Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.publications.simulation is 'Vrai si le mois est établi sur des données simulées (SIMULATION). Source : Vigie.';
comment on column published.publications.empreinte is 'Empreinte SHA-256 du contenu publié. Source : Vigie.';

create or replace view published.detections with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.siret_siege as siret_siege,
    t.denomination as denomination,
    t.departement as departement,
    t.region as region,
    t.libelle_commune as libelle_commune,
    t.naf as naf,
    t.naf_section as naf_section,
    t.categorie_juridique as categorie_juridique,
    t.tranche_effectif as tranche_effectif,
    t.effectif as effectif,
    t.alerte as alerte,
    t.p12 as p12,
    t.p18 as p18,
    t.p24 as p24,
    t.alerte_precedente as alerte_precedente,
    t.est_premiere_alerte as est_premiere_alerte,
    t.est_aggravation as est_aggravation,
    t.est_retour as est_retour,
    t.est_nouvelle_detection as est_nouvelle_detection,
    t.motif_nouveaute as motif_nouveaute,
    t.premiere_alerte_le as premiere_alerte_le,
    t.nb_alertes_4_listes as nb_alertes_4_listes,
    t.rang_region as rang_region,
    t.rang_departement as rang_departement,
    t.retenue_region as retenue_region,
    t.retenue_departement as retenue_departement
from publication.detection as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.detections is 'Une ligne par mois publié et par entreprise en alerte.';
comment on column published.detections.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.detections.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.detections.siret_siege is 'Numéro SIRET du siège. Source : Insee.';
comment on column published.detections.denomination is 'Dénomination sociale ; vide pour une personne physique. Source : Insee.';
comment on column published.detections.departement is 'Code du département du siège. Source : Insee.';
comment on column published.detections.region is 'Code de la région du siège. Source : Insee.';
comment on column published.detections.libelle_commune is 'Commune du siège. Source : Insee.';
comment on column published.detections.naf is 'Activité principale, code NAF avec le point. Source : Insee.';
comment on column published.detections.naf_section is 'Section de la NAF (lettre). Source : Insee.';
comment on column published.detections.categorie_juridique is 'Catégorie juridique (niveau III). Source : Insee.';
comment on column published.detections.tranche_effectif is 'Tranche d’effectif salarié. Unité : personnes. Source : Vigie, d’après l’Urssaf.';
comment on column published.detections.effectif is 'Dernier effectif salarié connu. Unité : personnes. Source : Urssaf.';
comment on column published.detections.alerte is 'Niveau : « Alerte seuil F1 » (élevée) ou « Alerte seuil F2 » (modérée). Source : Vigie.';
comment on column published.detections.p12 is 'Probabilité de procédure collective dans les 12 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.detections.p18 is 'Probabilité de procédure collective dans les 18 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.detections.p24 is 'Probabilité de procédure collective dans les 24 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.detections.alerte_precedente is 'Niveau d’alerte de la liste précédente ; vide s’il n’y en avait pas. Source : Vigie.';
comment on column published.detections.est_premiere_alerte is 'Vrai si l’entreprise n’a figuré dans aucune liste antérieure. Source : Vigie.';
comment on column published.detections.est_aggravation is 'Vrai si l’entreprise passe pour la première fois d’une alerte modérée à une alerte élevée. Source : Vigie.';
comment on column published.detections.est_retour is 'Vrai si l’entreprise revient après au moins une liste d’absence. Source : Vigie.';
comment on column published.detections.est_nouvelle_detection is 'Vrai si la situation de l’entreprise a changé : première alerte ou aggravation qui ne vient ni du modèle, ni du périmètre, ni d’un fichier en retard. Source : Vigie.';
comment on column published.detections.motif_nouveaute is 'Raison de la présence : premiere_alerte, aggravation, retour, entree_perimetre, changement_modele, deja_en_alerte. Source : Vigie.';
comment on column published.detections.premiere_alerte_le is 'Mois de la première alerte de l’entreprise. Source : Vigie.';
comment on column published.detections.nb_alertes_4_listes is 'Nombre d’alertes dans les quatre dernières listes, celle-ci comprise. Unité : alertes. Source : Vigie.';
comment on column published.detections.rang_region is 'Rang de la nouvelle détection dans sa région (1 = risque le plus élevé). Unité : rang. Source : Vigie.';
comment on column published.detections.rang_departement is 'Rang de la nouvelle détection dans son département. Unité : rang. Source : Vigie.';
comment on column published.detections.retenue_region is 'Vrai si elle est retenue dans la capacité de contact de la région. Source : Vigie.';
comment on column published.detections.retenue_departement is 'Vrai si elle est retenue dans la capacité de contact du département. Source : Vigie.';

create or replace view published.entreprises with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.siret_siege as siret_siege,
    t.denomination as denomination,
    t.departement as departement,
    t.region as region,
    t.code_commune as code_commune,
    t.libelle_commune as libelle_commune,
    t.naf as naf,
    t.naf_section as naf_section,
    t.categorie_juridique as categorie_juridique,
    t.date_creation as date_creation,
    t.tranche_effectif as tranche_effectif,
    t.effectif as effectif
from publication.entreprise as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.entreprises is 'Une ligne par mois publié et par entreprise suivie : son identité, telle qu’elle était connue à la fin du mois.';
comment on column published.entreprises.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.entreprises.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.entreprises.siret_siege is 'Numéro SIRET du siège. Source : Insee.';
comment on column published.entreprises.denomination is 'Dénomination sociale ; vide pour une personne physique. Source : Insee.';
comment on column published.entreprises.departement is 'Code du département du siège. Source : Insee.';
comment on column published.entreprises.region is 'Code de la région du siège. Source : Insee.';
comment on column published.entreprises.code_commune is 'Code officiel de la commune du siège. Source : Insee.';
comment on column published.entreprises.libelle_commune is 'Commune du siège. Source : Insee.';
comment on column published.entreprises.naf is 'Activité principale, code NAF avec le point. Source : Insee.';
comment on column published.entreprises.naf_section is 'Section de la NAF (lettre). Source : Insee.';
comment on column published.entreprises.categorie_juridique is 'Catégorie juridique (niveau III). Source : Insee.';
comment on column published.entreprises.date_creation is 'Date de création de l’entreprise. Source : Insee.';
comment on column published.entreprises.tranche_effectif is 'Tranche d’effectif salarié. Unité : personnes. Source : Vigie, d’après l’Urssaf.';
comment on column published.entreprises.effectif is 'Dernier effectif salarié connu. Unité : personnes. Source : Urssaf.';

create or replace view published.montants with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    t.dette_eur as dette_eur,
    t.dette_part_ouvriere_eur as dette_part_ouvriere_eur,
    t.dette_part_patronale_eur as dette_part_patronale_eur,
    t.a_delai as a_delai,
    t.ap_etp_consomme_12m as ap_etp_consomme_12m
from publication.montant as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.montants is 'Une ligne par mois publié et par entreprise en alerte : dettes sociales et activité partielle (niveau A).';
comment on column published.montants.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.montants.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.montants.departement is 'Code du département du siège. Source : Insee.';
comment on column published.montants.dette_eur is 'Dette sociale restant due. Unité : euros. Source : Urssaf.';
comment on column published.montants.dette_part_ouvriere_eur is 'Part ouvrière (salariale) de la dette. Unité : euros. Source : Urssaf.';
comment on column published.montants.dette_part_patronale_eur is 'Part patronale de la dette. Unité : euros. Source : Urssaf.';
comment on column published.montants.a_delai is 'Vrai si un délai de paiement Urssaf est en cours ; vide si les délais ne sont pas connus. Source : Urssaf.';
comment on column published.montants.ap_etp_consomme_12m is 'Activité partielle consommée, moyenne sur 12 mois. Unité : équivalents temps plein. Source : DGEFP.';

create or replace view published.scores with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    t.p12 as p12,
    t.p18 as p18,
    t.p24 as p24,
    t.alerte as alerte,
    t.model_id as modele
from publication.score as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.scores is 'Une ligne par mois publié et par entreprise suivie : probabilités de procédure collective.';
comment on column published.scores.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.scores.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.scores.departement is 'Code du département du siège. Source : Insee.';
comment on column published.scores.p12 is 'Probabilité de procédure collective dans les 12 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.scores.p18 is 'Probabilité de procédure collective dans les 18 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.scores.p24 is 'Probabilité de procédure collective dans les 24 mois. Unité : probabilité entre 0 et 1. Source : Vigie.';
comment on column published.scores.alerte is 'Niveau d’alerte ; vide s’il n’y en a pas. Source : Vigie.';
comment on column published.scores.modele is 'Identifiant du modèle de risque employé. Source : Vigie.';

create or replace view published.raisons with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    -- Among the reasons that the reader sees: the first of them is the first to tell, and a missing number would tell of another.
    (row_number() over (partition by t.month, t.siren order by t.rang))::int as rang,
    t.theme as theme,
    t.variable as variable,
    t.valeur as valeur,
    t.contribution as contribution,
    t.sens as sens,
    t.phrase as phrase
from publication.raison as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.raisons is 'Une ligne par mois publié, entreprise en alerte et raison : ce qui aggrave ou réduit le risque ; celles tirées de données de l’Urssaf, de la DGEFP ou de la Banque de France sont de niveau A.';
comment on column published.raisons.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.raisons.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.raisons.departement is 'Code du département du siège. Source : Insee.';
comment on column published.raisons.rang is 'Rang parmi les raisons visibles (1 = la plus forte). Unité : rang. Source : Vigie.';
comment on column published.raisons.theme is 'Thème : Dettes sociales, Données financières, Activité partielle, Effectif ou Contexte. Source : Vigie.';
comment on column published.raisons.variable is 'Nom de l’indicateur. Source : Vigie.';
comment on column published.raisons.valeur is 'Valeur de l’indicateur pour l’entreprise. Unité : celle que dit la phrase. Source : Vigie.';
comment on column published.raisons.contribution is 'Contribution au logarithme des chances de défaillance (positive = aggrave). Unité : log-cote. Source : Vigie.';
comment on column published.raisons.sens is '« aggravant » ou « favorable ». Source : Vigie.';
comment on column published.raisons.phrase is 'La raison en une phrase. Source : Vigie.';

create or replace view published.clignotants with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    t.ordre as ordre,
    t.clignotant as clignotant,
    t.theme as theme,
    t.phrase as phrase,
    t.origine as origine,
    t.precision_18m as precision_18m,
    t.taux_de_base_18m as taux_de_base_18m
from publication.clignotant as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.clignotants is 'Une ligne par mois publié, entreprise en alerte et clignotant allumé : règles simples de pays voisins, à côté du modèle.';
comment on column published.clignotants.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.clignotants.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.clignotants.departement is 'Code du département du siège. Source : Insee.';
comment on column published.clignotants.ordre is 'Rang d’affichage. Unité : rang. Source : Vigie.';
comment on column published.clignotants.clignotant is 'Code du clignotant. Source : Vigie.';
comment on column published.clignotants.theme is 'Thème du clignotant. Source : Vigie.';
comment on column published.clignotants.phrase is 'Ce que dit le clignotant, en une phrase. Source : Vigie.';
comment on column published.clignotants.origine is 'Pays dont vient la règle. Source : Vigie.';
comment on column published.clignotants.precision_18m is 'Part des entreprises où il était allumé qui ont connu une procédure dans les 18 mois, mesurée sur douze mois clos ; vide sous trente observations. Unité : fraction de 0 à 1. Source : Vigie.';
comment on column published.clignotants.taux_de_base_18m is 'Même part pour toutes les entreprises suivies où il était connu. Unité : fraction de 0 à 1. Source : Vigie.';

create or replace view published.series with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    t.periode as periode,
    t.effectif as effectif,
    t.dette_part_ouvriere_eur as dette_part_ouvriere_eur,
    t.dette_part_patronale_eur as dette_part_patronale_eur,
    t.ap_etp_consomme as ap_etp_consomme
from publication.serie as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.series is 'Une ligne par mois publié, nouvelle détection et mois passé : les 24 derniers mois (niveau A).';
comment on column published.series.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.series.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.series.departement is 'Code du département du siège. Source : Insee.';
comment on column published.series.periode is 'Mois décrit (premier jour du mois). Source : Vigie.';
comment on column published.series.effectif is 'Effectif salarié connu ce mois-là. Unité : personnes. Source : Urssaf.';
comment on column published.series.dette_part_ouvriere_eur is 'Part ouvrière de la dette. Unité : euros. Source : Urssaf.';
comment on column published.series.dette_part_patronale_eur is 'Part patronale de la dette. Unité : euros. Source : Urssaf.';
comment on column published.series.ap_etp_consomme is 'Activité partielle consommée dans le mois décrit, connue deux mois plus tard. Unité : équivalents temps plein. Source : DGEFP.';

create or replace view published.offres with (security_invoker = true) as
select
    t.month as mois,
    t.siren as siren,
    t.departement as departement,
    t.administration as administration,
    t.offre as offre,
    t.motif as motif,
    -- Among the offers that the reader sees: a missing number would tell of the others.
    (row_number() over (partition by t.month, t.siren order by t.priorite))::int as priorite
from publication.offre as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.offres is 'Une ligne par mois publié, nouvelle détection et offre d’aide adaptée ; celles qui révèlent une donnée de l’Urssaf, de la DGEFP ou de la Banque de France sont de niveau A.';
comment on column published.offres.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.offres.siren is 'Numéro SIREN de l’entreprise. Source : Insee.';
comment on column published.offres.departement is 'Code du département du siège. Source : Insee.';
comment on column published.offres.administration is 'Administration qui peut aider. Source : Vigie.';
comment on column published.offres.offre is 'Offre d’aide. Source : Vigie.';
comment on column published.offres.motif is 'Pourquoi cette offre convient. Source : Vigie.';
comment on column published.offres.priorite is 'Ordre de priorité parmi les offres visibles (1 = premier contact). Unité : rang. Source : Vigie.';

create or replace view published.territoires with (security_invoker = true) as
select
    t.month as mois,
    t.territoire as territoire,
    t.type as type,
    t.libelle as libelle,
    t.nb_suivies as nb_suivies,
    t.nb_f1 as nb_f1,
    t.nb_f2 as nb_f2,
    t.nb_nouvelles as nb_nouvelles,
    t.nb_premieres as nb_premieres,
    t.nb_aggravations as nb_aggravations,
    t.nb_retours as nb_retours,
    t.nb_sorties as nb_sorties,
    t.capacite as capacite,
    t.nb_autres_entrees as nb_autres_entrees
from publication.territoire as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.territoires is 'Une ligne par mois publié et par territoire : effectifs de la liste et mouvements.';
comment on column published.territoires.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.territoires.territoire is 'Code de la région ou du département. Source : Insee.';
comment on column published.territoires.type is '« region » ou « departement ». Source : Vigie.';
comment on column published.territoires.libelle is 'Nom du territoire. Source : Insee.';
comment on column published.territoires.nb_suivies is 'Nombre d’entreprises suivies (dans le périmètre, actives, hors procédure). Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_f1 is 'Nombre d’alertes élevées. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_f2 is 'Nombre d’alertes modérées. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_nouvelles is 'Nombre de nouvelles détections. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_premieres is 'Nombre de nouvelles détections qui sont des premières alertes. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_aggravations is 'Nombre d’aggravations. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_retours is 'Nombre de retours. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.nb_sorties is 'Nombre d’entreprises en alerte dans la liste précédente et plus dans celle-ci. Unité : entreprises. Source : Vigie.';
comment on column published.territoires.capacite is 'Nombre d’entreprises que le territoire peut contacter en un mois. Unité : entreprises par mois. Source : Vigie.';
comment on column published.territoires.nb_autres_entrees is 'Nombre d’entreprises en alerte pour la première fois sans être de nouvelles détections (périmètre, modèle, première liste) ; vide dans les listes qui ne les comptaient pas encore. Unité : entreprises. Source : Vigie.';

create or replace view published.fraicheur_sources with (security_invoker = true) as
select
    t.month as mois,
    t.source as source,
    t.producteur as producteur,
    t.libelle as libelle,
    t.derniere_livraison as derniere_livraison,
    t.derniere_periode as derniere_periode,
    t.lignes as lignes,
    t.rejets as rejets,
    t.age_jours as age_jours,
    t.en_retard as en_retard,
    t.est_ecartee as est_ecartee
from publication.fraicheur as t
inner join publication.month as m on m.publication_id = t.publication_id
where m.status = 'published';

comment on view published.fraicheur_sources is 'Une ligne par mois publié et par source : ce que l’on savait, et de quand.';
comment on column published.fraicheur_sources.mois is 'Mois d’observation (premier jour du mois). Source : Vigie.';
comment on column published.fraicheur_sources.source is 'Nom technique de la source. Source : Vigie.';
comment on column published.fraicheur_sources.producteur is 'Administration ou organisme producteur. Source : Vigie.';
comment on column published.fraicheur_sources.libelle is 'Nom de la source. Source : Vigie.';
comment on column published.fraicheur_sources.derniere_livraison is 'Date de la dernière livraison reçue. Source : Vigie.';
comment on column published.fraicheur_sources.derniere_periode is 'Date la plus récente décrite par la source. Source : Vigie.';
comment on column published.fraicheur_sources.lignes is 'Nombre de lignes de la dernière livraison. Unité : lignes. Source : Vigie.';
comment on column published.fraicheur_sources.rejets is 'Nombre de lignes refusées dans la dernière livraison. Unité : lignes. Source : Vigie.';
comment on column published.fraicheur_sources.age_jours is 'Âge de la dernière livraison à la fin du mois. Unité : jours. Source : Vigie.';
comment on column published.fraicheur_sources.en_retard is 'Vrai si la source est plus ancienne que ce qui est attendu. Source : Vigie.';
comment on column published.fraicheur_sources.est_ecartee is 'Vrai si le modèle du mois a été appris sans cette source, absente ou trop ancienne. Source : Vigie.';

-- As of a day (UTC): what readers saw on that day. A publication that was taken back since is not shown.
create or replace function published.publication_au(au date) returns bigint
language sql stable as $$
    select publication_id
    from publication.month
    where published_at < (au + 1)::timestamp at time zone 'UTC' and status in ('published', 'replaced') and month <= au
    order by month desc, publication_id desc
    limit 1
$$;
comment on function published.publication_au(date) is 'Numéro de la publication en vigueur à une date donnée : le dernier mois publié à cette date (UTC), sauf ce qui a été retiré depuis.';

create or replace function published.score_au(au date)
returns table (mois date, siren text, departement text, p12 double precision, p18 double precision, p24 double precision, alerte text)
language sql stable as $$
    select month, siren, departement, p12, p18, p24, alerte
    from publication.score
    where publication_id = (select published.publication_au(au))
$$;
comment on function published.score_au(date) is 'Probabilités en vigueur à une date donnée (dernier mois publié à cette date) ; colonnes de published.scores, sauf le modèle.';

create or replace function published.entreprises_au(au date) returns setof published.entreprises
language sql stable as $$
    select
        t.month,
        t.siren,
        t.siret_siege,
        t.denomination,
        t.departement,
        t.region,
        t.code_commune,
        t.libelle_commune,
        t.naf,
        t.naf_section,
        t.categorie_juridique,
        t.date_creation,
        t.tranche_effectif,
        t.effectif
    from publication.entreprise as t
    where t.publication_id = (select published.publication_au(au))
$$;
comment on function published.entreprises_au(date) is 'Entreprises suivies à une date donnée, telles qu’elles étaient alors connues ; colonnes de published.entreprises.';

create or replace function published.detections_au(au date) returns setof published.detections
language sql stable as $$
    select
        t.month,
        t.siren,
        t.siret_siege,
        t.denomination,
        t.departement,
        t.region,
        t.libelle_commune,
        t.naf,
        t.naf_section,
        t.categorie_juridique,
        t.tranche_effectif,
        t.effectif,
        t.alerte,
        t.p12,
        t.p18,
        t.p24,
        t.alerte_precedente,
        t.est_premiere_alerte,
        t.est_aggravation,
        t.est_retour,
        t.est_nouvelle_detection,
        t.motif_nouveaute,
        t.premiere_alerte_le,
        t.nb_alertes_4_listes,
        t.rang_region,
        t.rang_departement,
        t.retenue_region,
        t.retenue_departement
    from publication.detection as t
    where t.publication_id = (select published.publication_au(au))
$$;
comment on function published.detections_au(date) is 'Liste de détection en vigueur à une date donnée ; colonnes de published.detections.';

grant select on all tables in schema published to vigie_lecteur, vigie_agent, vigie_publication;
grant execute on all functions in schema published to vigie_lecteur, vigie_agent;
