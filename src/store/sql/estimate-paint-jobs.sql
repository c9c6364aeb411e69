-- Where unfinished jobs stand: place in the queue, seconds until start and end by the measured pace of each model.
-- $1 jobs, $2 seconds after which a silent device counts as gone, $3 models and $4 their paces.
WITH pace AS (SELECT * FROM unnest($3::uuid[], $4::float8[]) AS p (model_id, seconds)),
devices AS (
  SELECT count(*)::float8 AS n FROM device
  WHERE worker_id IS NOT NULL AND paused_at IS NULL AND beat_at > clock_timestamp() - make_interval(secs => $2)
), running AS (
  SELECT id, greatest(steps_total - steps_done, 0) * pace.seconds AS seconds
  FROM paint_job JOIN pace USING (model_id) WHERE state = 'RUNNING'
), queued AS (
  SELECT id, steps_total * pace.seconds AS own, row_number() OVER serve AS position,
    sum(steps_total * pace.seconds) OVER serve AS seconds
  FROM paint_job JOIN pace USING (model_id) WHERE state = 'QUEUED'
  WINDOW serve AS (ORDER BY priority DESC, share_tag, id)
), placed AS (
  SELECT id, position, (coalesce((SELECT sum(seconds) FROM running), 0) + seconds - own) / nullif(devices.n, 0) AS starts, own
  FROM queued, devices
)
SELECT id, position::int AS position, starts AS starts_in, starts + own AS ends_in FROM placed WHERE id = ANY ($1::uuid[])
UNION ALL
SELECT id, 0, 0, seconds FROM running WHERE id = ANY ($1::uuid[])
