"""Raw tables of a region, written by SQL on the server: what the marts read, without files, connectors and simulation.

Amounts and dates come from hashes of the identifiers, so the same size gives the same rows. Rows are known with the lags of the
contracts, and lie in the order of their periods, as months of deliveries leave them; there are no corrections, so that the Polars
baseline reads the same truth in a simpler way.
"""

from __future__ import annotations

from datetime import date

import psycopg

#: Each company: one account, one establishment; a debt in one month out of eight, lowered a month later, paid in three.
_TABLES = """
create temp table company as
select n, lpad(n::text, 9, '0') as siren, lpad(n::text, 9, '0') || '00001' as siret, 'K' || n as compte, 10 + n * 7 % 90 as size
from generate_series(1, {companies}) as n;
create temp table period as
select m, (date '{first}' + m * interval '1 month')::date as month, (date '{first}' + (m + 1) * interval '1 month')::date as after
from generate_series(-14, {months} - 1) as m;

insert into raw.insee__unite_legale (siren, denomination, categorie_juridique, activite_principale, nomenclature_activite,
    date_creation, etat_administratif, _delivery_id, _line, _known_from)
select siren, 'SOCIETE ' || n, '5499', (array['25.11Z', '43.21A', '56.10A', '49.41A', '62.01Z'])[1 + n % 5], 'NAFRev2',
    '2005-01-01', 'A', 1, n, '2005-02-01' from company;
insert into raw.insee__etablissement (siren, nic, siret, est_siege, etat_administratif, date_creation, departement, code_commune,
    activite_principale, nomenclature_activite, _delivery_id, _line, _known_from)
select siren, '00001', siret, true, 'A', '2005-01-01', (array['21', '25', '39', '58', '70', '71', '89', '90'])[1 + n % 8], '21231',
    '25.11Z', 'NAFRev2', 1, n, '2005-02-01' from company;
insert into raw.insee__etablissement_historique (siret, date_debut, etat_administratif, changement_etat, _delivery_id, _line, _known_from)
select siret, '2005-01-01', 'A', true, 1, n, '2005-02-01' from company;
insert into raw.urssaf__compte (compte, siren, siret, date_creation, _delivery_id, _line, _known_from)
select compte, siren, siret, '2005-01-01', 1, n, '2005-02-01' from company;
insert into raw.urssaf__effectif_ent (siren, periode, effectif, _delivery_id, _line, _known_from)
select siren, month, size + abs(hashint4(n * 1000 + m)) % 5, 1, n, month + 40 from company, period order by m;
insert into raw.urssaf__cotisation (siret, compte, periode_debut, periode_fin, mise_en_recouvrement, cotisation_due_eur,
    _delivery_id, _line, _known_from)
select siret, compte, month, after, '0', size * 900 + abs(hashint4(n * 1000 + m)) % 1000, 1, n, after + 11 from company, period order by m;
insert into raw.urssaf__debit (siret, siren, compte, periode_debut, periode_fin, numero_ecart_negatif, numero_historique,
    date_traitement, part_ouvriere_eur, part_patronale_eur, _delivery_id, _line, _known_from)
select siret, siren, compte, month, after, '101', event.rank, after + event.days,
    (size * 100 + abs(hashint4(n + m)) % 500) * event.share, (size * 300 + abs(hashint4(n * m)) % 900) * event.share,
    1, n, after + event.days + 11
from company, period, (values (1, 15, 1.0), (2, 45, 0.5), (3, 75, 0)) as event (rank, days, share)
where abs(hashint4(n * 999 + m)) % 8 = 0 order by m, event.rank;
insert into raw.altares__paydex (siren, date_valeur, nb_jours, _delivery_id, _line, _known_from)
select siren, month, abs(hashint4(n * 500 + m)) % 60, 1, n, month + 30 from company, period where n % 4 <> 0 order by m;
insert into raw.inpi__ratio (siren, date_cloture_exercice, type_bilan, chiffre_affaires_eur, resultat_net_eur, marge_ebe,
    _delivery_id, _line, _known_from)
select siren, after - 1, 'C', size * 150000, size * (abs(hashint4(n + m)) % 9000 - 2000), abs(hashint4(n * m)) % 30 - 10, 1, n,
    after + 209 from company, period where (m + 240) % 12 = n % 12 order by m;
insert into raw.dgefp__consommation_ap (id_demande, siret, periode, heures, _delivery_id, _line, _known_from)
select 'D' || m, siret, month, 50 + abs(hashint4(n + m)) % 900, 1, n, after + 30 from company, period
where abs(hashint4(n * 77 + m)) % 30 = 0 order by m;
insert into raw.bodacc__annonce (siren, numero_annonce, date_parution, type_annonce, jugement_type, jugement_famille, jugement_nature,
    jugement_date, _delivery_id, _line, _known_from)
select siren, n::text || '-' || m, month + 20, 'Avis initial', 'initial', 'Jugement d''ouverture',
    'Jugement d''ouverture d''une procédure de redressement judiciaire', month + 9, 1, n, month + 20 from company, period
where abs(hashint4(n * 31 + m)) % 900 = 0;
"""


def fill(url: str, companies: int, months: int, first: date) -> None:
    """Write `months` months from `first` (and the fourteen before) of `companies` companies into empty raw tables."""
    with psycopg.connect(url) as connection:
        connection.execute(_TABLES.format(companies=companies, months=months, first=first).encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
