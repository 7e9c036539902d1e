-- What changed in a month of the mart that was computed again: one row for each cell, nothing when nothing changed.
create table if not exists marts.recalcul (
    run_id text not null,
    month date not null,
    siren text not null,
    colonne text not null,
    avant text,
    apres text,
    primary key (run_id, month, siren, colonne)
);
alter table marts.recalcul owner to vigie_transformation;
grant select on marts.recalcul to vigie_scoring;
comment on table marts.recalcul is
    'Une ligne par cellule de mart_company_month changée par un recalcul. Colonne « ligne » : entreprise ajoutée ou retirée.';
comment on column marts.recalcul.run_id is 'Exécution Dagster qui a recalculé le mois.';
comment on column marts.recalcul.month is 'Mois recalculé (premier jour).';
comment on column marts.recalcul.siren is 'SIREN de l’entreprise.';
comment on column marts.recalcul.colonne is 'Colonne de mart_company_month qui a changé.';
comment on column marts.recalcul.avant is 'Valeur avant le recalcul, en texte ; vide si elle était inconnue.';
comment on column marts.recalcul.apres is 'Valeur après le recalcul, en texte ; vide si elle est inconnue.';
