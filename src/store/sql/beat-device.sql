UPDATE device SET beat_at = clock_timestamp() WHERE worker_id = $1::uuid RETURNING id
