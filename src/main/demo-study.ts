// `npm run demo:study`: the paper's study end to end on the embedded default, by the public API only, with simulated raters whose
// preference is planted. Ends with one JSON line.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { createLog } from '../log.js';
import { MindPainter } from '../sdk/client.js';
import { designOf, type StudyProtocol } from '../services/study-protocol.js';
import type { StudyResults } from '../services/study-results.js';
import { type ExportedStudy, verifyExport } from '../services/study-verification.js';
import { expectedRating, type RaterModel } from '../stats/simulated-raters.js';
import { type Client, createClient } from './demo/client.js';
import { openRater, plantOpinions } from './demo/simulated-rating.js';
import {
  demoArms,
  metricTable,
  paintReconstructions,
  saveSheet,
  startMeasuring,
} from './demo/study-figures.js';
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
const ERRORS = 'userErrors { code message field }';

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

async function paintBenchmark(mp: MindPainter, client: Client): Promise<{ id: string; whole: string }> {
  const lab = await uploadStudyLab(mp, 100);
  const { imageIds, signals, modelId } = lab;
  const steps = Number(values.steps);
  say(`uploaded ${imageIds.length} pictures and the scans of ${signals.length} stimuli`);
  const { createBenchmark } = await client.send<{ createBenchmark: { benchmark: { id: string } } }>(
    `mutation($input: CreateBenchmarkInput!) { createBenchmark(input: $input) { benchmark { id } ${ERRORS} } }`,
    {
      input: {
        name: 'demo',
        imageIds,
        signals,
        seed,
        maskShape: { shape: 'RECTANGLE', left: 0.3, top: 0.25, width: 0.4, height: 0.6 },
        arms: demoArms(modelId, steps),
      },
    },
  );
  const { id } = createBenchmark.benchmark;
  for (let shown = -1; ; ) {
    const { benchmark } = await client.send<{
      benchmark: { progress: { total: number; succeeded: number; failed: number } };
    }>('query($id: ID!) { benchmark(id: $id) { progress { total succeeded failed } } }', { id });
    const { total, succeeded, failed } = benchmark.progress;
    if (succeeded !== shown) process.stderr.write(`\rpainted ${succeeded} of ${total}   `);
    shown = succeeded;
    if (succeeded + failed === total) break;
    await new Promise((done) => setTimeout(done, 500));
  }
  process.stderr.write('\n');
  await client.send(
    `mutation($input: FreezeBenchmarkInput!) { freezeBenchmark(input: $input) { benchmark { id } ${ERRORS} } }`,
    {
      input: { id },
    },
  );
  await startMeasuring(mp, id);
  const whole = await paintReconstructions(mp, lab, { steps, seed });
  await saveSheet(mp, id, 'PAIRS', out);
  await saveSheet(mp, whole, 'RECONSTRUCTIONS', out);
  return { id, whole };
}

async function step<T>(client: Client, name: string, input: object, selection = 'id'): Promise<T> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const answer = await client.send<Record<string, { study: T }>>(
    `mutation($input: ${type}!) { ${name}(input: $input) { study { ${selection} } ${ERRORS} } }`,
    { input },
  );
  return answer[name]!.study;
}

async function main(baseUrl: string) {
  const client = createClient(baseUrl);
  await using mp = new MindPainter({ url: baseUrl });
  const { id: benchmarkId, whole } = await paintBenchmark(mp, client);
  const study = await step<{ id: string; protocol: StudyProtocol; balance: string }>(
    client,
    'createStudy',
    // The seed is given, and so known, for the simulated raters' sake: their answers depend on what is behind a screen.
    { name: "the paper's study", benchmarkId, preset: 'MINDPAINTER', seed },
    'id protocol balance',
  );
  const { id, protocol } = study;
  say(study.balance);
  const { pilot } = await step<{ pilot: { criteria: { criterion: string; expectedWidth: number }[] } }>(
    client,
    'pilotStudy',
    { id, studies: 5 },
    'pilot',
  );
  say(
    `pilot: expected width of the interval ${pilot.criteria.map((c) => `${c.criterion} ${c.expectedWidth.toFixed(3)}`).join(', ')}`,
  );
  await step(client, 'openStudy', { id });
  const { inviteStudyRaters } = await client.send<{ inviteStudyRaters: { invitations: { path: string }[] } }>(
    `mutation($input: InviteStudyRatersInput!) { inviteStudyRaters(input: $input) { invitations { path } ${ERRORS} } }`,
    { input: { studyId: id, count: protocol.raters } },
  );
  const plan = designOf(protocol, seed);
  const model = plantedModel(protocol);
  const opinion = plantOpinions(plan, model, seed + 1000);
  const raters = [];
  for (const { path } of inviteStudyRaters.invitations) {
    const rater = await openRater(baseUrl, id, path);
    // One after another, so that the n-th has the n-th seat.
    await rater.start();
    raters.push(rater);
  }
  await Promise.all(raters.map((rater, seat) => rater.rate(seat, opinion, { look: true })));
  say(`${raters.length} raters have finished`);
  await step(client, 'closeStudy', { id });
  const { results, exportPath } = await step<{ results: StudyResults; exportPath: string }>(
    client,
    'unsealStudy',
    { id },
    'results exportPath',
  );
  for (const name of ['export.json', 'ratings.csv', 'dictionary.csv', 'report.html'])
    await writeFile(join(out, name), await client.download(exportPath + name));
  const exported = JSON.parse(
    Buffer.from(await client.download(`${exportPath}export.json`)).toString(),
  ) as ExportedStudy;
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
