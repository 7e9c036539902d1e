-- What is published, month by month. A row never changes: a month is published again under a new publication_id,
-- and `status` says which publication readers see. Readers come in through row security.

create table if not exists publication.month (
    publication_id bigint generated always as identity primary key,
    month date not null check (extract(day from month) = 1),
    status text not null check (status in ('published', 'replaced', 'withdrawn')),
    model_id text not null,
    seuil_f1 double precision not null,
    seuil_f2 double precision not null,
    simulation boolean not null,
    content_sha256 text not null,
    run_id text,
    published_at timestamptz not null default now()
);
create unique index if not exists month_seen on publication.month (month) where status = 'published';

create table if not exists publication.detection (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    denomination text,
    siret_siege text,
    departement text,
    region text,
    libelle_commune text,
    naf text,
    naf_section text,
    categorie_juridique text,
    tranche_effectif text,
    effectif double precision,
    alerte text not null check (alerte in ('Alerte seuil F1', 'Alerte seuil F2')),
    p12 double precision not null,
    p18 double precision not null,
    p24 double precision not null,
    alerte_precedente text,
    est_premiere_alerte boolean not null,
    est_aggravation boolean not null,
    est_retour boolean not null,
    est_nouvelle_detection boolean not null,
    motif_nouveaute text not null,
    premiere_alerte_le date not null,
    nb_alertes_4_listes int not null,
    rang_region int,
    rang_departement int,
    retenue_region boolean not null,
    retenue_departement boolean not null,
    primary key (publication_id, siren)
);

-- Who the followed companies were, as known at the end of the month.
create table if not exists publication.entreprise (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    denomination text,
    siret_siege text,
    departement text,
    region text,
    code_commune text,
    libelle_commune text,
    naf text,
    naf_section text,
    categorie_juridique text,
    date_creation date,
    tranche_effectif text,
    effectif double precision,
    primary key (publication_id, siren)
);

-- Amounts that only agents of level A may see (URSSAF and DGEFP data), apart from the detection itself.
create table if not exists publication.montant (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    dette_eur numeric,
    dette_part_ouvriere_eur numeric,
    dette_part_patronale_eur numeric,
    a_delai boolean,
    ap_etp_consomme_12m double precision,
    primary key (publication_id, siren)
);

create table if not exists publication.score (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    p12 double precision not null,
    p18 double precision not null,
    p24 double precision not null,
    alerte text,
    model_id text not null,
    primary key (publication_id, siren)
);

create table if not exists publication.raison (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    rang int not null,
    theme text not null,
    variable text not null,
    valeur double precision,
    contribution double precision not null,
    sens text not null,
    phrase text not null,
    primary key (publication_id, siren, rang)
);

-- Rules lit on a company in alert, read beside the model, with what each was worth so far.
create table if not exists publication.clignotant (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    ordre int not null,
    clignotant text not null,
    theme text not null,
    phrase text not null,
    origine text not null,
    precision_18m double precision,
    taux_de_base_18m double precision,
    primary key (publication_id, siren, clignotant)
);

create table if not exists publication.serie (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    periode date not null,
    effectif double precision,
    dette_part_ouvriere_eur numeric,
    dette_part_patronale_eur numeric,
    ap_etp_consomme double precision,
    primary key (publication_id, siren, periode)
);

create table if not exists publication.offre (
    publication_id bigint not null references publication.month,
    month date not null,
    siren text not null,
    departement text,
    administration text not null,
    offre text not null,
    motif text not null,
    priorite int not null,
    primary key (publication_id, siren, administration, offre)
);

-- What was published before this column is shown to level A only.
alter table publication.offre add column if not exists niveau text not null default 'A' check (niveau in ('A', 'B'));

