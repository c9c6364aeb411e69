-- Frees the jobs of workers that are gone: $1 seconds of silence, $2 the attempts that a job may lose in all,
-- $3 a worker whose own jobs nobody runs any more (or null). Whoever was to be cancelled is; who has lost too many fails.
WITH lost AS (
  SELECT job.id, job.attempt,
    1 + (SELECT count(*) FROM paint_job_attempt AS a WHERE a.job_id = job.id AND a.outcome = 'LOST') AS losses
  FROM paint_job AS job
  WHERE job.state = 'RUNNING' AND (job.worker_id = $3::uuid OR NOT EXISTS (
    SELECT FROM device
    WHERE device.worker_id = job.worker_id AND device.beat_at > clock_timestamp() - make_interval(secs => $1)))
  FOR UPDATE OF job SKIP LOCKED
), freed AS (
  UPDATE paint_job AS job SET
    state = (CASE WHEN cancel_requested THEN 'CANCELLED' WHEN losses >= $2::int THEN 'FAILED' ELSE 'QUEUED' END)::"PaintJobState",
    finished_at = CASE WHEN cancel_requested OR losses >= $2::int THEN clock_timestamp() END,
    error_code = CASE WHEN NOT cancel_requested AND losses >= $2::int THEN 'UNAVAILABLE' END,
    error_message = CASE WHEN NOT cancel_requested AND losses >= $2::int
      THEN format('given up: %s attempts lost their worker; retry it when the cause is found', losses) END,
    worker_id = NULL
  FROM lost WHERE job.id = lost.id
  RETURNING job.id, job.attempt
)
UPDATE paint_job_attempt AS attempt SET outcome = 'LOST', ended_at = clock_timestamp(), error = $4
FROM freed WHERE attempt.job_id = freed.id AND attempt.number = freed.attempt AND attempt.outcome IS NULL
