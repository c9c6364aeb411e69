-- Withdraws the jobs of a subject, by its trials or its models; those that have not ended end as cancelled ones do. $1 subject.
UPDATE paint_job SET
  withdrawn_at = clock_timestamp(),
  cancel_requested = cancel_requested OR state IN ('QUEUED', 'RUNNING'),
  finished_at = CASE WHEN state = 'QUEUED' THEN clock_timestamp() ELSE finished_at END,
  state = CASE WHEN state = 'QUEUED' THEN 'CANCELLED' ELSE state END
WHERE withdrawn_at IS NULL AND (
  id IN (
    SELECT pt.job_id FROM paint_job_trial AS pt JOIN trial ON trial.id = pt.trial_id
    JOIN fmri_session AS session ON session.id = trial.session_id WHERE session.subject_id = $1::uuid)
  OR model_id IN (SELECT model.id FROM model JOIN subject ON subject.label = model.subject_label WHERE subject.id = $1::uuid))
