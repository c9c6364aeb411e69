-- Keeps the latest preview of a job. $1 job, $2 attempt, $3 steps done, $4 WebP.
INSERT INTO paint_job_preview (job_id, steps_done, webp)
SELECT id, $3::int, $4::bytea FROM paint_job
WHERE id = $1::uuid AND attempt = $2::int AND state = 'RUNNING'
FOR SHARE
ON CONFLICT (job_id) DO UPDATE SET steps_done = excluded.steps_done, webp = excluded.webp
