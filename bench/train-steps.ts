// Our side of bench/train.bench.ts: one training step of a network for every line on stdin, as test/reference/steps.py.

import { createInterface } from 'node:readline';
import { PLAN, TOY } from '../src/main/toy/settings.js';
import { createRng } from '../src/random.js';
import { floats, type Provider, type Tensor } from '../src/runtime/session.js';
import { brainAdapterObjective, diffusionObjective, pseudoBrainObjective } from '../src/train/objectives.js';
import { buildStepGraph, type StepGraph } from '../src/train/step-graph.js';
import { createTrainer } from '../src/train/trainer.js';

/** Voxels of NSD's subject 1, and the sizes that the paper's networks have here. */
const NSD = { voxels: 15_724, embedding: 1024, hidden: 2048, blocks: 4, batch: 128, tau: 0.07 } as const;

/** The reference has no tokens: the UNet is compared without them. */
const { tokens: _tokens, ...UNET } = TOY.unet;

export const NETWORKS = {
  pbg: {
    batch: NSD.batch,
    build: () =>
      buildStepGraph('pbg', (b) =>
        pseudoBrainObjective(b, { ...NSD, embeddingSize: NSD.embedding, outputs: NSD.voxels }),
      ),
  },
  ba: {
    batch: NSD.batch,
    build: () => buildStepGraph('ba', (b) => brainAdapterObjective(b, { ...NSD, outputs: NSD.embedding })),
  },
  unet: {
    batch: PLAN.diffusion.batch,
    build: () =>
      buildStepGraph('unet', (b) =>
        diffusionObjective(b, {
          ...UNET,
          batch: PLAN.diffusion.batch,
          latentSide: TOY.latentSide,
          conditionSize: TOY.brainAdapter.outputs,
        }),
      ),
  },
} as const;

export type NetworkName = keyof typeof NETWORKS;

/** Random data for every input of a step; timesteps in [0, 1000), weights of positions positive. */
function dataFor(step: StepGraph): Record<string, Tensor> {
  const rng = createRng(1);
  return Object.fromEntries(
    step.dataInputs.map(({ name, shape }) => {
      const dims = shape.map(Number);
      const data = rng.fillNormal(new Float32Array(dims.reduce((a, d) => a * d, 1)));
      const fitting: Record<string, (x: number) => number> = {
        timestep: () => rng.int(1000),
        weight: Math.abs,
      };
      return [name, floats(name in fitting ? data.map(fitting[name]!) : data, dims)];
    }),
  );
}

async function serve(name: NetworkName, threads: number, provider: Provider): Promise<void> {
  const step = NETWORKS[name].build();
  const trainer = await createTrainer(step, { seed: 1, threads, provider });
  const feeds = dataFor(step);
  const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);
  for await (const _ of createInterface({ input: process.stdin })) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await trainer.step(feeds, { learningRate: 1e-4, emaDecay: 0.99 });
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    say({ ms, cpuMs: (user + system) / 1000 });
  }
  say({ peakMb: process.resourceUsage().maxRSS / 1024, version: 'MindPainter' });
}

const [name, threads, provider] = process.argv.slice(2);
if (process.argv[1]?.endsWith('train-steps.ts'))
  await serve(name as NetworkName, Number(threads), provider as Provider);
