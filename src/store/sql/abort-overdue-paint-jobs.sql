-- Ends the jobs whose deadline passed before they started.
WITH overdue AS (
  SELECT id FROM paint_job
  WHERE state = 'QUEUED' AND start_deadline <= clock_timestamp() AND attempt = 0
  FOR UPDATE SKIP LOCKED
)
UPDATE paint_job SET state = 'ABORTED', finished_at = clock_timestamp()
FROM overdue WHERE paint_job.id = overdue.id
