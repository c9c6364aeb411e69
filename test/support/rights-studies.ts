// The part of the world of rights that is about benchmarks and studies.

import { createBenchmark } from '../../src/services/benchmarks.js';
import type { Services } from '../../src/services/context.js';
import type { RightsWorld } from './rights-world.js';
import { endJobs } from './study-lab.js';

const uuidOf = (id: string) => id.slice(id.indexOf('_') + 1);

/** Benchmarks of the world's first picture, mask, trial and model. */
export function benchmarkMaker(services: Services, first: (type: string) => string) {
  let made = 0;
  return async (options: { ended: boolean }): Promise<string> => {
    made += 1;
    const { id } = await createBenchmark(
      services,
      {
        name: `benchmark ${made}`,
        imageIds: [uuidOf(first('SourceImage'))],
        signals: [[uuidOf(first('Trial'))]],
        pairing: 'RANDOM',
        seed: made,
        masks: { maskIds: [uuidOf(first('Mask'))] },
        arms: [
          { name: 'a', method: 'BRAIN', modelId: uuidOf(first('Model')) },
          { name: 'b', method: 'NO_BRAIN', modelId: uuidOf(first('Model')) },
        ],
      },
      { submittedBy: 'local' },
    );
    if (options.ended) await endJobs(services, 0, id);
    return id;
  };
}

export function studyCalls(services: Services, first: (type: string) => string): RightsWorld['calls'] {
  const addBenchmark = benchmarkMaker(services, first);
  return {
    createBenchmark: async () => [
      {
        input: {
          name: 'new',
          imageIds: [first('SourceImage')],
          signals: [[first('Trial')]],
          maskIds: [first('Mask')],
          arms: [{ name: 'a', method: 'BRAIN', modelId: first('Model') }],
        },
      },
    ],
    freezeBenchmark: async () => [{ input: { id: `Benchmark_${await addBenchmark({ ended: true })}` } }],
  };
}