create table if not exists publication.territoire (
    publication_id bigint not null references publication.month,
    month date not null,
    territoire text not null,
    type text not null,
    libelle text not null,
    nb_suivies bigint not null,
    nb_f1 bigint not null,
    nb_f2 bigint not null,
    nb_nouvelles bigint not null,
    nb_premieres bigint not null,
    nb_aggravations bigint not null,
    nb_retours bigint not null,
    nb_sorties bigint not null,
    capacite int not null,
    primary key (publication_id, type, territoire)
);
-- Not counted in the lists published before it existed.
alter table publication.territoire add column if not exists nb_autres_entrees bigint;

create table if not exists publication.fraicheur (
    publication_id bigint not null references publication.month,
    month date not null,
    source text not null,
    producteur text not null,
    libelle text not null,
    derniere_livraison date,
    derniere_periode date,
    lignes bigint,
    rejets bigint,
    age_jours int,
    en_retard boolean not null,
    primary key (publication_id, source)
);

alter table publication.fraicheur add column if not exists est_ecartee boolean not null default false;

-- Who may see what: a database role, a département ('*' = the whole country), and a level
-- (A: everything; B: nothing that tells of URSSAF, DGEFP or Banque de France data). A member of the role has its habilitations.
create table if not exists publication.habilitation (
    role_name text not null,
    departement text not null,
    niveau text not null check (niveau in ('A', 'B')),
    primary key (role_name, departement)
);
insert into publication.habilitation values ('vigie_lecteur', '*', 'A') on conflict do nothing;

-- Security definer: readers need not see the habilitations of others. The role comes as an argument because
-- current_user inside the function is its owner.
create or replace function publication.voit(reader name, zone text, wanted_niveau text) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select exists (
        select 1
        from publication.habilitation as habilitation
        inner join pg_catalog.pg_roles as role on role.rolname = habilitation.role_name
        where pg_has_role(reader, role.oid, 'usage')
            and (habilitation.departement = '*' or habilitation.departement = zone)
            and (habilitation.niveau = 'A' or wanted_niveau = 'B')
    )
$$;

do $$
declare
    protected record;
begin
    for protected in
        select * from (values
            ('detection', 'publication.voit(current_user, departement, ''B'')'),
            ('score', 'publication.voit(current_user, departement, ''B'')'),
            ('entreprise', 'publication.voit(current_user, departement, ''B'')'),
            ('offre', 'publication.voit(current_user, departement, niveau)'),
            ('raison', 'publication.voit(current_user, departement, case when theme in (''Dettes sociales'', ''Activité partielle'') or starts_with(variable, ''bdf_'') then ''A'' else ''B'' end)'),
            ('clignotant', 'publication.voit(current_user, departement, case when theme = ''Dettes sociales'' then ''A'' else ''B'' end)'),
            ('montant', 'publication.voit(current_user, departement, ''A'')'),
            ('serie', 'publication.voit(current_user, departement, ''A'')')
        ) as wanted (name, condition)
    loop
        execute format('alter table publication.%I enable row level security', protected.name);
        execute format('alter table publication.%I force row level security', protected.name);
        execute format('drop policy if exists lecture on publication.%I', protected.name);
        execute format('create policy lecture on publication.%I for select using (%s)', protected.name, protected.condition);
        execute format('drop policy if exists ecriture on publication.%I', protected.name);
        execute format('create policy ecriture on publication.%I to vigie_publication, vigie_transformation using (true) with check (true)', protected.name);
    end loop;
end
$$;

grant select, insert, update, delete on
    publication.month, publication.detection, publication.entreprise, publication.montant, publication.score,
    publication.raison, publication.clignotant, publication.serie, publication.offre, publication.territoire,
    publication.fraicheur
to vigie_publication;
grant usage on all sequences in schema publication to vigie_publication;
grant select on
    publication.month, publication.detection, publication.entreprise, publication.montant, publication.raison
to vigie_transformation;
grant select on
    publication.month, publication.detection, publication.entreprise, publication.montant, publication.score,
    publication.raison, publication.clignotant, publication.serie, publication.offre, publication.territoire,
    publication.fraicheur
to vigie_lecteur, vigie_agent;
alter role vigie_lecteur set default_transaction_read_only = on;
alter role vigie_lecteur set statement_timeout = '60s';
