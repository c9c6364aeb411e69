-- What a model cannot be asked for, so that an order is refused before it waits. Models of before are taken to be of the
-- common kind, until they are registered anew at the next start.
ALTER TABLE model
  ADD COLUMN max_steps integer NOT NULL DEFAULT 1000 CHECK (max_steps > 0),
  ADD COLUMN two_stage boolean NOT NULL DEFAULT true;
