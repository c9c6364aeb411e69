CREATE TYPE "PaintJobState" AS ENUM ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED');

CREATE TYPE "AttemptOutcome" AS ENUM ('SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST');

CREATE TABLE subject (
  id uuid PRIMARY KEY,
  label text NOT NULL UNIQUE,
  simulated boolean NOT NULL DEFAULT false,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE fmri_session (
  id uuid PRIMARY KEY,
  subject_id uuid NOT NULL REFERENCES subject (id),
  label text NOT NULL,
  voxels integer NOT NULL CHECK (voxels > 0),
  constant_voxels integer NOT NULL,
  normalisation text NOT NULL,
  upload_sha256 text NOT NULL,
  betas_sha256 text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (subject_id, label)
);

CREATE TABLE trial (
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES fmri_session (id),
  index integer NOT NULL CHECK (index >= 0),
  stimulus text NOT NULL,
  repetition integer NOT NULL CHECK (repetition > 0),
  UNIQUE (session_id, index)
);
CREATE INDEX ON trial (stimulus);

CREATE TABLE source_image (
  id uuid PRIMARY KEY,
  sha256 text NOT NULL UNIQUE,
  format text NOT NULL,
  width integer NOT NULL,
  height integer NOT NULL,
  size_bytes integer NOT NULL,
  png_sha256 text NOT NULL,
  thumbnail_sha256 text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE mask (
  id uuid PRIMARY KEY,
  image_id uuid NOT NULL REFERENCES source_image (id),
  sha256 text NOT NULL,
  png_sha256 text NOT NULL,
  preset jsonb,
  coverage double precision NOT NULL CHECK (coverage > 0 AND coverage <= 1),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (image_id, sha256)
);

CREATE TABLE model (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  hash text NOT NULL UNIQUE,
  folder text NOT NULL,
  subject_label text NOT NULL,
  simulated boolean NOT NULL,
  voxels integer NOT NULL,
  image_size_px integer NOT NULL,
  default_steps integer NOT NULL,
  default_guidance_scale double precision NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE paint_job (
  id uuid PRIMARY KEY,
  image_id uuid NOT NULL REFERENCES source_image (id),
  mask_id uuid NOT NULL REFERENCES mask (id),
  model_id uuid NOT NULL REFERENCES model (id),
  seed bigint NOT NULL CHECK (seed >= 0),
  steps integer NOT NULL CHECK (steps BETWEEN 1 AND 1000),
  guidance_scale double precision NOT NULL,
  painting_count integer NOT NULL CHECK (painting_count BETWEEN 1 AND 16),
  state "PaintJobState" NOT NULL DEFAULT 'QUEUED',
  cancel_requested boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  steps_done integer NOT NULL DEFAULT 0,
  steps_total integer NOT NULL DEFAULT 0,
  error_code text,
  error_message text,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at timestamptz(3),
  finished_at timestamptz(3)
);
CREATE INDEX ON paint_job (state, created_at);

CREATE TABLE paint_job_attempt (
  job_id uuid NOT NULL REFERENCES paint_job (id),
  number integer NOT NULL CHECK (number > 0),
  worker text NOT NULL,
  started_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ended_at timestamptz(3),
  outcome "AttemptOutcome",
  error text,
  PRIMARY KEY (job_id, number),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
);

CREATE TABLE paint_job_trial (
  job_id uuid NOT NULL REFERENCES paint_job (id),
  trial_id uuid NOT NULL REFERENCES trial (id),
  PRIMARY KEY (job_id, trial_id)
);

CREATE TABLE painting (
  id uuid PRIMARY KEY,
  job_id uuid NOT NULL REFERENCES paint_job (id),
  index integer NOT NULL,
  png_sha256 text NOT NULL,
  thumbnail_sha256 text NOT NULL,
  outside_mask_different_pixels integer NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (job_id, index)
);

CREATE TABLE rating (
  id uuid PRIMARY KEY,
  painting_id uuid NOT NULL REFERENCES painting (id),
  rater text NOT NULL,
  score smallint NOT NULL CHECK (score BETWEEN 1 AND 3),
  revision integer NOT NULL DEFAULT 1 CHECK (revision > 0),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (painting_id, rater)
);

CREATE TABLE rating_revision (
  rating_id uuid NOT NULL REFERENCES rating (id),
  number integer NOT NULL CHECK (number > 0),
  score smallint NOT NULL CHECK (score BETWEEN 1 AND 3),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (rating_id, number)
);

CREATE TABLE worker_heartbeat (
  worker_id text PRIMARY KEY,
  beat_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
