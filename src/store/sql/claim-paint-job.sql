-- Takes the next job for a worker: by priority, then by the fair order. $1 worker id, $2 name of the worker.
-- A paused device, or one that another worker holds by now, gets none.
WITH next AS (
  SELECT id FROM paint_job
  WHERE state = 'QUEUED' AND (start_deadline IS NULL OR attempt > 0 OR start_deadline > clock_timestamp())
    AND EXISTS (SELECT FROM device WHERE worker_id = $1::uuid AND paused_at IS NULL)
  ORDER BY priority DESC, share_tag, id
  LIMIT 1
  FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE paint_job
  SET state = 'RUNNING', attempt = attempt + 1, started_at = clock_timestamp(), steps_done = 0, worker_id = $1::uuid
  FROM next WHERE paint_job.id = next.id
  RETURNING paint_job.id, paint_job.attempt
)
INSERT INTO paint_job_attempt (job_id, number, worker, started_at)
SELECT id, attempt, $2, clock_timestamp() FROM claimed
RETURNING job_id
