// What can be done with benchmarks.

import { AppError } from '../../errors.js';
import type { CreateBenchmarkInput, MutationResolvers } from '../../generated/graphql.js';
import { measureBenchmark } from '../../services/benchmark-measurements.js';
import { type MaskPolicy, toSampledMasks } from '../../services/benchmark-orders.js';
import { createBenchmark, freezeBenchmark } from '../../services/benchmarks.js';
import { toPayload } from '../errors.js';
import { decodeId } from '../ids.js';
import { toMaskPreset } from '../mask-input.js';
import { toFacts } from '../paint-job-input.js';

function toMaskPolicy({ maskIds, maskShape, maskPolicy }: CreateBenchmarkInput): MaskPolicy {
  if ([maskIds, maskShape, maskPolicy].filter((given) => given != null).length !== 1)
    throw new AppError('BAD_INPUT', 'give either maskIds, maskShape or maskPolicy', { field: 'maskIds' });
  if (maskShape) return { preset: toMaskPreset(maskShape) };
  if (maskPolicy) return { sampled: toSampledMasks(maskPolicy) };
  return { maskIds: maskIds!.map((id) => decodeId('Mask', id, 'maskIds')) };
}

export const benchmarkMutations: Pick<
  MutationResolvers,
  'createBenchmark' | 'freezeBenchmark' | 'measureBenchmark'
> = {
  createBenchmark: (_, { input }, { services, viewer }) =>
    toPayload('benchmark', async () =>
      createBenchmark(
        services,
        {
          name: input.name,
          imageIds: input.imageIds.map((id) => decodeId('SourceImage', id, 'imageIds')),
          signals: input.signals.map((ids) => ids.map((id) => decodeId('Trial', id, 'signals'))),
          pairing: input.pairing ?? 'RANDOM',
          seed: input.seed ?? 0,
          masks: toMaskPolicy(input),
          arms: input.arms.map(({ modelId, steps, guidanceScale, ...arm }) => ({
            ...arm,
            modelId: decodeId('Model', modelId, 'arms'),
            steps: steps ?? undefined,
            guidanceScale: guidanceScale ?? undefined,
          })),
        },
        toFacts(input, viewer),
      ),
    ),
  freezeBenchmark: (_, { input }, { services }) =>
    toPayload('benchmark', async () => freezeBenchmark(services, decodeId('Benchmark', input.id, 'id'))),
  measureBenchmark: (_, { input }, { services }) =>
    toPayload('benchmark', async () =>
      measureBenchmark(services, { id: decodeId('Benchmark', input.id, 'id'), seed: input.seed ?? 0 }),
    ),
};
