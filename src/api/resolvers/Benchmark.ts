// A benchmark with its arms, items and cells.

import type {
  BenchmarkArmResolvers,
  BenchmarkCellResolvers,
  BenchmarkItemResolvers,
  BenchmarkResolvers,
} from '../../generated/graphql.js';
import { listMeasurements } from '../../services/benchmark-measurements.js';
import { benchmarkProgress, failedJobs, listBenchmarkItems } from '../../services/benchmarks.js';
import { encodeId } from '../ids.js';
import { deletedBy } from './deletable.js';

export const Benchmark: BenchmarkResolvers = {
  id: ({ id }) => encodeId('Benchmark', id),
  deletedBy,
  seed: ({ seed }) => Number(seed),
  arms: ({ id }, _, { loaders }) => loaders.armsOfBenchmark.load(id),
  itemCount: ({ id }, _, { services }) =>
    services.store.prisma.benchmarkItem.count({ where: { benchmarkId: id } }),
  items: ({ id }, { from, first }, { services }) =>
    listBenchmarkItems(services, id, { from: from ?? 0, first: first ?? 20 }),
  progress: ({ id }, _, { services }) => benchmarkProgress(services, id),
  failedJobs: ({ id }, _, { services }) => failedJobs(services, id),
  metrics: async ({ id }, _, { services }) => (await listMeasurements(services, id, 1))[0] ?? null,
  measurements: ({ id }, { first }, { services }) => listMeasurements(services, id, first ?? 10),
  batch: async ({ batchId }, _, { loaders }) => (await loaders.PaintJobBatch.load(batchId))!,
  sheetUrl: ({ id }, { kind, from, imageId }) => {
    const query = new URLSearchParams({ from: String(from ?? 0), ...(imageId ? { imageId } : {}) });
    return `/files/benchmarks/${id}/${(kind ?? 'PAIRS').toLowerCase()}.png?${query}`;
  },
};

export const BenchmarkArm: BenchmarkArmResolvers = {
  model: ({ modelId }, _, { loaders }) => loaders.Model.load(modelId),
};

export const BenchmarkItem: BenchmarkItemResolvers = {
  sourceImage: ({ image }) => image,
};

export const BenchmarkCell: BenchmarkCellResolvers = {
  arm: ({ arm }) => arm.name,
  paintJob: ({ job }) => (job.withdrawnAt ? null : job),
  painting: ({ job }) => (job.withdrawnAt ? null : (job.paintings[0] ?? null)),
};
