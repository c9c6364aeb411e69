// Diffusion schedulers as pure functions of their configuration: which timesteps are visited, and each step's update.

import type { SchedulerConfig } from './manifest.js';

/** Cumulative products of alpha over the training timesteps (Ho et al. 2020; cosine: Nichol and Dhariwal 2021). */
export function alphasCumprod(config: SchedulerConfig): Float64Array {
  const { num_train_timesteps: count, beta_schedule: schedule, beta_start: start, beta_end: end } = config;
  const bar = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  const result = new Float64Array(count);
  let product = 1;
  for (let i = 0; i < count; i++) {
    const share = count === 1 ? 0 : i / (count - 1);
    const beta =
      schedule === 'linear'
        ? start + (end - start) * share
        : schedule === 'scaled_linear'
          ? (Math.sqrt(start) + (Math.sqrt(end) - Math.sqrt(start)) * share) ** 2
          : Math.min(1 - bar((i + 1) / count) / bar(i / count), 0.999);
    product *= 1 - beta;
    result[i] = product;
  }
  return result;
}

/** One visit of the denoiser: where, and to which noise level the sample then goes. */
export interface Visit {
  readonly timestep: number;
  readonly previousTimestep: number;
}

/** To the nearest whole number, halves to the even one: what the reference implementation's arrays do. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}

/** The timesteps of `steps` steps, in the order in which they are visited (Lin et al. 2024, table 2). */
export function inferenceTimesteps(config: SchedulerConfig, steps: number): number[] {
  const { num_train_timesteps: count, timestep_spacing: spacing, steps_offset: offset } = config;
  if (config._class_name === 'DPMSolverMultistepScheduler') return dpmTimesteps(config, steps);
  if (spacing === 'trailing') {
    return Array.from({ length: steps }, (_, i) => roundHalfEven(count - (i * count) / steps) - 1);
  }
  if (spacing === 'linspace') {
    const gap = steps === 1 ? 0 : (count - 1) / (steps - 1);
    return Array.from({ length: steps }, (_, i) => roundHalfEven((steps - 1 - i) * gap));
  }
  const stride = Math.floor(count / steps);
  // An offset that would leave the trained levels (1000 steps of 1000, offset 1) is shortened.
  const shift = Math.min(offset, count - 1 - (steps - 1) * stride);
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride + shift);
}

/** As above, except that the solver's last step leads to the end of its range, which counts as a point of the spacing. */
function dpmTimesteps(config: SchedulerConfig, steps: number): number[] {
  const { num_train_timesteps: count, timestep_spacing: spacing, steps_offset: offset } = config;
  const lowest = config.lambda_min_clipped ?? Number.NEGATIVE_INFINITY;
  const last = alphasCumprod(config).filter((a) => 0.5 * Math.log(a / (1 - a)) >= lowest).length;
  const points = {
    trailing: (i: number) => roundHalfEven(last - (i * count) / steps) - 1,
    leading: (i: number) => (steps - i) * Math.floor(last / (steps + 1)) + offset,
    linspace: (i: number) => roundHalfEven(((steps - i) * (last - 1)) / steps),
  };
  const timesteps = Array.from({ length: steps }, (_, i) => points[spacing ?? 'linspace'](i));
  // A clipped range holds fewer trailing points; an offset may not leave the trained levels.
  return timesteps.filter((t) => t >= 0).map((t) => Math.min(t, count - 1));
}

/** A sampler advances a sample by one denoiser call; `predict` yields the network's raw output. */
export interface Sampler {
  readonly visits: readonly Visit[];
  /** Returns the next sample; keeps what multistep methods remember. */
  advance(index: number, sample: Float32Array, prediction: Float32Array): Float32Array;
}

function createDdim(config: SchedulerConfig, steps: number): Sampler {
  // Song et al. 2021, eta = 0: x_prev = sqrt(a_prev) x0 + sqrt(1 - a_prev) eps.
  const cumulative = alphasCumprod(config);
  const timesteps = inferenceTimesteps(config, steps);
  const final = config.set_alpha_to_one ? 1 : cumulative[0]!;
  const visits = timesteps.map((timestep, i) => ({ timestep, previousTimestep: timesteps[i + 1] ?? -1 }));
  return {
    visits,
    advance(index, sample, prediction) {
      const { timestep, previousTimestep } = visits[index]!;
      const a = cumulative[timestep]!;
      const previous = previousTimestep < 0 ? final : cumulative[previousTimestep]!;
      const [sa, sn, pa, pn] = [Math.sqrt(a), Math.sqrt(1 - a), Math.sqrt(previous), Math.sqrt(1 - previous)];
      // Both x0 and eps are linear in the sample and the network's output.
      const velocity = config.prediction_type === 'v_prediction';
      const keep = velocity ? pa * sa + pn * sn : pa / sa;
      const take = velocity ? pn * sa - pa * sn : pn - (pa * sn) / sa;
      const next = new Float32Array(sample.length);
      for (let i = 0; i < next.length; i++) next[i] = keep * sample[i]! + take * prediction[i]!;
      return next;
    },
  };
}

