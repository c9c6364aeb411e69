// The comparison of two arms from counts, held to the plain resampling of every observation.

import { expect, test } from 'vitest';
import { createRng } from '../../src/random.js';
import { crossedBootstrap } from '../../src/stats/bootstrap.js';
import { deltaOf } from '../../src/stats/cliffs-delta.js';
import { crossedComparison } from '../../src/stats/crossed-comparison.js';
import { crossedMean } from '../../src/stats/crossed-mean.js';
import { pairRatings } from '../../src/stats/ratings.js';
import { SIMULATED_STUDIES, simulateStudy } from '../support/simulated-study.js';

const options = { seed: 7, createRandom: createRng, resamples: 300, confidence: 0.95 };

test.each(SIMULATED_STUDIES)('$name: as crossedMean and crossedBootstrap find it', (study) => {
  const [arm, other] = study.arms;
  const sides = [arm, other];
  const ratings = simulateStudy(study).filter(
    ({ screenArms }) => screenArms.length === 1 || sides.every((one) => screenArms.includes(one!)),
  );
  const pairs = pairRatings(ratings, 'realism', arm!, other!);
  const { difference, delta } = crossedComparison(pairs, pairs.first, pairs.second, options);
  expect(pairs.difference.length).toBeGreaterThan(30);
  expect(difference).toEqual(crossedMean(pairs, pairs.difference, options));
  expect(delta).toEqual(crossedBootstrap(pairs, deltaOf(pairs.first, pairs.second), options));
});

test('arms that are rated alike show no variance; no pairs show nothing', () => {
  const pairs = pairRatings(
    simulateStudy(SIMULATED_STUDIES[0]!).map((rating) => ({ ...rating, value: 2 })),
    'realism',
    'mindpainter',
    'two-stage',
  );
  const same = crossedComparison(pairs, pairs.first, pairs.second, options);
  expect(same.difference.studentised).toMatchObject({ status: 'UNDEFINED' });
  expect(same.delta.estimate).toEqual({ status: 'DEFINED', value: 0 });
  const nothing = { raters: [], items: [], rater: new Int32Array(), item: new Int32Array() };
  const none = crossedComparison(nothing, new Float64Array(), new Float64Array(), options);
  expect(none.difference.estimate.status).toBe('UNDEFINED');
  expect(none.delta.estimate.status).toBe('UNDEFINED');
});
