-- Takes the first slot of a host that no living worker holds. $1 worker id, $2 its name, $3 host, $4 seconds of silence.
UPDATE device SET worker_id = $1::uuid, worker = $2, beat_at = clock_timestamp()
WHERE id = (
  SELECT id FROM device
  WHERE host = $3 AND (worker_id IS NULL OR worker_id = $1::uuid OR beat_at < clock_timestamp() - make_interval(secs => $4))
  ORDER BY slot LIMIT 1
  FOR UPDATE SKIP LOCKED)
RETURNING id
