// Settings that the engine has no room for are refused before anything is queued.

import { expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { explain } from '../../src/jobs/train-bundle.js';
import { countBrainWeights, fillSettings } from '../../src/services/training-settings.js';
import { createAdamwKernel } from '../../src/train/adamw-kernel.js';
import { brainAdapterObjective, pseudoBrainObjective } from '../../src/train/objectives.js';
import { ADAMW, buildStepGraph } from '../../src/train/step-graph.js';

/** NSD's largest region of interest, with a base of CLIP's width and latents of 64 x 64. */
const FACTS = {
  trainingStimuli: 9000,
  prediction: 'epsilon',
  voxels: 15_724,
  embeddingSize: 1024,
  poolSampleBytes: 4 * (9 * 64 * 64 + 1024),
  quickPainter: true,
} as const;

test.each([
  [7, 0],
  [8, 1],
  [24, 3],
])('the weights of a network with hidden %i and %i blocks are counted as the engine lays them out', (hidden, blocks) => {
  const [voxels, embeddingSize, batch] = [40, 16, 4];
  const size = { hidden, blocks, batch };
  const generator = buildStepGraph(
    'generator',
    (b) => pseudoBrainObjective(b, { ...size, outputs: voxels, embeddingSize }),
    ADAMW,
  );
  const adapter = buildStepGraph(
    'adapter',
    (b) =>
      brainAdapterObjective(b, {
        ...size,
        outputs: embeddingSize,
        voxels,
        tau: 0.1,
        signals: 'both',
        otherPseudo: false,
      }),
    ADAMW,
  );
  expect(countBrainWeights({ hidden, blocks }, embeddingSize, voxels)).toBe(generator.layout.size);
  expect(countBrainWeights({ hidden, blocks }, voxels, embeddingSize)).toBe(adapter.layout.size);
});

test('networks and pools that do not fit are refused by name, the largest that fit are taken', () => {
  const refusal = (given: Parameters<typeof fillSettings>[0]) => {
    try {
      fillSettings(given, FACTS);
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      const { code, field, message } = error as AppError;
      return [code, field, message] as const;
    }
    return undefined;
  };
  expect(refusal({ brainAdapter: { hidden: 4096, blocks: 4 } })).toBeUndefined();
  expect(refusal({ brainAdapter: { hidden: 8192, blocks: 4 } })).toEqual([
    'BAD_INPUT',
    'settings.brainAdapter.hidden',
    '4 blocks of 8192 at 15724 voxels have 674227200 weights; at most 214000000 can be trained',
  ]);
  expect(refusal({ pseudoBrainGenerator: { hidden: 4096, blocks: 8 } })?.[1]).toBe(
    'settings.pseudoBrainGenerator.hidden',
  );
  expect(refusal({ diffusion: { poolSize: 1_000_000 } })).toMatchObject([
    'BAD_INPUT',
    'settings.diffusion.poolSize',
    expect.stringMatching(/141\.1 GiB of memory; with this base at most 56679 fit/),
  ]);
  expect(refusal({ diffusion: { poolSize: 56_679 } })).toBeUndefined();
});

test('what the engine cannot hold is told as a reason, a fault of ours is not', () => {
  const meet = (attempt: () => unknown) => {
    try {
      attempt();
    } catch (error) {
      return explain(error, 'brainAdapter');
    }
    throw new Error('nothing was thrown');
  };
  expect(meet(() => createAdamwKernel(674_000_000))).toMatchObject({
    name: 'AppError',
    code: 'TOO_LARGE',
    field: 'settings',
    message: expect.stringMatching(/brainAdapter does not fit in memory .*674000000 parameters/),
  });
  const endless = (n: number): number => 1 + endless(n + 1);
  expect(meet(() => endless(0))).not.toBeInstanceOf(AppError);
});

test('nothing is painted for the judge by a base that may take minutes a painting, unless it is asked for', () => {
  const paintedTrials = (quickPainter: boolean, given?: number) =>
    fillSettings({ judge: { paintedTrials: given } }, { ...FACTS, quickPainter }).judge.paintedTrials;
  expect([paintedTrials(true), paintedTrials(false), paintedTrials(false, 5)]).toEqual([48, 0, 5]);
});
