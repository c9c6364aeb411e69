// The schedulers against published coefficients and against a closed form: for Gaussian data the exact noise is known.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type SchedulerConfig, schedulerSchema } from '../../src/painter/manifest.js';
import {
  alphasCumprod,
  createSampler,
  inferenceTimesteps,
  pndmCoefficients,
} from '../../src/painter/scheduler.js';

/** The scheduler_config.json of Paint by Example. */
const PUBLISHED = schedulerSchema.parse({
  _class_name: 'PNDMScheduler',
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  steps_offset: 1,
  set_alpha_to_one: false,
  skip_prk_steps: true,
});
const DDIM: SchedulerConfig = { ...PUBLISHED, _class_name: 'DDIMScheduler', steps_offset: 0 };

const MEAN = 0.7;
const DEVIATION = 0.4;

/** Samples data ~ N(MEAN, DEVIATION^2) with the exact network output; also returns the exact end of each path. */
function sampleGaussian(config: SchedulerConfig, steps: number, starts: Float32Array) {
  const cumulative = alphasCumprod(config);
  const sampler = createSampler(config, steps);
  let sample = starts;
  for (const [index, { timestep }] of sampler.visits.entries()) {
    const a = cumulative[timestep]!;
    const prediction = sample.map((x) => {
      const noise = (Math.sqrt(1 - a) * (x - Math.sqrt(a) * MEAN)) / (a * DEVIATION ** 2 + 1 - a);
      const clean = (x - Math.sqrt(1 - a) * noise) / Math.sqrt(a);
      return config.prediction_type === 'epsilon' ? noise : Math.sqrt(a) * noise - Math.sqrt(1 - a) * clean;
    });
    sample = sampler.advance(index, sample, prediction);
  }
  // The probability flow keeps (x - sqrt(a) MEAN) / sqrt(a DEVIATION^2 + 1 - a) constant.
  const z = (x: number, a: number) => (x - Math.sqrt(a) * MEAN) / Math.sqrt(a * DEVIATION ** 2 + 1 - a);
  const first = cumulative[sampler.visits[0]!.timestep]!;
  const last = config.set_alpha_to_one ? 1 : cumulative[0]!;
  const exact = starts.map(
    (x) => Math.sqrt(last) * MEAN + Math.sqrt(last * DEVIATION ** 2 + 1 - last) * z(x, first),
  );
  const error = Math.max(...sample.map((x, i) => Math.abs(x - exact[i]!)));
  return { sample, exact, error };
}

const STARTS = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 8);

describe('noise levels', () => {
  test('scaled linear betas give the published products', () => {
    const cumulative = alphasCumprod(PUBLISHED);
    const golden = { 0: 0.99915, 1: 0.9982960278, 21: 0.9803807481, 500: 0.2763326838 } as const;
    for (const [t, value] of Object.entries(golden)) expect(cumulative[Number(t)]).toBeCloseTo(value, 9);
    expect(cumulative[961]).toBeCloseTo(0.0072817271, 9);
    expect(cumulative[981]).toBeCloseTo(0.0057755001, 9);
    expect(cumulative[999]).toBeCloseTo(0.0046600985, 9);
  });

  test('linear and cosine products fall from nearly one to nearly nought', () => {
    for (const beta_schedule of ['linear', 'squaredcos_cap_v2'] as const) {
      const cumulative = alphasCumprod({ ...PUBLISHED, beta_schedule, beta_start: 0.0001, beta_end: 0.02 });
      expect(cumulative[0]).toBeGreaterThan(0.9995);
      expect(cumulative[999]).toBeLessThan(1e-4);
      expect(cumulative.every((a, i) => a > 0 && (i === 0 || a < cumulative[i - 1]!))).toBe(true);
    }
    // Nichol and Dhariwal's bar(t) = cos^2 telescopes: half-way it is bar(1/2) / bar(0).
    const cosine = alphasCumprod({ ...PUBLISHED, beta_schedule: 'squaredcos_cap_v2' });
    const bar = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
    expect(cosine[499]).toBeCloseTo(bar(0.5) / bar(0), 9);
  });
});

