-- What stands in the way of a deletion: unfinished jobs and training runs that read a thing, and frozen benchmarks, on which
-- studies rest. $1 type and $2 id of the thing; the first three, and how many there are.
WITH images AS (SELECT $2::uuid AS id WHERE $1 = 'SourceImage'),
masks AS (SELECT $2::uuid AS id WHERE $1 = 'Mask'),
models AS (SELECT $2::uuid AS id WHERE $1 = 'Model'),
sessions AS (
  SELECT id FROM fmri_session WHERE $1 = 'FmriSession' AND id = $2::uuid OR $1 = 'Subject' AND subject_id = $2::uuid
),
uses AS (
  SELECT 1 AS place, 'paint job' AS noun, 'PaintJob' AS type, id, state::text AS detail FROM paint_job
  WHERE state IN ('QUEUED', 'RUNNING') AND (
    image_id IN (SELECT id FROM images) OR mask_id IN (SELECT id FROM masks) OR model_id IN (SELECT id FROM models)
    -- From what is unfinished or frozen to its few trials: those of a subject are many, and lead to all jobs that it ever had.
    OR EXISTS (
      SELECT FROM paint_job_trial AS job JOIN trial ON trial.id = job.trial_id
      WHERE job.job_id = paint_job.id AND trial.session_id IN (SELECT id FROM sessions))
    OR id IN (SELECT job_id FROM benchmark_cell WHERE $1 = 'Benchmark' AND benchmark_id = $2::uuid))
  UNION ALL
  SELECT 2, 'training run', 'TrainingRun', id, state::text FROM training_run
  WHERE state IN ('QUEUED', 'RUNNING', 'PAUSED') AND (
    base_model_id IN (SELECT id FROM models)
    OR id IN (SELECT run_id FROM training_run_session WHERE session_id IN (SELECT id FROM sessions))
    OR id IN (SELECT run_id FROM training_run_stimulus WHERE image_id IN (SELECT id FROM images))
    OR id IN (SELECT run_id FROM training_run_picture WHERE image_id IN (SELECT id FROM images)))
  UNION ALL
  SELECT 3, 'frozen benchmark', 'Benchmark', id, name FROM benchmark
  WHERE frozen_at IS NOT NULL AND (
    EXISTS (SELECT FROM benchmark_arm WHERE benchmark_id = benchmark.id AND model_id IN (SELECT id FROM models))
    OR EXISTS (
      SELECT FROM benchmark_item WHERE benchmark_id = benchmark.id AND (
        image_id IN (SELECT id FROM images) OR mask_id IN (SELECT id FROM masks)
        OR EXISTS (SELECT FROM trial WHERE trial.id = ANY (trial_ids) AND session_id IN (SELECT id FROM sessions))
        OR stimulus IN (SELECT name FROM stimulus WHERE image_id IN (SELECT id FROM images)))))
  UNION ALL
  SELECT 4, 'open study', 'Study', study.id, study.name FROM study
  WHERE study.state IN ('OPEN', 'PAUSED') AND EXISTS (
    SELECT FROM benchmark_item AS item WHERE item.benchmark_id = study.benchmark_id AND (
      item.image_id IN (SELECT id FROM images) OR item.mask_id IN (SELECT id FROM masks)
      OR EXISTS (SELECT FROM trial WHERE trial.id = ANY (item.trial_ids) AND session_id IN (SELECT id FROM sessions))))
)
SELECT noun, type, id, detail, count(*) OVER ()::int AS total FROM uses ORDER BY place DESC, id LIMIT 3
