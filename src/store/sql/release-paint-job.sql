-- A worker that stops or cannot go on gives its job back, without the loss of an attempt. $1 job, $2 attempt, $3 why or null.
WITH released AS (
  UPDATE paint_job SET
    state = (CASE WHEN cancel_requested THEN 'CANCELLED' ELSE 'QUEUED' END)::"PaintJobState",
    finished_at = CASE WHEN cancel_requested THEN clock_timestamp() END,
    worker_id = NULL
  WHERE id = $1::uuid AND attempt = $2::int AND state = 'RUNNING'
  RETURNING id, attempt
)
UPDATE paint_job_attempt AS attempt SET outcome = 'RELEASED', ended_at = clock_timestamp(), error = $3
FROM released WHERE attempt.job_id = released.id AND attempt.number = released.attempt