describe('timesteps', () => {
  test('leading: 981, 961, ... 1 for 50 steps', () => {
    const timesteps = inferenceTimesteps(PUBLISHED, 50);
    expect(timesteps).toHaveLength(50);
    expect(timesteps.slice(0, 3)).toEqual([981, 961, 941]);
    expect(timesteps.slice(-2)).toEqual([21, 1]);
  });

  test('trailing starts at the last training timestep', () => {
    const timesteps = inferenceTimesteps({ ...PUBLISHED, timestep_spacing: 'trailing' }, 50);
    expect([timesteps[0], timesteps[1], timesteps.at(-1)]).toEqual([999, 979, 19]);
  });

  test.each([
    'leading',
    'linspace',
    'trailing',
  ] as const)('%s: every count of steps stays on the trained levels', (spacing) => {
    for (const steps of [1, 2, 3, 7, 50, 333, 999, 1000]) {
      const timesteps = inferenceTimesteps({ ...PUBLISHED, timestep_spacing: spacing }, steps);
      expect(timesteps).toHaveLength(steps);
      expect(timesteps.every((t) => Number.isInteger(t) && t >= 0 && t < 1000)).toBe(true);
    }
  });

  test('PNDM visits 51 times for 50 steps: the second timestep twice', () => {
    const visits = createSampler(PUBLISHED, 50).visits.map((visit) => visit.timestep);
    expect(visits).toHaveLength(51);
    expect(visits.slice(0, 5)).toEqual([981, 961, 961, 941, 921]);
    expect(createSampler(DDIM, 50).visits).toHaveLength(50);
    expect(createSampler(PUBLISHED, 1).visits).toHaveLength(1);
  });
});

describe('updates', () => {
  test('PNDM transfer coefficients are the published ones', () => {
    const cumulative = alphasCumprod(PUBLISHED);
    const first = pndmCoefficients(cumulative[981]!, cumulative[961]!);
    expect(first.sampleCoefficient).toBeCloseTo(1.122851701, 9);
    expect(first.noiseCoefficient).toBeCloseTo(-0.1232520063, 9);
    const final = pndmCoefficients(cumulative[1]!, cumulative[0]!);
    expect(final.sampleCoefficient).toBeCloseTo(1.0004276235, 9);
    expect(final.noiseCoefficient).toBeCloseTo(-0.0121420902, 9);
  });

  test('PNDM steps by the multistep weights, and its second call starts from the first sample', () => {
    const cumulative = alphasCumprod(PUBLISHED);
    const sampler = createSampler(PUBLISHED, 50);
    const move = (x: number, e: number, from: number, to: number) => {
      const c = pndmCoefficients(cumulative[from]!, cumulative[to]!);
      return c.sampleCoefficient * x + c.noiseCoefficient * e;
    };
    const x0 = 0.8;
    const e = [0.5, -0.3, 0.9, 0.2, -0.7];
    const got: number[] = [];
    let sample = Float32Array.of(x0);
    for (const [i, noise] of e.entries()) {
      sample = sampler.advance(i, sample, Float32Array.of(noise)) as Float32Array<ArrayBuffer>;
      got.push(sample[0]!);
    }
    const expected = [move(x0, e[0]!, 981, 961), move(x0, (e[0]! + e[1]!) / 2, 981, 961)];
    expected.push(move(expected[1]!, (3 * e[2]! - e[0]!) / 2, 961, 941));
    expected.push(move(expected[2]!, (23 * e[3]! - 16 * e[2]! + 5 * e[0]!) / 12, 941, 921));
    expected.push(move(expected[3]!, (55 * e[4]! - 59 * e[3]! + 37 * e[2]! - 9 * e[0]!) / 24, 921, 901));
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
  });

  test('DDIM with the true noise of one picture finds that picture', () => {
    const cumulative = alphasCumprod(DDIM);
    const config = { ...DDIM, set_alpha_to_one: true };
    const sampler = createSampler(config, 20);
    const a = cumulative[sampler.visits[0]!.timestep]!;
    const noise = Float32Array.of(0.4, -1.2, 2.1);
    let sample: Float32Array = noise.map(
      (n, i) => Math.sqrt(a) * [0.3, -0.9, 0.1][i]! + Math.sqrt(1 - a) * n,
    );
    for (const index of sampler.visits.keys()) sample = sampler.advance(index, sample, noise);
    for (const [i, value] of [0.3, -0.9, 0.1].entries()) expect(sample[i]).toBeCloseTo(value, 4);
  });

  test.each([
    'DDIMScheduler',
    'PNDMScheduler',
  ] as const)('%s: as many steps as levels, offset or not', (_class_name) => {
    for (const steps_offset of [0, 1]) {
      const { error } = sampleGaussian({ ...PUBLISHED, _class_name, steps_offset }, 1000, STARTS);
      expect(error).toBeLessThan(0.02);
    }
  });

  test('DDIM converges to the Gaussian, first order in the step', () => {
    const errors = [25, 50, 100, 200].map((steps) => sampleGaussian(DDIM, steps, STARTS).error);
    for (let i = 1; i < errors.length; i++) {
      expect(errors[i - 1]! / errors[i]!).toBeGreaterThan(1.6);
      expect(errors[i - 1]! / errors[i]!).toBeLessThan(2.5);
    }
    expect(sampleGaussian(DDIM, 1000, STARTS).error).toBeLessThan(0.01);
  });

  test('PNDM is closer to the Gaussian than DDIM in as many steps', () => {
    const config = { ...PUBLISHED, steps_offset: 0 };
    const ddim = sampleGaussian(DDIM, 50, STARTS).error;
    const pndm = sampleGaussian(config, 50, STARTS).error;
    expect(pndm).toBeLessThan(ddim / 2);
    expect(sampleGaussian(config, 250, STARTS).error).toBeLessThan(0.02);
  });

  test.each(['DDIMScheduler', 'PNDMScheduler'] as const)('%s: velocity and noise agree', (_class_name) => {
    // PNDM mixes the raw outputs of several levels, so its two forms agree only as the step goes to nought.
    const steps = _class_name === 'DDIMScheduler' ? 50 : 500;
    const config = { ...DDIM, _class_name };
    const noise = sampleGaussian(config, steps, STARTS).sample;
    const velocity = sampleGaussian({ ...config, prediction_type: 'v_prediction' }, steps, STARTS).sample;
    for (const [i, value] of noise.entries()) {
      expect(Math.abs(velocity[i]! - value)).toBeLessThan(_class_name === 'DDIMScheduler' ? 1e-4 : 0.02);
    }
  });
});

