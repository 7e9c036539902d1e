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
