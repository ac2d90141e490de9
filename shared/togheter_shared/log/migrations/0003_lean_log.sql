-- An event's id is random and given by us alone: what keeps it unique costs every append an index
-- entry at a random place. Receivers keep (origin, channel, epoch, number) unique, not ids.

alter table event_log drop constraint event_log_event_id_key;
