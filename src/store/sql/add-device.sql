-- Adds a slot to a host, held by a worker at once. $1 id, $2 worker id, $3 its name, $4 host. No row when another was faster.
INSERT INTO device (id, host, slot, worker_id, worker)
SELECT $1::uuid, $4, 1 + coalesce(max(slot), 0), $2::uuid, $3 FROM device WHERE host = $4
ON CONFLICT (host, slot) DO NOTHING
RETURNING id
