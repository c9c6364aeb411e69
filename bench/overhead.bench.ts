// `npm run bench:overhead`: wall time of a paint job through the API, from submit to stored result, over the same
// number of denoiser calls on a bare session, in one run. Both sides call the denoiser with the candidates of one painting,
// two rows each for guidance; the pictures are 768 x 512 and, as a second figure, 12 megapixels. Ends with one JSON line.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config.js';
import { writeNpy } from '../src/fmri/npy.js';
import { encodePng } from '../src/imaging/decode.js';
import { createLog } from '../src/log.js';
import { startPlatform } from '../src/main/platform.js';
import { loadBundle } from '../src/painter/bundle.js';
import { openPainter } from '../src/painter/painter.js';
import { createRng } from '../src/random.js';
import { floats } from '../src/runtime/session.js';
import { MindPainter } from '../src/sdk/client.js';
import { drawPhotographSizeScene } from '../src/toy/photograph-scene.js';

const STEPS = 25;
const PAINTINGS = 4;
const ROUNDS = 5;
const LARGE_ROUNDS = 3;

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Seconds for the UNet calls of one job, guided, on a session of this process. */
async function bareSeconds(folder: string): Promise<() => Promise<number>> {
  const painter = await openPainter(await loadBundle(folder));
  const { imageSizePx, vaeScaleFactor, latentChannels, conditionSize, defaults } = painter.bundle.conventions;
  const calls = STEPS * PAINTINGS;
  const rows = 2 * (defaults.candidates ?? 1);
  const side = imageSizePx / vaeScaleFactor;
  const channels = 2 * latentChannels + 1;
  const rng = createRng(1);
  const feeds = {
    sample: floats(rng.fillNormal(new Float32Array(rows * channels * side * side)), [
      rows,
      channels,
      side,
      side,
    ]),
    timestep: floats(new Float32Array(rows).fill(500), [rows]),
    encoder_hidden_states: floats(rng.fillNormal(new Float32Array(rows * conditionSize)), [
      rows,
      1,
      conditionSize,
    ]),
  };
  return async () => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await painter.unet.run(feeds);
    return (performance.now() - start) / 1000;
  };
}

const dataDir = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const config = { ...loadConfig(), dataDir, host: '127.0.0.1', secret: undefined, port: 0 };
const platform = await startPlatform(config, createLog('warn'));
const mp = new MindPainter({ url: platform.url });
try {
  const { value: model } = await mp.models.list().next();
  if (!model) throw new Error('no model is registered');
  const { id: subjectId } = await mp.subjects.create('01', { simulated: true });
  const betas = createRng(2).fillNormal(new Float32Array(4 * model.voxels));
  const session = await mp.subjects.importSession({
    subjectId,
    label: '01',
    betas: writeNpy(betas, [4, model.voxels]),
    trials: Buffer.from('stimulus\na\nb\nc\nd\n'),
  });
  const { value: trial } = await mp.subjects.trials({ sessionId: session.id }).next();
  /** Uploads a drawn picture with a mask of 24 % of it; what it gives is submitted with each job. */
  const prepare = async (width: number, height: number) => {
    const bytes = await encodePng(drawPhotographSizeScene(createRng(3), width, height));
    const { id: imageId } = await mp.images.upload(bytes);
    const box = { left: 0.3, top: 0.2, width: 0.4, height: 0.6 };
    const { id: maskId } = await mp.masks.create({ imageId, shape: 'RECTANGLE', ...box });
    return { imageId, maskId };
  };
  const job = async (picture: { imageId: string; maskId: string }, seed: number) => {
    const start = performance.now();
    const parts = { ...picture, modelId: model.id, trialIds: [trial!.id] };
    const { id } = await mp.jobs.submit({ ...parts, seed, steps: STEPS, paintingCount: PAINTINGS });
    await mp.jobs.wait(id);
    return (performance.now() - start) / 1000;
  };
  const bare = await bareSeconds(config.modelFolders[0]!);
  /** Median ratio of rounds in turn, so that a machine whose speed drifts slows both sides. */
  const measure = async (name: string, width: number, height: number, rounds: number) => {
    const picture = await prepare(width, height);
    await job(picture, 0);
    await bare();
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const [through, alone] = [await job(picture, round), await bare()];
      ratios.push(through / alone);
      const facts = `job ${through.toFixed(2)} s, bare ${alone.toFixed(2)} s, ratio ${(through / alone).toFixed(3)}`;
      process.stderr.write(`${name}: ${facts}\n`);
    }
    return Number(median(ratios).toFixed(3));
  };
  const overheadRatio = await measure('768 x 512', 768, 512, ROUNDS);
  const overheadRatio12Megapixels = await measure('4000 x 3000', 4000, 3000, LARGE_ROUNDS);
  const facts = { steps: STEPS, paintings: PAINTINGS, rounds: ROUNDS, largeRounds: LARGE_ROUNDS };
  process.stdout.write(`${JSON.stringify({ overheadRatio, overheadRatio12Megapixels, ...facts })}\n`);
} finally {
  await mp.close();
  await platform.stop();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(0);
