INSERT INTO paint_job_trial (job_id, trial_id, shuffled)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[])
