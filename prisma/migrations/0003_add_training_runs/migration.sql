CREATE TYPE "TrainingRunState" AS ENUM ('QUEUED', 'RUNNING', 'PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED');

CREATE TYPE "TrainingPart" AS ENUM ('PSEUDO_BRAIN_GENERATOR', 'BRAIN_ADAPTER', 'DIFFUSION');

ALTER TYPE "AttemptOutcome" ADD VALUE 'PAUSED';

CREATE TABLE stimulus (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  image_id uuid NOT NULL REFERENCES source_image (id),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE training_run (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  subject_id uuid NOT NULL REFERENCES subject (id),
  base_model_id uuid NOT NULL REFERENCES model (id),
  model_id uuid REFERENCES model (id),
  parts "TrainingPart"[] NOT NULL CHECK (cardinality(parts) > 0),
  settings jsonb NOT NULL,
  state "TrainingRunState" NOT NULL DEFAULT 'QUEUED',
  pause_requested boolean NOT NULL DEFAULT false,
  cancel_requested boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  excluded_voxels integer,
  stage text,
  step integer NOT NULL DEFAULT 0,
  steps integer NOT NULL DEFAULT 0,
  metrics jsonb,
  provenance jsonb,
  error_code text,
  error_message text,
  error_field text,
  error_stage text,
  error_step integer,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  CHECK ((state = 'SUCCEEDED') = (model_id IS NOT NULL)),
  CHECK ((finished_at IS NOT NULL) = (state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')))
);
CREATE INDEX ON training_run (state, created_at);
CREATE INDEX ON training_run (model_id);

CREATE TABLE training_run_session (
  run_id uuid NOT NULL REFERENCES training_run (id),
  session_id uuid NOT NULL REFERENCES fmri_session (id),
  PRIMARY KEY (run_id, session_id)
);

CREATE TABLE training_run_stimulus (
  run_id uuid NOT NULL REFERENCES training_run (id),
  name text NOT NULL,
  image_id uuid NOT NULL REFERENCES source_image (id),
  held_out boolean NOT NULL,
  PRIMARY KEY (run_id, name)
);

CREATE TABLE training_run_picture (
  run_id uuid NOT NULL REFERENCES training_run (id),
  image_id uuid NOT NULL REFERENCES source_image (id),
  PRIMARY KEY (run_id, image_id)
);

CREATE TABLE training_run_point (
  run_id uuid NOT NULL REFERENCES training_run (id),
  stage text NOT NULL,
  name text NOT NULL,
  step integer NOT NULL CHECK (step > 0),
  value double precision NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (run_id, stage, name, step)
);

CREATE TABLE training_run_attempt (
  run_id uuid NOT NULL REFERENCES training_run (id),
  number integer NOT NULL CHECK (number > 0),
  worker text NOT NULL,
  started_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ended_at timestamptz(3),
  outcome "AttemptOutcome",
  error text,
  PRIMARY KEY (run_id, number),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
