// Automatic metrics of a benchmark: the row of a measurement, whose results are JSON.

import type {
  BenchmarkArmDifference,
  BenchmarkArmMetrics,
  BenchmarkMetricsResolvers,
  ErrorCode,
  MeasurementResampling,
  MetricNetwork,
} from '../../generated/graphql.js';
import type { BenchmarkMeasurement } from '../../generated/prisma/client.js';
import { listItemValues } from '../../services/benchmark-measurements.js';
import { whenRead } from '../batches.js';

interface Results {
  readonly items: number;
  readonly withdrawnItems: number;
  readonly resampled: MeasurementResampling;
  readonly resamples: number;
  readonly confidence: number;
  readonly arms: BenchmarkArmMetrics[];
  readonly differences: BenchmarkArmDifference[];
}
const resultsOf = ({ results }: BenchmarkMeasurement) => results as unknown as Results | null;

export const BenchmarkMetrics: BenchmarkMetricsResolvers = {
  done: ({ id }, _, { loaders }) => whenRead(loaders.progressOfMeasurement.load(id), ({ done }) => done),
  total: ({ id }, _, { loaders }) => whenRead(loaders.progressOfMeasurement.load(id), ({ total }) => total),
  items: (row) => resultsOf(row)?.items ?? null,
  withdrawnItems: (row) => resultsOf(row)?.withdrawnItems ?? null,
  arms: (row) => resultsOf(row)?.arms ?? [],
  differences: (row) => resultsOf(row)?.differences ?? [],
  networks: ({ networks }) => (networks ?? []) as unknown as MetricNetwork[],
  seed: ({ seed }) => Number(seed),
  resamples: (row) => resultsOf(row)?.resamples ?? null,
  confidence: (row) => resultsOf(row)?.confidence ?? null,
  resampled: (row) => resultsOf(row)?.resampled ?? null,
  itemValues: (row, _, { services }) => listItemValues(services, row),
  error: ({ errorCode, errorMessage }) =>
    errorCode ? { code: errorCode as ErrorCode, message: errorMessage! } : null,
};
