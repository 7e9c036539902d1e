"""Raw tables of a region, written by SQL on the server: what the marts read, without files, connectors and simulation.

Amounts and dates come from hashes of the identifiers, so the same size gives the same rows. Rows are known with the lags of the
contracts, and lie in the order of their periods, as months of deliveries leave them; there are no corrections, so that the Polars
baseline reads the same truth in a simpler way.
"""

from __future__ import annotations

from datetime import date

import psycopg

#: Each company: one account; a debt in one month out of eight, lowered a month later, paid in three (a year later for one company
#: out of twelve). Some: a second establishment (sometimes the new seat), all closed, half of their employees gone for a while, no
#: accounts for years, accounts of a group every other year, a shorter year, no supplier delays for months, a group; now and then a
#: délai, a commission, partial activity, a procedure.
_TABLES = """
create temp table company as
select n, lpad(n::text, 9, '0') as siren, lpad(n::text, 9, '0') || '00001' as siret, 'K' || n as compte, 10 + n * 7 % 90 as size
from generate_series(1, {companies}) as n;
create temp table period as
select m, (date '{first}' + m * interval '1 month')::date as month, (date '{first}' + (m + 1) * interval '1 month')::date as after
from generate_series(-14, {months} - 1) as m;
create temp table commune as
select * from (values (0, '21', '21231', 'DIJON'), (1, '25', '25056', 'BESANCON'), (2, '39', '39300', 'LONS-LE-SAUNIER'),
    (3, '58', '58194', 'NEVERS'), (4, '70', '70550', 'VESOUL'), (5, '71', '71270', 'MACON'), (6, '89', '89387', 'SENS'),
    (7, '90', '90010', 'BELFORT'), (8, '67', '67482', 'STRASBOURG'), (9, '69', '69386', 'LYON 6E')
) as commune (rank, departement, code, libelle);
create temp table establishment as
select n, siren, '00001' as nic, siret, true as is_seat, n % 10 as place, date '1985-01-01' + abs(hashint4(n)) % 7000 as opened,
    case when n % 60 = 1 then after + 14 end as closed, case when n % 120 = 1 then after + 220 end as reopened
from company inner join period on m = abs(hashint4(n)) % ({months} - 8)
union all
select n, siren, '00002', siren || '00002', n % 9 = 0, (n + 3) % 10, month + 8,
    case when n % 6 = 0 then month + 300 end, null
from company inner join period on m = abs(hashint4(n * 13)) % {months} where n % 3 = 0;

insert into raw.insee__unite_legale (siren, denomination, categorie_juridique, activite_principale, nomenclature_activite,
    date_creation, etat_administratif, _delivery_id, _line, _known_from)
select siren, 'SOCIETE ' || n, (array['5499', '5710', '5202', '1000'])[1 + n % 4],
    case when n % 50 > 0 then (array['25.11Z', '43.21A', '56.10A', '49.41A', '62.01Z'])[1 + n % 5] end, 'NAFRev2',
    date '1985-01-01' + abs(hashint4(n)) % 7000, 'A', 1, n, '2005-02-01' from company;
insert into raw.insee__etablissement (siren, nic, siret, est_siege, etat_administratif, date_creation, departement, code_commune,
    libelle_commune, activite_principale, nomenclature_activite, _delivery_id, _line, _known_from)
select siren, nic, siret, is_seat, 'A', opened, departement, code, libelle, (array['25.62B', '43.99C'])[1 + n % 3 % 2], 'NAFRev2', 1, n,
    opened + 30 from establishment inner join commune on place = rank order by opened;
insert into raw.insee__etablissement_historique (siret, date_debut, etat_administratif, changement_etat, _delivery_id, _line, _known_from)
select siret, began, state, true, 1, n, began + 30
from establishment, lateral (values (opened, 'A'), (closed, 'F'), (reopened, 'A')) as change (began, state)
where began is not null order by began;
insert into raw.urssaf__compte (compte, siren, siret, date_creation, _delivery_id, _line, _known_from)
select compte, siren, siret, '2005-01-01', 1, n, '2005-02-01' from company;
insert into raw.urssaf__effectif_ent (siren, periode, effectif, _delivery_id, _line, _known_from)
select siren, month, size / case when n % 10 = 3 and (m + 260) % 48 > 30 then 2 else 1 end + abs(hashint4(n * 1000 + m)) % 5,
    1, n, month + 120 from company, period where abs(hashint4(n * 55 + m)) % 40 > 0 order by m;
insert into raw.urssaf__cotisation (siret, compte, periode_debut, periode_fin, mise_en_recouvrement, cotisation_due_eur,
    _delivery_id, _line, _known_from)
select siret, compte, month, after, '0', size * 900 + abs(hashint4(n * 1000 + m)) % 1000, 1, n, after + 11 from company, period
where abs(hashint4(n * 41 + m)) % 40 > 0 order by m;
insert into raw.urssaf__debit (siret, siren, compte, periode_debut, periode_fin, numero_ecart_negatif, numero_historique,
    date_traitement, part_ouvriere_eur, part_patronale_eur, _delivery_id, _line, _known_from)
select siret, siren, compte, month, after, '101', event.rank, treated,
    (size * 100 + abs(hashint4(n + m)) % 500) * event.share, (size * 300 + abs(hashint4(n * m)) % 900) * event.share,
    1, n, treated + 11
from company, period, (values (1, 15, 1.0), (2, 45, 0.5), (3, 75, 0)) as event (rank, days, share),
    lateral (values (after + days + case when n % 12 = 5 and rank > 1 then 365 else 0 end)) as treatment (treated)
where abs(hashint4(n * 999 + m)) % 8 = 0 order by m, event.rank;
insert into raw.urssaf__delai (siret, compte, numero_structure, date_creation, date_echeance, montant_echeancier_eur, stade, action,
    _delivery_id, _line, _known_from)
select siret, compte, m::text, month + 9, month + 160 + abs(hashint4(n + m)) % 400, size * 500 + abs(hashint4(n * m)) % 3000,
    (array['APPROB', 'APPROB', 'PR', 'REFUS'])[1 + (n + m + 240) % 4], 'SUR PO', 1, n, month + 20 from company, period
where abs(hashint4(n * 17 + m)) % 40 = 0 order by m;
insert into raw.urssaf__ccsf (siret, compte, date_traitement, stade, action, _delivery_id, _line, _known_from)
select siret, compte, month + days, stage, 'CCSF', 1, n, month + days + 11
from company, period, (values ('DEBUT', 4), ('REFUS', 104), ('APPROB', 134), ('FIN', 404)) as dossier (stage, days)
where abs(hashint4(n * 19 + m)) % 200 = 0 and (stage = 'DEBUT' or (stage = 'REFUS') = (n % 3 = 0)) order by m, days;
insert into raw.altares__paydex (siren, date_valeur, nb_jours, _delivery_id, _line, _known_from)
select siren, month, abs(hashint4(n * 500 + m)) % 60, 1, n, month + 30 from company, period
where n % 4 <> 0 and not (n % 9 = 1 and (m + 240) % 48 > 30) order by m;
insert into raw.inpi__ratio (siren, date_cloture_exercice, type_bilan, chiffre_affaires_eur, resultat_net_eur, marge_ebe,
    autonomie_financiere, taux_d_endettement, ratio_de_liquidite, caf_sur_ca, couverture_des_interets, credit_fournisseurs_jours,
    poids_bfr_exploitation_sur_ca, _delivery_id, _line, _known_from)
select siren, after - 1 - case when n % 20 = 7 and (m + 240) % 24 < 12 then 61 else 0 end, kind,
    size * (150000 + abs(hashint4(n * 7 + m)) % 30000), size * (abs(hashint4(n + m)) % 9000 - 2000),
    abs(hashint4(n * m)) % 30 - 10 + extra, noise % 70, noise % 300 / 10.0, noise % 290, noise % 25 - extra,
    case when noise % 9 > 0 then noise % 80 end, noise % 91 + extra, noise % 61 - 20, 1, n, after + 209
from company, period, (values ('S', 1), ('C', 0), ('K', 2)) as accounts (kind, extra),
    lateral (values (abs(hashint4(n * 11 + m)))) as drawn (noise)
where (m + 240) % 12 = n % 12 and not (n % 15 = 2 and (m + 240) % 48 > 11) and case kind
    when 'S' then n % 25 = 0 when 'K' then n % 20 = 3 else n % 20 <> 3 or (m + 240) % 24 < 12
end order by m;
insert into raw.banque_de_france__ratio (siren, annee, arrete_bilan, poids_frng, poids_dettes_fiscales_sociales,
    _delivery_id, _line, _known_from)
select siren, date_part('year', month), after - 1, abs(hashint4(n * 3 + m)) % 400 / 10.0, abs(hashint4(n * 5 + m)) % 50, 1, n,
    after + 239 from company, period where (m + 240) % 12 = n % 12 and n % 5 > 0 and not (n % 15 = 2 and (m + 240) % 48 > 11) order by m;
insert into raw.dgefp__demande_ap (id_demande, siret, date_statut, periode_debut, periode_fin, heures_autorisees,
    _delivery_id, _line, _known_from)
select 'A' || m || '-' || n, siret, month + 3, month + 10, month + 40 + abs(hashint4(n + m)) % 120, 200 + abs(hashint4(n * m)) % 3000,
    1, n, month + 18 from company, period where abs(hashint4(n * 23 + m)) % 60 = 0 order by m;
insert into raw.dgefp__consommation_ap (id_demande, siret, periode, heures, _delivery_id, _line, _known_from)
select 'D' || m, siret, month, 50 + abs(hashint4(n + m)) % 900, 1, n, month + 60 from company, period
where abs(hashint4(n * 77 + m)) % 30 = 0 order by m;
insert into raw.ellisphere__groupe (code_groupe, siren_groupe, niveau_detention, part_financiere, code_filiale, siren_filiale,
    _delivery_id, _line, _known_from)
select 'G' || held, case when held % 2 = 0 then lpad((held * 10)::text, 9, '0') end, 1 + n % 2, share, siren, siren, 1, n, month + 14
from company, lateral (values (n / 10, 40 + n % 60, 6 + n % 10 / 3 * 12), (n / 10 + 1, 99, 30)) as link (held, share, since)
inner join period on m = since where n % 10 between 1 and 5 and (since < 30 or n % 20 = 1) order by since;
create temp table judgment as
select n, siren, siret, n || '-' || m || '-' || step.days as numero, day, step.nature, step.action, step.stage
from company, period, (values
    (0, 0, 'Jugement d''ouverture d''une procédure de redressement judiciaire', null, null),
    (0, 300, 'Jugement arrêtant le plan de redressement', null, null),
    (1, 0, 'Jugement d''ouverture d''une procédure de redressement judiciaire', null, null),
    (1, 120, 'Jugement prononçant la conversion en liquidation judiciaire', null, null),
    (1, 300, 'Jugement de clôture pour extinction du passif', null, null),
    (2, -3500, 'Jugement arrêtant le plan de redressement', null, null),
    (2, 0, 'Jugement d''ouverture d''une procédure de sauvegarde', null, null),
    (2, 180, 'Jugement mettant fin à la procédure de sauvegarde', null, null),
    (3, -3500, 'Jugement arrêtant le plan de sauvegarde', null, null),
    (3, 0, 'Jugement d''ouverture d''une procédure de sauvegarde', null, null),
    (3, 240, 'Jugement arrêtant le plan de sauvegarde', null, null),
    (4, 0, 'Jugement d''ouverture d''une procédure de redressement judiciaire', 'redressement', 'ouverture'),
    (4, 400, null, 'redressement', 'fin_procedure'),
    (5, 0, 'Jugement d''ouverture d''une procédure de sauvegarde', null, null),
    (5, 90, 'Jugement prononçant la conversion en redressement judiciaire', null, null),
    (5, 270, 'Jugement mettant fin à la procédure de redressement judiciaire', null, null)
) as step (course, days, nature, action, stage), lateral (values (month + 9 + days)) as court (day)
where abs(hashint4(n * 31 + m)) % 400 = 0 and course = (n + m + 240) % 6;
insert into raw.bodacc__annonce (siren, numero_annonce, date_parution, type_annonce, jugement_type, jugement_famille, jugement_nature,
    jugement_date, _delivery_id, _line, _known_from)
select siren, numero, day + 11, 'Avis initial', 'initial', 'Jugement', nature, day, 1, n, day + 11 from judgment
where nature is not null order by day;
insert into raw.urssaf__procol (siret, siren, date_effet, libelle, action_procol, stade_procol, _delivery_id, _line, _known_from)
select siret, siren, day, action || '_' || stage, action, stage, 1, n, day + 30 from judgment
where action is not null order by day;
"""


def fill(url: str, companies: int, months: int, first: date) -> None:
    """Write `months` months from `first` (and the fourteen before) of `companies` companies into empty raw tables."""
    with psycopg.connect(url) as connection:
        connection.execute(_TABLES.format(companies=companies, months=months, first=first).encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
