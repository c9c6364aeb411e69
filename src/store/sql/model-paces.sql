-- Seconds of one denoising step by model, all else included: the median of the model's last 20 finished jobs.
SELECT model.id AS model_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.pace) AS pace, count(recent.pace)::int AS jobs
FROM model LEFT JOIN LATERAL (
  SELECT extract(epoch FROM finished_at - started_at) / greatest(steps_total, 1) AS pace FROM paint_job
  WHERE paint_job.model_id = model.id AND state = 'SUCCEEDED'
  ORDER BY finished_at DESC LIMIT 20) AS recent ON true
GROUP BY model.id
