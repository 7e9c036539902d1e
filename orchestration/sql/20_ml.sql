-- What the model asset writes. One row of ml.model for each trained model, never changed afterwards.
create table if not exists ml.model (
    model_id text primary key,
    as_of date not null,
    fitted_rows bigint not null,
    fitted_events bigint not null,
    seuil_f1 double precision not null,
    seuil_f2 double precision not null,
    metrics jsonb not null,
    feature_hash text not null,
    artefact text not null,
    artefact_sha256 text not null,
    run_id text,
    recorded_at timestamptz not null default now(),
    check (seuil_f1 > seuil_f2)
);

create table if not exists ml.run_month (
    month date primary key check (extract(day from month) = 1),
    model_id text not null references ml.model
);

create table if not exists ml.score (
    siren text not null,
    month date not null,
    model_id text not null references ml.model,
    p12 double precision not null,
    p18 double precision not null,
    p24 double precision not null,
    logit double precision not null,
    primary key (siren, month, model_id),
    check (p12 > 0 and p12 <= p18 and p18 <= p24 and p24 < 1)
);
create index if not exists score_month on ml.score (month, model_id);

create table if not exists ml.explanation (
    siren text not null,
    month date not null,
    model_id text not null references ml.model,
    rang int not null,
    theme text not null,
    variable text not null,
    valeur double precision,
    contribution double precision not null,
    sens text not null check (sens in ('aggravant', 'favorable')),
    phrase text not null,
    primary key (siren, month, model_id, rang)
);

grant select, insert, update, delete on all tables in schema ml to vigie_scoring;
grant select on all tables in schema ml to vigie_transformation, vigie_publication;
