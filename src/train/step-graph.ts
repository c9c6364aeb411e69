// The step graph: forward pass and gradients in one ONNX graph. Parameters go in by name, gradients come out;
// the optimiser's arithmetic is in adamw-kernel.ts.

import { gradients } from '../autodiff/gradients.js';
import { type Builder, createBuilder } from '../graph/builder.js';
import * as op from '../graph/ops.js';
import type { Graph, Parameter, Value } from '../graph/types.js';

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

/** Where each parameter lies in the flat vectors of a checkpoint: decayed parameters first. */
export interface Layout {
  readonly parameters: readonly Parameter[];
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  readonly size: number;
}

export interface StepGraph {
  readonly graph: Graph;
  readonly layout: Layout;
  readonly optimiser: OptimiserSettings;
  readonly dataInputs: readonly Value[];
  /** The output that holds each parameter's gradient, in the layout's order. */
  readonly gradientNames: readonly string[];
  readonly metricNames: readonly string[];
}

function layOut(parameters: readonly Parameter[]): Layout {
  const ordered = [...parameters.filter((p) => p.decay), ...parameters.filter((p) => !p.decay)];
  const sizes = ordered.map((p) => p.shape.reduce((a, d) => a * d, 1));
  const offsets: number[] = [];
  let size = 0;
  for (const count of sizes) {
    offsets.push(size);
    size += count;
  }
  return { parameters: ordered, offsets, sizes, size };
}

/** Makes each gradient an output; one that no node makes (a plain input or constant), or that is out already, is copied first. */
function nameGradients(b: Builder, slopes: readonly Value[]): string[] {
  const free = new Set(b.nodes().flatMap((node) => node.outputs.map((value) => value.name)));
  return slopes.map((g, i) => {
    const name = `gradient_${i}`;
    b.output(name, free.delete(g.name) ? g : op.reshape(b, g, g.shape));
    return name;
  });
}

/** Builds the step graph of an objective; `build` declares data inputs and parameters on the builder. */
export function buildStepGraph(
  name: string,
  build: (b: Builder) => Objective,
  optimiser: OptimiserSettings = ADAMW,
): StepGraph {
  const b = createBuilder(name);
  const { loss, metrics = {} } = build(b);
  const dataInputs = b.freeze().inputs;
  const layout = layOut(b.parameters());
  const parameters = layout.parameters.map((p) => p.value);
  const slopes = gradients(b, loss, parameters);
  const gradientNames = nameGradients(b, slopes);
  b.output('loss', loss);
  for (const [metric, value] of Object.entries(metrics)) b.output(`metric_${metric}`, value);
  const whole = b.freeze();
  return {
    graph: { ...whole, parameters: [], inputs: [...dataInputs, ...parameters] },
    layout,
    optimiser,
    dataInputs,
    gradientNames,
    metricNames: Object.keys(metrics),
  };
}