function createPndm(config: SchedulerConfig, steps: number): Sampler {
  // Liu et al. 2022 (pseudo linear multistep), without the Runge-Kutta start: the second timestep is visited twice.
  const cumulative = alphasCumprod(config);
  const timesteps = inferenceTimesteps(config, steps);
  const stride = Math.floor(config.num_train_timesteps / steps);
  const order = timesteps.length > 1 ? [timesteps[0]!, timesteps[1]!, ...timesteps.slice(1)] : timesteps;
  const visits = order.map((timestep) => ({ timestep, previousTimestep: timestep - stride }));
  const final = config.set_alpha_to_one ? 1 : cumulative[0]!;
  let history: Float32Array[] = [];
  let first: Float32Array | undefined;
  const combine = (weights: readonly number[]) =>
    history[0]!.map((_, i) => weights.reduce((sum, w, k) => sum + w * history[k]![i]!, 0));
  return {
    visits,
    advance(index, sample, prediction) {
      if (index === 0) history = [];
      let { timestep, previousTimestep } = visits[index]!;
      let from = sample;
      let noise: Float32Array;
      if (index === 1) {
        // The corrector: the mean of both predictions, applied to the sample before the first step.
        previousTimestep = timestep;
        timestep += stride;
        from = first!;
        const before = history[0]!;
        noise = prediction.map((e, i) => (e + before[i]!) / 2);
      } else {
        history = [prediction, ...history].slice(0, 4);
        if (index === 0) first = sample;
        noise =
          history.length === 1
            ? prediction
            : history.length === 2
              ? combine([3 / 2, -1 / 2])
              : history.length === 3
                ? combine([23 / 12, -16 / 12, 5 / 12])
                : combine([55 / 24, -59 / 24, 37 / 24, -9 / 24]);
      }
      const a = cumulative[timestep]!;
      const previous = previousTimestep < 0 ? final : cumulative[previousTimestep]!;
      const { sampleCoefficient, noiseCoefficient } = pndmCoefficients(a, previous);
      const velocity = config.prediction_type === 'v_prediction';
      return from.map((x, i) => {
        const e = velocity ? Math.sqrt(a) * noise[i]! + Math.sqrt(1 - a) * x : noise[i]!;
        return sampleCoefficient * x + noiseCoefficient * e;
      });
    },
  };
}

function createDpmSolver(config: SchedulerConfig, steps: number): Sampler {
  // Lu et al. 2022, "DPM-Solver++", algorithm 2 (2M): a linear multistep method on the predicted picture x0 over
  // lambda = log(alpha / sigma). The first step is of first order, and the last one where lambda has no end.
  const cumulative = alphasCumprod(config);
  const timesteps = inferenceTimesteps(config, steps);
  const visits = timesteps.map((timestep, i) => ({ timestep, previousTimestep: timesteps[i + 1] ?? -1 }));
  const toNoNoise = (config.final_sigmas_type ?? 'zero') === 'zero';
  const lowerOrderFinal = toNoNoise || ((config.lower_order_final ?? true) && timesteps.length < 15);
  const levels = [...timesteps.map((t) => cumulative[t]!), toNoNoise ? 1 : cumulative[0]!].map((a) => ({
    alpha: Math.sqrt(a),
    sigma: Math.sqrt(1 - a),
    lambda: 0.5 * Math.log(a / (1 - a)),
  }));
  let before: Float32Array | undefined;
  return {
    visits,
    advance(index, sample, prediction) {
      const [from, to] = [levels[index]!, levels[index + 1]!];
      const velocity = config.prediction_type === 'v_prediction';
      const clean = sample.map((x, i) =>
        velocity
          ? from.alpha * x - from.sigma * prediction[i]!
          : (x - from.sigma * prediction[i]!) / from.alpha,
      );
      const h = to.lambda - from.lambda;
      const last = index === 0 ? 0 : from.lambda - levels[index - 1]!.lambda;
      // Spacings of many steps repeat a timestep; across such a gap there is no slope to continue.
      const first = last === 0 || (lowerOrderFinal && index === visits.length - 1);
      const slope = first ? 0 : h / last / 2;
      const earlier = before;
      before = clean;
      const [keep, take] = [to.sigma / from.sigma, -to.alpha * Math.expm1(-h)];
      return sample.map((x, i) => {
        const x0 = clean[i]!;
        return keep * x + take * (slope === 0 ? x0 : x0 + slope * (x0 - earlier![i]!));
      });
    },
  };
}

/** The two coefficients of PNDM's transfer part (Liu et al. 2022, equation 9). */
export function pndmCoefficients(
  a: number,
  previous: number,
): { sampleCoefficient: number; noiseCoefficient: number } {
  return {
    sampleCoefficient: Math.sqrt(previous / a),
    noiseCoefficient: -(previous - a) / (a * Math.sqrt(1 - previous) + Math.sqrt(a * (1 - a) * previous)),
  };
}

/** The sampler that a scheduler_config.json asks for. */
export function createSampler(config: SchedulerConfig, steps: number): Sampler {
  if (config._class_name === 'DPMSolverMultistepScheduler') return createDpmSolver(config, steps);
  return config._class_name === 'PNDMScheduler' ? createPndm(config, steps) : createDdim(config, steps);
}
