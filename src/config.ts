// Configuration: the only reader of the environment. All faults are reported at once, with what to do.

import { z } from 'zod';
import { AppError } from './errors.js';

const schema = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  MINDPAINTER_DATA_DIR: z.string().min(1).default('data'),
  MINDPAINTER_MODELS: z.string().default('models/toy'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65535).optional(),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  MAX_UPLOAD_BYTES: z.coerce.number().int().positive().default(200_000_000),
});

export interface Config {
  /** A Postgres server of the user's; absent: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  /** Folders of bundles that are registered at start. */
  readonly modelFolders: readonly string[];
  readonly host: string;
  /** Absent: 4000, or a free port where that one is taken. */
  readonly port: number | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly maxUploadBytes: number;
}

/** Reads the environment; throws one AppError that lists every fault. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new AppError('BAD_INPUT', `the environment is not right:\n  ${faults.join('\n  ')}`);
  }
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL,
    dataDir: values.MINDPAINTER_DATA_DIR,
    modelFolders: values.MINDPAINTER_MODELS.split(',').filter(Boolean),
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    maxUploadBytes: values.MAX_UPLOAD_BYTES,
  };
}
