-- What falls with a subject. $1 subject.
WITH jobs AS (
  SELECT DISTINCT job.id, job.state FROM paint_job AS job
  WHERE job.id IN (
      SELECT pt.job_id FROM paint_job_trial AS pt JOIN trial ON trial.id = pt.trial_id
      JOIN fmri_session AS session ON session.id = trial.session_id WHERE session.subject_id = $1::uuid)
    OR job.model_id IN (
      SELECT model.id FROM model JOIN subject ON subject.label = model.subject_label WHERE subject.id = $1::uuid)
), ratings AS (
  SELECT rating.rater_id FROM rating JOIN painting ON painting.id = rating.painting_id WHERE painting.job_id IN (SELECT id FROM jobs)
)
SELECT
  (SELECT count(*)::int FROM fmri_session WHERE subject_id = $1::uuid) AS "fmriSessionCount",
  (SELECT count(*)::int FROM trial JOIN fmri_session AS s ON s.id = trial.session_id WHERE s.subject_id = $1::uuid) AS "trialCount",
  (SELECT count(*)::int FROM model JOIN subject ON subject.label = model.subject_label WHERE subject.id = $1::uuid) AS "modelCount",
  (SELECT count(*)::int FROM jobs) AS "paintJobCount",
  (SELECT count(*)::int FROM jobs WHERE state IN ('QUEUED', 'RUNNING')) AS "unfinishedPaintJobCount",
  (SELECT count(*)::int FROM painting WHERE job_id IN (SELECT id FROM jobs)) AS "paintingCount",
  (SELECT count(*)::int FROM ratings) AS "ratingCount",
  (SELECT count(DISTINCT rater_id)::int FROM ratings) AS "raterCount"
