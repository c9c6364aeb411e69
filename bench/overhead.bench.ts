// `npm run bench:overhead`: wall time of a paint job through the API, from submit to stored result, over the same
// number of denoiser calls on a bare session, in one run. Ends with one JSON line.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config.js';
import { writeNpy } from '../src/fmri/npy.js';
import { encodePng } from '../src/imaging/decode.js';
import { createLog } from '../src/log.js';
import { createClient } from '../src/main/demo/client.js';
import { startPlatform } from '../src/main/platform.js';
import { loadBundle } from '../src/painter/bundle.js';
import { openPainter } from '../src/painter/painter.js';
import { floats } from '../src/runtime/session.js';
import { drawPhotographSizeScene } from '../src/toy/photograph-scene.js';
import { createRng } from '../src/train/rng.js';

const STEPS = 25;
const PAINTINGS = 4;
const ROUNDS = 5;

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Seconds for the UNet calls of one job, guided (a batch of two), on a session of this process. */
async function bareSeconds(folder: string): Promise<() => Promise<number>> {
  const painter = await openPainter(await loadBundle(folder));
  const { imageSizePx, vaeScaleFactor, latentChannels, conditionSize } = painter.bundle.conventions;
  const side = imageSizePx / vaeScaleFactor;
  const channels = 2 * latentChannels + 1;
  const rng = createRng(1);
  const feeds = {
    sample: floats(rng.fillNormal(new Float32Array(2 * channels * side * side)), [2, channels, side, side]),
    timestep: floats(Float32Array.of(500, 500), [2]),
    encoder_hidden_states: floats(rng.fillNormal(new Float32Array(2 * conditionSize)), [2, 1, conditionSize]),
  };
  return async () => {
    const start = performance.now();
    for (let i = 0; i < STEPS * PAINTINGS; i++) await painter.unet.run(feeds);
    return (performance.now() - start) / 1000;
  };
}

const dataDir = await mkdtemp(join(tmpdir(), 'mindpainter-bench-'));
const config = { ...loadConfig(), dataDir, port: 0 };
const platform = await startPlatform(config, createLog('warn'));
try {
  const client = createClient(platform.url);
  const errors = 'userErrors { code message field }';
  const { models } = await client.send<{ models: { nodes: { id: string; voxels: number }[] } }>(
    '{ models(first: 1) { nodes { id voxels } } }',
  );
  const model = models.nodes[0]!;
  const { createSubject } = await client.send<{ createSubject: { subject: { id: string } } }>(
    `mutation { createSubject(input: { label: "01", simulated: true }) { subject { id } ${errors} } }`,
  );
  const betas = createRng(2).fillNormal(new Float32Array(4 * model.voxels));
  const { importFmriSession } = await client.send<{
    importFmriSession: { fmriSession: { trials: { nodes: { id: string }[] } } };
  }>(
    `mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) {
      fmriSession { trials(first: 4) { nodes { id } } } ${errors} } }`,
    { input: { subjectId: createSubject.subject.id, label: '01', betas: null, trials: null } },
    {
      'input.betas': {
        name: 'b.npy',
        type: 'application/octet-stream',
        bytes: writeNpy(betas, [4, model.voxels]),
      },
      'input.trials': { name: 't.csv', type: 'text/csv', bytes: Buffer.from('stimulus\na\nb\nc\nd\n') },
    },
  );
  const bytes = await encodePng(drawPhotographSizeScene(createRng(3)));
  const { uploadSourceImage } = await client.send<{ uploadSourceImage: { sourceImage: { id: string } } }>(
    `mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } ${errors} } }`,
    { input: { file: null } },
    { 'input.file': { name: 's.png', type: 'image/png', bytes } },
  );
  const imageId = uploadSourceImage.sourceImage.id;
  const { createMask } = await client.send<{ createMask: { mask: { id: string } } }>(
    `mutation($input: CreateMaskInput!) { createMask(input: $input) { mask { id } ${errors} } }`,
    { input: { imageId, shape: 'RECTANGLE', left: 0.3, top: 0.2, width: 0.4, height: 0.6 } },
  );
  const job = async (seed: number) => {
    const start = performance.now();
    const { submitPaintJob } = await client.send<{ submitPaintJob: { paintJob: { id: string } } }>(
      `mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id } ${errors} } }`,
      {
        input: {
          imageId,
          maskId: createMask.mask.id,
          modelId: model.id,
          seed,
          steps: STEPS,
          paintingCount: PAINTINGS,
          trialIds: [importFmriSession.fmriSession.trials.nodes[0]!.id],
        },
      },
    );
    for (;;) {
      const { paintJob } = await client.send<{ paintJob: { state: string } }>(
        'query($id: ID!) { paintJob(id: $id) { state } }',
        { id: submitPaintJob.paintJob.id },
      );
      if (paintJob.state === 'SUCCEEDED') return (performance.now() - start) / 1000;
      if (!['QUEUED', 'RUNNING'].includes(paintJob.state))
        throw new Error(`the job ended as ${paintJob.state}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  };
  const bare = await bareSeconds(config.modelFolders[0]!);
  await job(0);
  await bare();
  // In turn, so that a machine whose speed drifts slows both.
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const [through, alone] = [await job(round), await bare()];
    ratios.push(through / alone);
    process.stderr.write(
      `job ${through.toFixed(2)} s, bare ${alone.toFixed(2)} s, ratio ${(through / alone).toFixed(3)}\n`,
    );
  }
  process.stdout.write(
    `${JSON.stringify({ overheadRatio: Number(median(ratios).toFixed(3)), steps: STEPS, paintings: PAINTINGS, rounds: ROUNDS })}\n`,
  );
} finally {
  await platform.stop();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(0);
