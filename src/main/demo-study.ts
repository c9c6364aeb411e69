// `npm run demo:study`: the paper's study end to end on the embedded default, by the public API only, with simulated raters whose
// preference is planted. Ends with one JSON line.

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { createLog } from '../log.js';
import { MindPainter, STUDY_EXPORTS, type StudyExport } from '../sdk/client.js';
import { designOf, type StudyProtocol } from '../services/study-protocol.js';
import type { StudyResults } from '../services/study-results.js';
import { type ExportedStudy, verifyExport } from '../services/study-verification.js';
import { expectedRating, type RaterModel } from '../stats/simulated-raters.js';
import { openRater, plantOpinions } from './demo/simulated-rating.js';
import { demoArms, metricTable, paintReconstructions } from './demo/study-figures.js';
import { uploadStudyLab } from './demo/study-parts.js';
import { startPlatform } from './platform.js';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'out/demo-study' },
    /** Denoising steps: few, since simulated raters look at no picture. */
    steps: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);
const out = resolve(values.out);
const seed = Number(values.seed);

/** What is read of a pilot. */
interface Pilot {
  readonly criteria: readonly { readonly criterion: string; readonly expectedWidth: number }[];
}

/** What the simulated raters think: the first arm is better on each criterion, by less each time. */
function plantedModel({ arms, criteria }: StudyProtocol): RaterModel {
  return {
    cutPoints: [-0.5, 0.7],
    merits: Object.fromEntries(
      criteria.map(({ name }, i) => [name, { [arms[0]!.id]: 0.8 - 0.3 * i, [arms[1]!.id]: 0 }]),
    ),
    raterBias: 0.5,
    itemEase: 0.6,
    raterByArm: 0.3,
    itemByArm: 0.3,
    noise: 1,
  };
}

async function paintBenchmark(mp: MindPainter): Promise<{ id: string; whole: string }> {
  const lab = await uploadStudyLab(mp, 100);
  const { imageIds, signals, modelId } = lab;
  say(`uploaded ${imageIds.length} pictures and the scans of ${signals.length} stimuli`);
  const steps = Number(values.steps);
  const { id } = await mp.benchmarks.create({
    name: 'demo',
    imageIds: [...imageIds],
    signals: signals.map((trials) => [...trials]),
    seed,
    maskShape: { shape: 'RECTANGLE', left: 0.3, top: 0.25, width: 0.4, height: 0.6 },
    arms: demoArms(modelId, steps),
  });
  await mp.benchmarks.wait(id, {
    onProgress: ({ progress }) =>
      process.stderr.write(`\rpainted ${progress.succeeded} of ${progress.total}   `),
  });
  process.stderr.write('\n');
  await mp.benchmarks.freeze(id);
  await mp.benchmarks.measure(id);
  const whole = await paintReconstructions(mp, lab, { steps, seed });
  const sheet = (of: string, kind: 'PAIRS' | 'RECONSTRUCTIONS') =>
    mp.benchmarks
      .sheetUrl(of, { kind })
      .then((url) => mp.downloads.save(url, join(out, `${kind.toLowerCase()}.png`)));
  await sheet(id, 'PAIRS');
  await sheet(whole, 'RECONSTRUCTIONS');
  return { id, whole };
}

async function main(baseUrl: string) {
  await using mp = new MindPainter({ url: baseUrl });
  const { id: benchmarkId, whole } = await paintBenchmark(mp);
  // The seed is given, and so known, for the simulated raters' sake: their answers depend on what is behind a screen.
  const order = { name: "the paper's study", benchmarkId, preset: 'MINDPAINTER', seed } as const;
  const { id } = await mp.studies.create(order);
  const design = await mp.studies.design(id);
  const protocol = design.protocol as StudyProtocol;
  say(design.balance);
  const pilot = (await mp.studies.pilot(id, { studies: 5 })).pilot as Pilot;
  say(
    `pilot: expected width of the interval ${pilot.criteria.map((c) => `${c.criterion} ${c.expectedWidth.toFixed(3)}`).join(', ')}`,
  );
  await mp.studies.open(id);
  const invitations = await mp.studies.invite({ studyId: id, count: protocol.raters });
  const plan = designOf(protocol, seed);
  const model = plantedModel(protocol);
  const opinion = plantOpinions(plan, model, seed + 1000);
  const raters = [];
  for (const { path } of invitations) {
    const rater = await openRater(baseUrl, id, path);
    // One after another, so that the n-th has the n-th seat.
    await rater.start();
    raters.push(rater);
  }
  await Promise.all(raters.map((rater, seat) => rater.rate(seat, opinion, { look: true })));
  say(`${raters.length} raters have finished`);
  await mp.studies.close(id);
  await mp.studies.unseal(id);
  const results = await mp.studies.results<StudyResults>(id);
  for (const [kind, name] of Object.entries(STUDY_EXPORTS))
    await mp.studies.saveExport(id, kind as StudyExport, join(out, name));
  const exported = JSON.parse(await readFile(join(out, STUDY_EXPORTS.json), 'utf8')) as ExportedStudy;
  const { faults } = verifyExport(exported);
  const [arm, other] = protocol.arms;
  const planted = (criterion: string) =>
    expectedRating(model, criterion, arm!.id) - expectedRating(model, criterion, other!.id);
  const lines = results.all.comparisons.map(({ criterion, difference, interval }) => {
    if (difference.mean.status === 'UNDEFINED' || interval.studentised.status === 'UNDEFINED')
      throw new Error(`${criterion} has no interval`);
    const { low, high } = interval.studentised.value;
    return { criterion, planted: planted(criterion), estimated: difference.mean.value, low, high };
  });
  for (const { criterion, planted: d, estimated, low, high } of lines)
    say(
      `${criterion}: planted ${d.toFixed(3)}, estimated ${estimated.toFixed(3)}, 95 % ${low.toFixed(3)} to ${high.toFixed(3)}`,
    );
  for (const line of await metricTable(mp, benchmarkId, 'pairs')) say(line);
  for (const line of await metricTable(mp, whole, 'reconstructions')) say(line);
  const alpha = results.all.agreement[0]!.pooled.alphaOrdinal.value;
  const round = (value: number) => Number(value.toFixed(4));
  const [first] = lines;
  return {
    items: results.all.items,
    raters: results.all.raters,
    ratings: results.all.ratings,
    plantedDifference: round(first!.planted),
    estimated: round(first!.estimated),
    ciLow: round(first!.low),
    ciHigh: round(first!.high),
    alpha: alpha.status === 'DEFINED' ? round(alpha.value) : null,
    chainVerified: faults.length === 0,
  };
}

await rm(join(out, 'data'), { recursive: true, force: true });
await mkdir(out, { recursive: true });
const config = loadConfig();
const platform = await startPlatform(
  {
    ...config,
    // An embedding that the painter does not choose by; an LPIPS network may be named in the environment.
    metricNetworks: ['models/judge', ...config.metricNetworks],
    dataDir: join(out, 'data'),
    host: '127.0.0.1',
    secret: undefined,
    port: 0,
  },
  createLog('warn'),
);
let line: Awaited<ReturnType<typeof main>>;
try {
  line = await main(platform.url);
} finally {
  await platform.stop();
}
say(`export and report lie in ${out}`);
process.stdout.write(`${JSON.stringify(line)}\n`);