interface ReferenceCase {
  readonly config: Readonly<Record<string, unknown>>;
  readonly steps: number;
  readonly timesteps: readonly number[];
  readonly end: readonly number[];
}

describe('the reference implementation (test/reference/schedulers.py, versions in its output)', () => {
  const { start, cases } = JSON.parse(readFileSync('test/reference/schedulers.json', 'utf8')) as {
    start: number[];
    cases: ReferenceCase[];
  };
  const name = ({ config: { _class_name, ...config }, steps }: ReferenceCase) =>
    `${_class_name} ${steps} ${Object.values(config).join(' ')}`;

  test.each(cases.map((one) => [name(one), one] as const))('%s', (_name, {
    config,
    steps,
    timesteps,
    end,
  }) => {
    const sampler = createSampler(schedulerSchema.parse(config), steps);
    expect(sampler.visits.map((visit) => visit.timestep)).toEqual(timesteps);
    let sample: Float32Array = Float32Array.from(start);
    for (const [index, { timestep }] of sampler.visits.entries()) {
      const prediction = sample.map((x) => Math.cos(3 * x + 0.002 * timestep) + 0.3 * x);
      sample = sampler.advance(index, sample, prediction);
    }
    // Its noise levels are float32, and a network this curved makes the most of their rounding.
    for (const [i, value] of end.entries()) expect(Math.abs(sample[i]! - value)).toBeLessThan(2e-4);
  });
});

describe('DPM-Solver++', () => {
  const config = schedulerSchema.parse({
    ...PUBLISHED,
    _class_name: 'DPMSolverMultistepScheduler',
    timestep_spacing: 'trailing',
    final_sigmas_type: 'sigma_min',
    lower_order_final: false,
    steps_offset: 0,
  });

  test.each([
    'epsilon',
    'v_prediction',
  ] as const)('%s: second order in the step, where DDIM has one', (kind) => {
    const errorOf = (one: SchedulerConfig, steps: number) =>
      sampleGaussian({ ...one, prediction_type: kind, timestep_spacing: 'trailing' }, steps, STARTS).error;
    const errors = [50, 100, 200, 500].map((steps) => errorOf(config, steps));
    expect(errors[0]! / errors[1]!).toBeGreaterThan(2.5);
    expect(errors[1]! / errors[2]!).toBeGreaterThan(3);
    expect(errors[2]! / errors[3]!).toBeGreaterThan(5);
    expect(errors[2]).toBeLessThan(errorOf(DDIM, 200) / 2);
    expect(errors[3]).toBeLessThan(errorOf(DDIM, 500) / 5);
  });

  test('as many steps as levels stay finite, in every spacing, although timesteps repeat', () => {
    for (const timestep_spacing of ['leading', 'linspace', 'trailing'] as const) {
      for (const steps of [1, 2, 3, 500, 999, 1000]) {
        const full = { ...config, timestep_spacing, steps_offset: 1, final_sigmas_type: 'zero' as const };
        const { sample } = sampleGaussian({ ...full, set_alpha_to_one: true }, steps, STARTS);
        expect(sample.every(Number.isFinite)).toBe(true);
      }
    }
  });
});

test('settings that would be ignored are refused by name', () => {
  const kind = {
    _class_name: 'DPMSolverMultistepScheduler',
    num_train_timesteps: 1000,
    beta_schedule: 'linear',
  };
  expect(schedulerSchema.safeParse({ ...kind, use_karras_sigmas: false, trained_betas: null }).success).toBe(
    true,
  );
  for (const change of [
    { use_karras_sigmas: true },
    { thresholding: true },
    { clip_sample: true },
    { algorithm_type: 'sde-dpmsolver++' },
    { solver_order: 3 },
    { trained_betas: [0.1] },
    { skip_prk_steps: false },
    { timestep_spacing: 'log' },
  ]) {
    const { error } = schedulerSchema.safeParse({ ...kind, ...change });
    expect(error?.issues.map((issue) => issue.path)).toEqual([[Object.keys(change)[0]]]);
  }
});
