// The simulated subject: a fixed random encoding of what is in a picture, with noise of three origins.
// Nothing here was measured on a person, and whatever shows its data must say "simulated".

import type { RandomSource } from '../imaging/types.js';
import { KINDS } from './kinds.js';
import { COLOUR_NAMES, type SceneSpec, sampleScene } from './scene.js';

export interface SubjectSettings {
  readonly voxels: number;
  /** Standard deviation of the trial's noise in the space of meanings, where a kind stands at distance 1. */
  readonly meaningNoise: number;
  /** Voxel noise is drawn log-uniformly from this range, in units of the voxel's own signal. */
  readonly voxelNoise: readonly [low: number, high: number];
  /** Standard deviation of each session's offset and (a third of it) gain. */
  readonly sessionEffect: number;
}

export const SUBJECT_DEFAULTS: SubjectSettings = {
  voxels: 3200,
  meaningNoise: 0.34,
  voxelNoise: [1, 5],
  sessionEffect: 0.5,
};

export interface SimulatedSubject {
  readonly label: string;
  readonly simulated: true;
  readonly settings: SubjectSettings;
  /** Noise-free response [voxels] in units of signal standard deviation over random scenes. */
  respond(features: Float32Array): Float32Array;
  readonly voxelNoiseStd: Float32Array;
}

const GRID = [0.25, 0.5, 0.75];
const FEATURES = KINDS.length + COLOUR_NAMES.length + GRID.length * GRID.length + 7;

/** What a scene means to the subject: kind, colour, place on a 3 x 3 grid, size, colour behind, tint. */
export function sceneFeatures(spec: SceneSpec): Float32Array {
  const features = new Float32Array(FEATURES);
  const object = spec.objects[0];
  if (!object) return features;
  features[KINDS.indexOf(object.kind)] = 1;
  features[KINDS.length + COLOUR_NAMES.indexOf(object.colour)] = 1;
  let at = KINDS.length + COLOUR_NAMES.length;
  for (const y of GRID) {
    for (const x of GRID) {
      const squared = (object.centreX - x) ** 2 + (object.centreY - y) ** 2;
      features[at++] = Math.exp(-squared / (2 * 0.18 ** 2));
    }
  }
  features[at++] = (object.size - 0.65) * 3;
  const { background } = spec;
  const behind =
    background.style === 'photograph' ? [background.gain * 120, 120, 120] : background.colours[0];
  for (let k = 0; k < 3; k++) features[at++] = (behind[k]! - 130) / 100;
  // The object's tint: the encoding is not only of names.
  for (let k = 0; k < 3; k++) features[at++] = object.tint[k]! / 40;
  return features;
}

/** Fixes a subject's encoding: each voxel reads some meanings with random weights through a saturating gain. */
export function createSimulatedSubject(
  rng: RandomSource,
  label = '01',
  settings: SubjectSettings = SUBJECT_DEFAULTS,
): SimulatedSubject {
  const { voxels, voxelNoise } = settings;
  const weights = new Float32Array(voxels * FEATURES);
  const bias = new Float32Array(voxels);
  const voxelNoiseStd = new Float32Array(voxels);
  for (let v = 0; v < voxels; v++) {
    for (let f = 0; f < FEATURES; f++) {
      const place = f >= KINDS.length + COLOUR_NAMES.length;
      if (rng.uniform() < 0.35) weights[v * FEATURES + f] = rng.normal() * (place ? 0.45 : 1);
    }
    bias[v] = rng.normal() * 0.3;
    voxelNoiseStd[v] = voxelNoise[0] * (voxelNoise[1] / voxelNoise[0]) ** rng.uniform();
  }
  const raw = (features: Float32Array): Float32Array => {
    const response = new Float32Array(voxels);
    for (let v = 0; v < voxels; v++) {
      let sum = bias[v]!;
      for (let f = 0; f < FEATURES; f++) sum += weights[v * FEATURES + f]! * features[f]!;
      response[v] = Math.tanh(0.7 * sum);
    }
    return response;
  };
  // Standardise over a reference sample of scenes, so that noise is in units of each voxel's signal.
  const sample = Array.from({ length: 400 }, () => raw(sceneFeatures(sampleScene(rng))));
  const mean = new Float32Array(voxels);
  const std = new Float32Array(voxels);
  for (let v = 0; v < voxels; v++) {
    for (const response of sample) mean[v]! += response[v]! / sample.length;
    for (const response of sample) std[v]! += (response[v]! - mean[v]!) ** 2 / sample.length;
    std[v] = Math.sqrt(std[v]!) + 1e-3;
  }
  const respond = (features: Float32Array) => raw(features).map((x, v) => (x - mean[v]!) / std[v]!);
  return { label, simulated: true, settings, respond, voxelNoiseStd };
}

export interface SimulatedTrial {
  /** Index into the stimuli. */
  readonly stimulus: number;
  /** 1 to the number of repetitions. */
  readonly repetition: number;
}

export interface SimulatedSession {
  readonly label: string;
  readonly trials: readonly SimulatedTrial[];
  /** Row-major [trials, voxels]. */
  readonly betas: Float32Array;
}

/** Scans the subject: one repetition of every stimulus a session, in random order. */
export function simulateSessions(
  subject: SimulatedSubject,
  stimuli: readonly SceneSpec[],
  repetitions: number,
  rng: RandomSource,
): SimulatedSession[] {
  const { voxels, meaningNoise, sessionEffect } = subject.settings;
  const features = stimuli.map(sceneFeatures);
  return Array.from({ length: repetitions }, (_, session): SimulatedSession => {
    const order = stimuli.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = rng.int(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const offset = Float32Array.from({ length: voxels }, () => rng.normal() * sessionEffect);
    const gain = Float32Array.from({ length: voxels }, () => 1 + (rng.normal() * sessionEffect) / 3);
    const betas = new Float32Array(order.length * voxels);
    order.forEach((stimulus, row) => {
      const noisy = features[stimulus]!.map((x) => x + rng.normal() * meaningNoise);
      const response = subject.respond(noisy);
      for (let v = 0; v < voxels; v++) {
        const value = response[v]! + rng.normal() * subject.voxelNoiseStd[v]!;
        betas[row * voxels + v] = value * gain[v]! + offset[v]!;
      }
    });
    const trials = order.map((stimulus) => ({ stimulus, repetition: session + 1 }));
    return { label: String(session + 1).padStart(2, '0'), trials, betas };
  });
}

/** What the voxel noise alone allows: an upper bound on ncsnr per voxel, before noise in the space of meanings. */
export function voxelNoiseLimit(subject: Pick<SimulatedSubject, 'voxelNoiseStd'>): Float32Array {
  return subject.voxelNoiseStd.map((std) => 1 / std);
}
