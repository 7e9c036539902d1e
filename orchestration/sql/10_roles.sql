-- One role for each kind of work, without login: the session that works takes the role (`set role`).
-- Roles belong to the whole server, so they are made only when they are missing.
do $$
declare
    wanted text;
begin
    foreach wanted in array array[
        'vigie_ingestion', 'vigie_transformation', 'vigie_scoring', 'vigie_publication', 'vigie_lecteur',
        'vigie_agent', 'vigie_compat_lecteur'
    ] loop
        if not exists (select 1 from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
        if not pg_has_role(current_user, wanted, 'member') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
end
$$;

revoke all on schema public from public;

create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists marts;
create schema if not exists reference;
create schema if not exists ml;
create schema if not exists publication;
create schema if not exists published;
create schema if not exists compat_sfor;
create schema if not exists dagster;

-- ingestion: writes raw and its ledger.
-- It owns the tables, because a first load drops and rebuilds an index.
grant usage, create on schema raw, ingest to vigie_ingestion;
do $$
declare
    owned record;
begin
    for owned in
        select schemaname, tablename from pg_tables
        where schemaname in ('raw', 'ingest') and tableowner <> 'vigie_ingestion'
    loop
        execute format('alter table %I.%I owner to vigie_ingestion', owned.schemaname, owned.tablename);
    end loop;
end
$$;
-- PostgreSQL lets anybody fill the disk with temporary tables: readers need none.
revoke temporary on database :database from public;
grant temporary on database :database to vigie_ingestion, vigie_transformation;

-- transformation (dbt): reads raw, owns what it builds.
grant usage on schema raw, ingest, ml to vigie_transformation;
grant select on all tables in schema raw, ingest to vigie_transformation;
grant usage, create on schema staging, intermediate, marts, reference, publication, compat_sfor to vigie_transformation;

-- scoring: reads marts, writes ml.
grant usage on schema marts, ml, reference to vigie_scoring;
grant select on all tables in schema marts, reference to vigie_scoring;

-- publication: reads the candidate, writes what is published.
grant usage on schema publication, published, ml, ingest, reference to vigie_publication;

-- readers: published views only. `vigie_lecteur` has the habilitation of the whole country; `vigie_agent` has none: its members
-- see what is written for them in publication.habilitation.
grant usage on schema published, publication to vigie_lecteur, vigie_agent;
do $$
declare
    building text;
begin
    foreach building in array array['vigie_transformation'] loop
        execute format('alter default privileges for role %I in schema marts grant select on tables to vigie_scoring', building);
        execute format('alter default privileges for role %I in schema publication grant select on tables to vigie_publication', building);
        execute format('alter default privileges for role %I in schema reference grant select on tables to vigie_publication, vigie_scoring', building);
    end loop;
end
$$;

-- The existing front end: the views of compat_sfor and nothing behind them (they read with the rights of their owner).
-- Sole traders are named there, and it does its own checks of habilitation: no other reader is given this role.
grant usage on schema compat_sfor to vigie_compat_lecteur;
alter default privileges for role vigie_transformation in schema compat_sfor grant select on tables to vigie_compat_lecteur;
alter role vigie_compat_lecteur set default_transaction_read_only = on;
