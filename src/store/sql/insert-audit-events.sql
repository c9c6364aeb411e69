-- Writes audit events. $1 user or null, $2 credential or null; the rest by event.
INSERT INTO audit_event (user_id, credential_id, id, action, entity_type, entity_id, before, after)
SELECT $1::uuid, $2::uuid, event.*
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[]) AS event
