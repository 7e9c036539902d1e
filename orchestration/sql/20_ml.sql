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

-- `famille`: how the hazard is fitted (models_ml.families). `sources_ecartees`: sources whose variables it was learned without.
-- `profil`: distribution of its variables and scores over the last twelve months that it learned from.
alter table ml.model
    add column if not exists famille text not null default 'additive',
    add column if not exists sources_ecartees text[] not null default '{}',
    add column if not exists profil jsonb not null default '{}',
    add column if not exists data_sha256 text,
    add column if not exists dernier_mois date,
    add column if not exists code_version text;

create table if not exists ml.run_month (
    month date primary key check (extract(day from month) = 1),
    model_id text not null references ml.model
);

-- The challenger scores the month too, and is never published. `liste_comparee`: the list that what is new is told by, the last one in
-- which every variable of the model spoke.
alter table ml.run_month
    add column if not exists challenger_id text references ml.model,
    add column if not exists sources_ecartees text[] not null default '{}',
    add column if not exists liste_comparee date;

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

-- What each run saw of the model in operation. `month` is the month scored; `mesure_en`, the last month of the run that measured it
-- (a failure is counted against its month once its window is closed, a year or two later).
create table if not exists ml.monitoring (
    month date not null,
    mesure text not null check (
        mesure in ('psi_variable', 'psi_score', 'observe_sur_attendu', 'part_alertes', 'renouvellement')
    ),
    objet text not null,
    model_id text not null references ml.model,
    effectif bigint not null,
    valeur double precision,
    bas double precision,
    haut double precision,
    mesure_en date not null,
    primary key (month, mesure, objet)
);

-- Months scored as they would have been, by one or several families, with what came true.
create table if not exists ml.backtest (
    backtest_id bigint generated always as identity primary key,
    premier_mois date not null,
    dernier_mois date not null,
    familles text[] not null,
    feature_hash text not null,
    code_version text not null,
    resultat jsonb not null,
    recorded_at timestamptz not null default now()
);

-- Which family scores what is published: the last row. A row is never changed.
create table if not exists ml.promotion (
    promotion_id bigint generated always as identity primary key,
    famille text not null,
    remplace text,
    decide_par text not null,
    motif text not null,
    preuve jsonb not null,
    backtest_id bigint references ml.backtest,
    decide_le timestamptz not null default now()
);
insert into ml.promotion (famille, decide_par, motif, preuve)
select 'additive', 'vigie', 'famille d’origine', '{}' where not exists (select from ml.promotion);

grant usage on all sequences in schema ml to vigie_scoring;
grant select, insert, update, delete on all tables in schema ml to vigie_scoring;
grant select on all tables in schema ml to vigie_transformation, vigie_publication;
