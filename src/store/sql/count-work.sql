-- What waits and runs, for people who watch the lab: kind, two labels, and a number. Only indexed or small sets are counted.
-- $1 seconds after which a silent device is gone.
SELECT 'paint_jobs' AS kind, state::text AS label, priority::text AS detail, count(*)::int AS number
FROM paint_job WHERE state IN ('QUEUED', 'RUNNING') GROUP BY state, priority
UNION ALL
SELECT 'devices', CASE
  WHEN worker_id IS NULL OR beat_at < clock_timestamp() - make_interval(secs => $1) THEN 'OFFLINE'
  WHEN paused_at IS NOT NULL THEN 'PAUSED' ELSE 'ONLINE' END, '', count(*)::int
FROM device GROUP BY 2
UNION ALL
SELECT 'training_runs', state::text, '', count(*)::int FROM training_run GROUP BY state
UNION ALL
SELECT 'webhook_deliveries', 'PENDING', '', count(*)::int FROM webhook_delivery WHERE next_attempt_at IS NOT NULL
UNION ALL
SELECT 'webhook_endpoints',
  CASE WHEN disabled_at IS NOT NULL THEN 'DISABLED' WHEN failing_since IS NOT NULL THEN 'FAILING' ELSE 'WELL' END, '', count(*)::int
FROM webhook_endpoint WHERE deleted_at IS NULL GROUP BY 2
