-- Writes the jobs of a submission. $1 batch, $2 submitter, $3 priority, $4 seconds until the deadline or null; the rest by job.
INSERT INTO paint_job (id, image_id, mask_id, model_id, method, seed, steps, guidance_scale, painting_count, steps_total,
  share_tag, share_cost, retried_from_id, batch_id, submitted_by, priority, start_deadline)
SELECT job.*, $1::uuid, $2, $3::smallint, clock_timestamp() + make_interval(secs => $4::float8)
FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[]::"PaintMethod"[], $10::bigint[], $11::int[], $12::float8[],
  $13::int[], $14::int[], $15::float8[], $16::float8[], $17::uuid[]) AS job
