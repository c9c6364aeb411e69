-- Seconds until so many of a submitter's jobs have ended, all devices together. $1 submitter, $2 how many, $3 seconds after
-- which a silent device counts as gone, $4 models and $5 their paces. Null when it cannot be told.
WITH pace AS (SELECT * FROM unnest($4::uuid[], $5::float8[]) AS p (model_id, seconds)),
served AS (
  SELECT submitted_by, sum(greatest(steps_total - steps_done, 0) * pace.seconds) OVER (
    ORDER BY state = 'RUNNING' DESC, priority DESC, share_tag, id) AS seconds
  FROM paint_job JOIN pace USING (model_id) WHERE state IN ('QUEUED', 'RUNNING')
)
SELECT seconds / nullif((SELECT count(*) FROM device WHERE worker_id IS NOT NULL AND paused_at IS NULL
  AND beat_at > clock_timestamp() - make_interval(secs => $3)), 0) AS seconds
FROM served WHERE submitted_by = $1 ORDER BY seconds OFFSET greatest($2::int - 1, 0) LIMIT 1
