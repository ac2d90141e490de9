-- The last head of each channel that its origin signed: the chain makes it cover all before it.
-- Whoever holds it can prove what the origin told, and that nothing is missing.

alter table feed drop column signature;     -- a head is signed when it is sent, with the key of then

alter table inbox_channel
    add column signed_number bigint,
    add column signed_key text,
    add column signature bytea;
