-- Which deliveries passed the gate of their contract: what `vigie ingest` loaded is checked by the next run.
create table if not exists ingest.gate (
    delivery_id bigint primary key references ingest.delivery on delete cascade,
    passed boolean not null,
    summary text not null,
    checked_at timestamptz not null default now()
);
alter table ingest.gate owner to vigie_ingestion;
