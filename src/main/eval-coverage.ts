// npm run eval:coverage: simulates many studies of the paper's shape with a planted difference between the arms and
// counts how often each 95 % interval covers it. The last line is JSON: the headline interval's coverage.

import { parseArgs } from 'node:util';
import { design } from '../design/design.js';
import { mindpainterPreset } from '../design/preset.js';
import { ratingTasks } from '../design/tasks.js';
import { createRng } from '../random.js';
import { crossedMean } from '../stats/crossed-mean.js';
import type { Interval } from '../stats/intervals.js';
import { pairRatings } from '../stats/ratings.js';
import { expectedRating, type RaterModel, simulateRatings } from '../stats/simulated-raters.js';
import type { Statistic } from '../stats/statistic.js';

const ARMS = ['mindpainter', 'two-stage'] as const;
const CRITERIA = ['large', 'small', 'none'] as const;

/** A large difference, a small one, and none: on the rating scale about 0.4, 0.15 and 0. */
const MIXED: RaterModel = {
  cutPoints: [-0.5, 0.7],
  merits: {
    large: { mindpainter: 0.8, 'two-stage': 0 },
    small: { mindpainter: 0.3, 'two-stage': 0 },
    none: { mindpainter: 0, 'two-stage': 0 },
  },
  raterBias: 0.5,
  itemEase: 0.6,
  raterByArm: 0.3,
  itemByArm: 0.3,
  noise: 1,
};

/** Populations of raters and items that pull the intervals in different directions. */
const POPULATIONS: Readonly<Record<string, RaterModel>> = {
  mixed: MIXED,
  'noise only': { ...MIXED, raterBias: 0, itemEase: 0, raterByArm: 0, itemByArm: 0 },
  'raters differ': { ...MIXED, raterByArm: 0.8, itemByArm: 0.1 },
  'items differ': { ...MIXED, raterByArm: 0.1, itemByArm: 0.8 },
  ceiling: { ...MIXED, cutPoints: [-2.4, -1.4] },
};

const METHODS = ['studentised', 'percentile', 'bca', 'raterMeans'] as const;

const { values: args } = parseArgs({
  options: {
    studies: { type: 'string', default: '1000' },
    resamples: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    population: { type: 'string', default: 'mixed' },
  },
});
const studies = Number(args.studies);
const resamples = Number(args.resamples);
const model = POPULATIONS[args.population];
if (!model || !(studies > 0) || !Number.isInteger(studies)) {
  console.error(
    `--studies wants a whole number above 0, --population one of: ${Object.keys(POPULATIONS).join(', ')}`,
  );
  process.exit(1);
}

const items = Array.from({ length: 100 }, (_, i) => ({ id: `item ${i}`, source: `source ${i}` }));
const preset = mindpainterPreset(items, ARMS, CRITERIA);
const planted = new Map(
  CRITERIA.map((criterion) => [
    criterion,
    expectedRating(model, criterion, ARMS[0]) - expectedRating(model, criterion, ARMS[1]),
  ]),
);
const covered = new Map<string, number>();
const widths = new Map<string, number>();
const add = (map: Map<string, number>, key: string, by: number) => map.set(key, (map.get(key) ?? 0) + by);
let missing = 0;

function count(method: string, criterion: string, interval: Statistic<Interval>): void {
  if (interval.status === 'UNDEFINED') {
    missing++;
    return;
  }
  const { low, high } = interval.value;
  const truth = planted.get(criterion as (typeof CRITERIA)[number])!;
  add(covered, `${method} ${criterion}`, low <= truth && truth <= high ? 1 : 0);
  add(widths, `${method} ${criterion}`, high - low);
}

const start = performance.now();
for (let study = 0; study < studies; study++) {
  const seed = Number(args.seed) * 1_000_000 + study;
  const tasks = ratingTasks(design(seed, preset, createRng));
  const ratings = simulateRatings(model, tasks, createRng(seed + 500_000));
  for (const criterion of CRITERIA) {
    const pairs = pairRatings(ratings, criterion, ...ARMS);
    const mean = crossedMean(pairs, pairs.difference, {
      seed,
      createRandom: createRng,
      resamples,
      confidence: 0.95,
    });
    for (const method of METHODS) count(method, criterion, mean[method]);
  }
}

console.log(
  `Population "${args.population}": ${studies} studies of 20 raters x 20 of 100 items x 2 arms x 3 criteria, ` +
    `${resamples} resamples each, ${((performance.now() - start) / 1000).toFixed(0)} s; UNDEFINED intervals: ${missing}`,
);
console.log(
  `planted difference  ${CRITERIA.map((criterion) => planted.get(criterion)!.toFixed(3)).join('  ')}`,
);
for (const method of METHODS) {
  const row = CRITERIA.map((criterion) => {
    const share = covered.get(`${method} ${criterion}`)! / studies;
    return `${(100 * share).toFixed(1)} % (width ${(widths.get(`${method} ${criterion}`)! / studies).toFixed(3)})`;
  });
  console.log(`${method.padEnd(12)} covers ${row.join('  ')}`);
}
const hits = CRITERIA.reduce((sum, criterion) => sum + covered.get(`studentised ${criterion}`)!, 0);
console.log(JSON.stringify({ studies, coverage: Number((hits / (studies * CRITERIA.length)).toFixed(4)) }));
