-- Automatic metrics of frozen benchmarks: each measurement stands as it was made; another one is a row of its own.
CREATE TYPE "MeasurementState" AS ENUM ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED');

CREATE TABLE benchmark_measurement (
  id uuid PRIMARY KEY,
  benchmark_id uuid NOT NULL REFERENCES benchmark (id),
  state "MeasurementState" NOT NULL DEFAULT 'QUEUED',
  -- Number of the attempt that may write.
  attempt integer NOT NULL DEFAULT 0,
  -- Of the bootstrap.
  seed bigint NOT NULL CHECK (seed BETWEEN 0 AND 4294967295),
  -- Picture of each stimulus by name, as it was linked when this was asked for.
  stimuli jsonb NOT NULL,
  -- What the first attempt measured with; a later one with others is refused.
  networks jsonb,
  results jsonb,
  provenance jsonb,
  error_code text,
  error_message text,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz(3),
  CHECK ((state IN ('SUCCEEDED', 'FAILED')) = (finished_at IS NOT NULL)),
  CHECK ((state = 'SUCCEEDED') = (results IS NOT NULL)),
  CHECK (state <> 'SUCCEEDED' OR (networks IS NOT NULL AND provenance IS NOT NULL)),
  CHECK ((state = 'FAILED') = (error_code IS NOT NULL)),
  CHECK ((error_code IS NULL) = (error_message IS NULL))
);
CREATE INDEX ON benchmark_measurement (benchmark_id, id);
CREATE UNIQUE INDEX benchmark_measurement_one_at_once_key ON benchmark_measurement (benchmark_id) WHERE finished_at IS NULL;

-- What was measured of each painting: by metric a number, or the reason why there is none.
CREATE TABLE benchmark_value (
  measurement_id uuid NOT NULL REFERENCES benchmark_measurement (id),
  item_id uuid NOT NULL,
  arm_id uuid NOT NULL,
  measured jsonb NOT NULL,
  PRIMARY KEY (measurement_id, item_id, arm_id),
  FOREIGN KEY (item_id, arm_id) REFERENCES benchmark_cell (item_id, arm_id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON benchmark_value FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_measurement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.finished_at IS NOT NULL OR TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'measurement % stands as it was made', OLD.id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER stands BEFORE UPDATE OR DELETE ON benchmark_measurement
  FOR EACH ROW EXECUTE FUNCTION guard_measurement();
CREATE FUNCTION guard_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM benchmark_measurement WHERE id = NEW.measurement_id AND finished_at IS NOT NULL) THEN
    RAISE EXCEPTION 'measurement % stands as it was made', NEW.measurement_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER stands BEFORE INSERT ON benchmark_value FOR EACH ROW EXECUTE FUNCTION guard_value();
