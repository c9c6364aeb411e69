-- What people edit counts its changes. What they delete stays, with who did it, when and why: it can be restored, and what
-- came of it stands.
ALTER TABLE subject
  ADD COLUMN notes text NOT NULL DEFAULT '',
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL));
ALTER TABLE fmri_session
  ADD COLUMN notes text NOT NULL DEFAULT '',
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL));
ALTER TABLE source_image
  ADD COLUMN name text NOT NULL DEFAULT '',
  ADD COLUMN notes text NOT NULL DEFAULT '',
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL));
ALTER TABLE mask
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL));
ALTER TABLE model
  ADD COLUMN notes text NOT NULL DEFAULT '',
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL));
-- A frozen benchmark and an open study never change, so that neither can be deleted.
ALTER TABLE benchmark
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL)),
  ADD CHECK (deleted_at IS NULL OR frozen_at IS NULL);
-- A study's version is its protocol's; changes of its name are counted beside.
ALTER TABLE study
  ADD COLUMN revision integer NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz(3),
  ADD COLUMN deleted_reason text,
  ADD COLUMN deleted_by_id uuid,
  ADD CHECK ((deleted_at IS NULL) = (deleted_reason IS NULL)),
  ADD CHECK (deleted_at IS NULL OR opened_at IS NULL);
