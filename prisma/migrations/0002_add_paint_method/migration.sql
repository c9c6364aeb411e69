CREATE TYPE "PaintMethod" AS ENUM ('BRAIN', 'TWO_STAGE', 'SHUFFLED_BRAIN', 'NO_BRAIN');
ALTER TABLE paint_job ADD COLUMN method "PaintMethod" NOT NULL DEFAULT 'BRAIN';
ALTER TABLE paint_job_trial ADD COLUMN shuffled boolean NOT NULL DEFAULT false;
