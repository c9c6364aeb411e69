// The step graph: forward, gradients and optimiser in one ONNX graph. Parameters and moments are flat vectors
// that go in and come out; Split and Reshape inside give each parameter its shape.

import { gradients } from '../autodiff/gradients.js';
import { type Builder, createBuilder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import type { Graph, GraphNode, Parameter, Value } from '../graph/types.js';

/** AdamW (Loshchilov and Hutter 2019) with optional clipping by global norm and decoupled weight decay. */
export interface OptimiserSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; absent: no clipping. */
  readonly clipNorm?: number;
}

export const ADAMW: OptimiserSettings = {
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.01,
  clipNorm: 1,
};

/** A scalar loss with any further scalars to report. */
export interface Objective {
  readonly loss: Value;
  readonly metrics?: Readonly<Record<string, Value>>;
}

/** The flat layout: decayed parameters first, so that weight decay is one slice. */
export interface Layout {
  readonly parameters: readonly Parameter[];
  readonly offsets: readonly number[];
  readonly size: number;
  readonly decayedSize: number;
}

export interface StepGraph {
  readonly graph: Graph;
  readonly layout: Layout;
  readonly dataInputs: readonly Value[];
  readonly metricNames: readonly string[];
}

const sizeOf = (parameter: Parameter) => parameter.shape.reduce((a, d) => a * d, 1);

function layOut(parameters: readonly Parameter[]): Layout {
  const ordered = [...parameters.filter((p) => p.decay), ...parameters.filter((p) => !p.decay)];
  const offsets: number[] = [];
  let size = 0;
  for (const parameter of ordered) {
    offsets.push(size);
    size += sizeOf(parameter);
  }
  const decayedSize = ordered.filter((p) => p.decay).reduce((sum, p) => sum + sizeOf(p), 0);
  return { parameters: ordered, offsets, size, decayedSize };
}

/** Nodes that give every parameter its value out of the flat vector. */
function unpackNodes(b: Builder, flat: Value, layout: Layout): GraphNode[] {
  const pieces = layout.parameters.map(
    (p): Value => ({ name: `${p.value.name}:flat`, dtype: 'float32', shape: [sizeOf(p)] }),
  );
  const sizes = b.integers(layout.parameters.map(sizeOf));
  const split: GraphNode = {
    name: 'unpack',
    op: 'Split',
    inputs: [flat, sizes],
    outputs: pieces,
    attributes: { axis: { int: 0 } },
  };
  const shaped = layout.parameters.map(
    (p, i): GraphNode => ({
      name: `unpack_${p.value.name}`,
      op: 'Reshape',
      inputs: [pieces[i], b.integers(p.shape)],
      outputs: [p.value],
      attributes: {},
    }),
  );
  return [split, ...shaped];
}

function update(b: Builder, layout: Layout, gradient: Value, settings: OptimiserSettings) {
  const { beta1, beta2, epsilon, weightDecay, clipNorm } = settings;
  const vector = (name: string) => b.input(name, 'float32', [layout.size]);
  const scalar = (name: string) => b.input(name, 'float32', []);
  const [parameters, first, second, average] = ['params', 'moment1', 'moment2', 'ema'].map(vector) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const [rate, correction1, correction2, emaDecay] = [
    'learning_rate',
    'bias_correction1',
    'bias_correction2',
    'ema_decay',
  ].map(scalar) as [Value, Value, Value, Value];
  const norm = op.sqrt(b, op.reduceSum(b, op.square(b, gradient), [0]));
  const clipped =
    clipNorm === undefined
      ? gradient
      : op.mul(b, gradient, op.minimum(b, op.div(b, clipNorm, op.add(b, norm, 1e-6)), 1));
  const moment1 = op.add(b, op.mul(b, first, beta1), op.mul(b, clipped, 1 - beta1));
  const moment2 = op.add(b, op.mul(b, second, beta2), op.mul(b, op.square(b, clipped), 1 - beta2));
  // lr * (m / c1) / (sqrt(v / c2) + eps), with the scalars gathered so that fewer passes go over the vectors.
  const denominator = op.add(b, op.sqrt(b, op.mul(b, moment2, op.div(b, 1, correction2))), epsilon);
  const step = op.div(b, op.mul(b, moment1, op.div(b, rate, correction1)), denominator);
  let start = parameters;
  if (weightDecay > 0 && layout.decayedSize > 0) {
    const keep = op.sub(b, 1, op.mul(b, rate, weightDecay));
    const decayed = op.mul(b, op.slice(b, parameters, 0, 0, layout.decayedSize), keep);
    start =
      layout.decayedSize === layout.size
        ? decayed
        : op.concat(b, [decayed, op.slice(b, parameters, 0, layout.decayedSize, layout.size)], 0);
  }
  const next = op.sub(b, start, step);
  const nextAverage = op.add(b, op.mul(b, average, emaDecay), op.mul(b, next, op.sub(b, 1, emaDecay)));
  return {
    parameters,
    norm,
    outputs: { next_params: next, next_moment1: moment1, next_moment2: moment2, next_ema: nextAverage },
  };
}

/** Builds the step graph of an objective; `build` declares data inputs and parameters on the builder. */
export function buildStepGraph(
  name: string,
  build: (b: Builder) => Objective,
  settings: OptimiserSettings = ADAMW,
): StepGraph {
  const b = createBuilder(name);
  const { loss, metrics = {} } = build(b);
  const dataInputs = b.freeze().inputs;
  const layout = layOut(b.parameters());
  const slopes = gradients(
    b,
    loss,
    layout.parameters.map((p) => p.value),
  );
  const flat = op.concat(
    b,
    slopes.map((g, i) => op.reshape(b, g, [sizeOf(layout.parameters[i]!)])),
    0,
  );
  const { parameters, norm, outputs } = update(b, layout, flat, settings);
  for (const [outputName, value] of Object.entries(outputs)) b.output(outputName, value);
  b.output('loss', loss);
  b.output('gradient_norm', norm);
  for (const [metric, value] of Object.entries(metrics)) b.output(`metric_${metric}`, value);
  const unpack = unpackNodes(b, parameters, layout);
  const whole = b.freeze();
  return {
    graph: { ...whole, parameters: [], nodes: [...unpack, ...whole.nodes] },
    layout,
    dataInputs,
    metricNames: Object.keys(metrics),
  };
}
