-- Who is told that a list is published, corrected or taken back, and what they were told. What must still be told is the
-- difference of the two, so that nothing is forgotten, and nothing told twice, whenever a run or a sender is killed.

-- A mailbox, a territory whose report it follows, and the first month that it is told of.
create table if not exists publication.abonnement (
    adresse text not null check (adresse ~ '^[a-z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-z0-9-]+([.][a-z0-9-]+)*$'),
    type text not null check (type in ('region', 'departement')),
    territoire text not null,
    depuis date not null check (extract(day from depuis) = 1),
    primary key (adresse, type, territoire)
);

-- What a message said of the list of a month, in a territory: its new detections, or null: the list was taken back. Never changed.
create table if not exists publication.avis (
    avis_id bigint generated always as identity primary key,
    message_id text not null,
    adresse text not null,
    type text not null,
    territoire text not null,
    month date not null,
    sirens text[],
    envoye_le timestamptz not null default now()
);
create index if not exists avis_last on publication.avis (adresse, type, territoire, month, avis_id desc);

create or replace view publication.alert_outbox with (security_invoker = true) as
with seen as (
    select
        abonnement.adresse,
        abonnement.type,
        abonnement.territoire,
        m.month,
        m.published_at,
        coalesce(array_agg(detection.siren order by detection.siren) filter (where detection.siren is not null), '{}') as sirens
    from publication.abonnement as abonnement
    inner join publication.month as m on m.status = 'published' and m.month >= abonnement.depuis
    left join publication.detection as detection
        on
            m.publication_id = detection.publication_id
            and detection.est_nouvelle_detection
            and abonnement.territoire = case abonnement.type when 'region' then detection.region else detection.departement end
    group by abonnement.adresse, abonnement.type, abonnement.territoire, m.month, m.published_at
),

told as (
    select distinct on (adresse, type, territoire, month)
        adresse,
        type,
        territoire,
        month,
        sirens,
        avis_id
    from publication.avis
    inner join publication.abonnement using (adresse, type, territoire)
    where month >= depuis
    order by adresse, type, territoire, month, avis_id desc
)

select
    adresse,
    type,
    territoire,
    month,
    case
        when seen.sirens is null then 'retrait'
        when told.sirens is null then 'liste'
        else 'correction'
    end as nature,
    seen.sirens,
    told.sirens as sirens_dits,
    told.avis_id as dernier_avis_id,
    seen.published_at as publie_le
from seen
full join told using (adresse, type, territoire, month)
where seen.sirens is distinct from told.sirens;

grant select, insert, update, delete on publication.abonnement to vigie_publication;
grant select, insert on publication.avis to vigie_publication;
grant select on publication.alert_outbox to vigie_publication;
