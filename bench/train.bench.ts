// `npm run bench:train`: training steps of PBG, BA (at NSD's size) and the toy UNet, against the same step in PyTorch.
// With --python (or MINDPAINTER_TORCH_PYTHON) naming a Python that has torch, both sides step in turn in this run;
// without, ours are compared with the committed figures of another run. The last line is JSON:
//   *VsReference = the reference's time / our time (1 or more: no slower); *MemoryRatio = our peak memory / the reference's.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createBuilder } from '../src/graph/builder.js';
import { encodeModel } from '../src/graph/onnx.js';
import { matmul, reduceSum } from '../src/graph/ops.js';
import type { Graph } from '../src/graph/types.js';
import { floats, openSession } from '../src/runtime/session.js';
import { NETWORKS, type NetworkName } from './train-steps.js';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: process.env.MINDPAINTER_TORCH_PYTHON ?? '' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '1' },
    /** cpu; webgpu and cuda are passed to the session and were not tried here. */
    provider: { type: 'string', default: 'cpu' },
    /** Only these networks, comma-separated. */
    only: { type: 'string', default: Object.keys(NETWORKS).join() },
    /** Writes the reference's figures to bench/train-reference.json. */
    record: { type: 'boolean', default: false },
  },
});
const COMMITTED = new URL('train-reference.json', import.meta.url);

interface Figures {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMb: number;
  readonly version: string;
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

/** Floating-point operations of a graph's matrix products and convolutions. */
function flopsOf(graph: Graph): number {
  const count = (shape: readonly unknown[]) => shape.reduce<number>((a, d) => a * Number(d), 1);
  let total = 0;
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    const [x, weight] = inputs;
    const made = count(outputs[0]!.shape);
    if (op === 'MatMul') total += 2 * made * Number(x!.shape.at(-1));
    if (op === 'Gemm') {
      const turned = 'int' in attributes.transA! && attributes.transA.int === 1;
      total += 2 * made * Number(x!.shape[turned ? 0 : 1]);
    }
    if (op === 'Conv') total += 2 * made * count(weight!.shape.slice(1));
    if (op === 'ConvTranspose') total += 2 * count(x!.shape) * count(weight!.shape.slice(1));
  }
  return total;
}

/** A process that takes a step for every line and answers with a line. */
function stepper(command: string, args: readonly string[]) {
  const child: ChildProcess = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args.join(' ')} ended without an answer`);
    return JSON.parse(value);
  };
  const taken: { ms: number; cpuMs: number }[] = [];
  return {
    async step(counted: boolean) {
      child.stdin!.write('\n');
      const figures = await answer();
      if (counted) taken.push(figures);
      // The threads of both runtimes spin for a while after a step; they must not eat the other's time.
      await sleep(300);
    },
    async finish(): Promise<Figures> {
      child.stdin!.end();
      const { peakMb, version } = await answer();
      return {
        ms: median(taken.map((t) => t.ms)),
        cpuMs: median(taken.map((t) => t.cpuMs)),
        peakMb,
        version,
      };
    },
  };
}

/** What the machine gives at best: MatMul of 1024 x 1024, and memory read and written by a copy in this thread. */
async function roofline(threads: number): Promise<{ gflops: number; gigabytes: number }> {
  const n = 1024;
  const b = createBuilder('matmul');
  const [x, y] = ['x', 'y'].map((name) => b.input(name, 'float32', [n, n]));
  b.output('sum', reduceSum(b, matmul(b, x!, y!), [0, 1]));
  const session = await openSession(encodeModel(b.freeze()), { threads });
  const data = floats(new Float32Array(n * n).fill(0.5), [n, n]);
  const [from, to] = [new Float32Array(3e7).fill(1), new Float32Array(3e7).fill(1)];
  let [product, copy] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await session.run({ x: data, y: data });
    const middle = performance.now();
    to.set(from);
    product = Math.min(product, middle - start);
    copy = Math.min(copy, performance.now() - middle);
  }
  await session.close();
  return { gflops: (2 * n ** 3) / product / 1e6, gigabytes: (8 * from.length) / copy / 1e6 };
}

async function measure(name: NetworkName): Promise<{ ours: Figures; reference: Figures }> {
  const node = ['--import', 'tsx', 'bench/train-steps.ts', name, values.threads, values.provider];
  const ours = stepper(process.execPath, node);
  const theirs = values.python
    ? stepper(values.python, ['test/reference/steps.py', name, values.threads])
    : undefined;
  for (let round = -2; round < Number(values.rounds); round++) {
    await ours.step(round >= 0);
    await theirs?.step(round >= 0);
  }
  const reference = theirs
    ? await theirs.finish()
    : (JSON.parse(readFileSync(COMMITTED, 'utf8'))[name] as Figures);
  return { ours: await ours.finish(), reference };
}

if (!values.python && JSON.parse(readFileSync(COMMITTED, 'utf8')).threads !== Number(values.threads))
  throw new Error(
    `the committed figures are not of ${values.threads} threads: give --python, or other --threads`,
  );
const row = (cells: readonly (string | number)[]) =>
  process.stdout.write(
    `${cells.map((cell, i) => (i === 0 ? `${cell}`.padEnd(22) : `${cell}`.padStart(11))).join('')}\n`,
  );
const limits = await roofline(Number(values.threads));
process.stdout.write(
  `MatMul ${limits.gflops.toFixed(0)} GFLOP/s, copy ${limits.gigabytes.toFixed(1)} GB/s; ${values.threads} threads; reference ${values.python ? 'measured in this run' : 'COMMITTED, from another run and maybe another machine'}\n`,
);
row(['', 'ms', 'CPU ms', 'samples/s', 'GFLOP/s', 'peak MB']);
const summary: Record<string, number> = {};
const recorded: Record<string, Figures> = {};
for (const name of values.only.split(',') as NetworkName[]) {
  const { ours, reference } = await measure(name);
  const flops = flopsOf(NETWORKS[name].build().graph);
  for (const figures of [ours, reference]) {
    const { ms, cpuMs, peakMb, version } = figures;
    const samples = (NETWORKS[name].batch / ms) * 1000;
    row([
      `${name} ${version}`,
      ms.toFixed(0),
      cpuMs.toFixed(0),
      samples.toFixed(0),
      (flops / ms / 1e6).toFixed(1),
      peakMb.toFixed(0),
    ]);
  }
  recorded[name] = reference;
  summary[`${name}VsReference`] = Number((reference.ms / ours.ms).toFixed(3));
  summary[`${name}CpuVsReference`] = Number((reference.cpuMs / ours.cpuMs).toFixed(3));
  summary[`${name}MemoryRatio`] = Number((ours.peakMb / reference.peakMb).toFixed(3));
}
if (values.record && values.python)
  writeFileSync(COMMITTED, `${JSON.stringify({ threads: Number(values.threads), ...recorded }, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(summary)}\n`);
