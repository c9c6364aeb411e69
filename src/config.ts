// Configuration: the only reader of the environment. All faults are reported at once, with what to do.

import { z } from 'zod';
import { AppError } from './errors.js';

const wholeNumber = (lowest: number, highest: number) => {
  const advice = `give a whole number from ${lowest} to ${highest}`;
  return z
    .string()
    .regex(/^\d+$/, advice)
    .transform(Number)
    .refine((n) => n >= lowest && n <= highest, advice);
};

const TRUST = ['off', 'allow', 'only'] as const;
const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/i;
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

const schema = z.object({
  DATABASE_URL: z
    .url({
      protocol: /^postgres(ql)?$/,
      error: 'give an address like postgresql://user:password@host:5432/database, or leave it out',
    })
    .optional(),
  MINDPAINTER_DATA_DIR: z.string().default('data'),
  MINDPAINTER_MODELS: z.string().default('models/toy'),
  MINDPAINTER_METRIC_NETWORKS: z.string().default(''),
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'give an address like http://127.0.0.1:4318, or leave it out' })
    .optional(),
  METRICS_PORT: wholeNumber(0, 65535).optional(),
  LOG_LEVEL: z.enum(LEVELS, `give one of ${LEVELS.join(', ')}`).default('info'),
  TRAINING_THREADS: wholeNumber(1, 256).optional(),
  MINDPAINTER_SECRET: z
    .string()
    .min(32, 'give at least 32 random characters, such as openssl rand -hex 32 prints')
    .optional(),
  WEBHOOK_PRIVATE_ADDRESSES: z.enum(['allow', 'refuse'], 'give allow or refuse').optional(),
  MAX_UPLOAD_BYTES: wholeNumber(1, 2_000_000_000).default(200_000_000),
  MAX_UNFINISHED_JOBS: wholeNumber(1, 1_000_000).default(20_000),
  REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000).default(3000),
  INTROSPECTION: z.enum(['on', 'off'], 'give on or off').default('on'),
  TRUSTED_DOCUMENTS: z.enum(TRUST, `give one of ${TRUST.join(', ')}`).default('off'),
});

export interface Config {
  /** A Postgres server of the user's; absent: the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  /** Folders of bundles that are registered at start. */
  readonly modelFolders: readonly string[];
  /** Folders of networks that paintings are measured by, one of a kind. */
  readonly metricNetworks: readonly string[];
  readonly host: string;
  /** Absent: 4000, or a free port where that one is taken. */
  readonly port: number | undefined;
  /** The OTLP receiver that traces go to over HTTP; absent: none are made. */
  readonly tracesEndpoint: string | undefined;
  /** Where a worker serves /metrics, on `host`; absent: nowhere. */
  readonly metricsPort: number | undefined;
  readonly logLevel: (typeof LEVELS)[number];
  /** Keys the stored hashes of tokens, links and sessions. Set: nobody is signed in without one, not even on this machine. */
  readonly secret: string | undefined;
  readonly maxUploadBytes: number;
  /** Paint jobs that one person may have waiting or running. */
  readonly maxUnfinishedJobs: number;
  /** Requests that one token, session or address may send; who sits at the machine itself is not counted. */
  readonly requestsPerMinute: number;
  /** Whether the schema may be asked for itself. */
  readonly introspection: boolean;
  /** Documents by hash: none, those of the manifest as well, or nothing else. */
  readonly trustedDocuments: (typeof TRUST)[number];
  /** Whether webhooks may go to this machine and its private network: by default only where it serves nobody else. */
  readonly privateWebhooks: boolean;
  /** Threads of a training run; absent: one a core. */
  readonly trainingThreads: number | undefined;
}

const toFolders = (list: string) =>
  list
    .split(',')
    .map((folder) => folder.trim())
    .filter(Boolean);

/** Reads the environment; an empty variable counts as absent. Throws one AppError BAD_INPUT that lists every fault. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    // The values themselves stay out: an address may hold a password.
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    const field = String(parsed.error.issues[0]!.path[0]);
    throw new AppError('BAD_INPUT', `the environment is not right:\n  ${faults.join('\n  ')}`, { field });
  }
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL,
    dataDir: values.MINDPAINTER_DATA_DIR,
    modelFolders: toFolders(values.MINDPAINTER_MODELS),
    metricNetworks: toFolders(values.MINDPAINTER_METRIC_NETWORKS),
    host: values.HOST,
    port: values.PORT,
    tracesEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    metricsPort: values.METRICS_PORT,
    logLevel: values.LOG_LEVEL,
    secret: values.MINDPAINTER_SECRET,
    maxUploadBytes: values.MAX_UPLOAD_BYTES,
    maxUnfinishedJobs: values.MAX_UNFINISHED_JOBS,
    requestsPerMinute: values.REQUESTS_PER_MINUTE,
    introspection: values.INTROSPECTION === 'on',
    trustedDocuments: values.TRUSTED_DOCUMENTS,
    privateWebhooks:
      values.WEBHOOK_PRIVATE_ADDRESSES === undefined
        ? values.DATABASE_URL === undefined && LOOPBACK.test(values.HOST)
        : values.WEBHOOK_PRIVATE_ADDRESSES === 'allow',
    trainingThreads: values.TRAINING_THREADS,
  };
}
