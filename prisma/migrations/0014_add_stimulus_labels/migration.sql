-- What category a stimulus is of. By name, since a trial table may tell it before the name has a picture.
CREATE TABLE stimulus_label (
  stimulus text PRIMARY KEY,
  label text NOT NULL CHECK (label = btrim(label) AND length(label) BETWEEN 1 AND 100),
  created_at timestamptz(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- As it was when the run was created; a run that is resumed goes on by it.
ALTER TABLE training_run_stimulus ADD COLUMN label text;
