-- The trials that jobs paint by, by job in the order of their ids. $1 ids of jobs.
SELECT job.job_id AS "jobId", job.shuffled, trial.id, trial.session_id AS "sessionId", trial.index, trial.stimulus,
  trial.repetition
FROM paint_job_trial AS job JOIN trial ON trial.id = job.trial_id
WHERE job.job_id = ANY ($1::uuid[]) ORDER BY job.trial_id
