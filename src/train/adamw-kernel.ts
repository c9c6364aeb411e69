// The optimiser's arithmetic as a WebAssembly kernel: AdamW and the moving average in one pass over memory.
// In the runtime's graph the same update takes sixteen passes, and every result is copied out once more.

export interface AdamwScalars {
  /** Multiplies the gradient first: the factor of clipping by global norm. */
  readonly gradientScale: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Learning rate over the first moment's bias correction. */
  readonly stepSize: number;
  /** 1 / sqrt(the second moment's bias correction). */
  readonly rootScale: number;
  /** 1 - learning rate * weight decay, or 1 for parameters that are not decayed. */
  readonly keep: number;
  readonly emaDecay: number;
}

export const STATE_VECTORS = ['params', 'moment1', 'moment2', 'ema'] as const;
export type StateVectors = Readonly<Record<(typeof STATE_VECTORS)[number], Float32Array>>;

export interface AdamwKernel {
  /** The state, all zero at first; the kernel updates these very arrays. */
  readonly state: StateVectors;
  /** Where the gradients of a step are to be written, laid out as the state; the runtime writes them here itself. */
  readonly gradient: Float32Array;
  /** Sum of the gradients' squares: float32 within a few thousand values, float64 beyond. */
  sumOfSquares(): number;
  /** One update of `count` elements from `offset` on by their gradients. */
  update(offset: number, count: number, scalars: AdamwScalars): void;
}

/** Squares are summed in float32 over this many values. */
const BLOCK = 32_768;
const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;

/** The part of the platform's WebAssembly that is used here; Node's types name it without its constructors. */
const wasm = (
  globalThis as unknown as {
    WebAssembly: {
      Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object, imports: object) => { readonly exports: unknown };
    };
  }
).WebAssembly;

/** Allocates state and gradient of `size` parameters. Throws a RangeError beyond what WebAssembly can address (4 GiB). */
export function createAdamwKernel(size: number): AdamwKernel {
  const stride = Math.ceil((size * 4) / 64) * 64;
  const gradientAt = STATE_VECTORS.length * stride;
  const pages = Math.ceil((gradientAt + stride) / PAGE_BYTES);
  if (pages > MAX_PAGES) throw new RangeError(`${size} parameters: the optimiser can hold 214 million`);
  const memory = new wasm.Memory({ initial: pages, maximum: pages });
  const module = new wasm.Module(kernelBytes());
  const { step, squares } = new wasm.Instance(module, { m: { m: memory } }).exports as {
    step: (...values: number[]) => void;
    squares: (at: number, count: number) => number;
  };
  const vector = (at: number) => new Float32Array(memory.buffer, at, size);
  return {
    state: Object.fromEntries(STATE_VECTORS.map((name, i) => [name, vector(i * stride)])) as StateVectors,
    gradient: vector(gradientAt),
    sumOfSquares() {
      let sum = 0;
      // The last block may reach into the zeros that fill up the vector.
      for (let from = 0; from < stride / 4; from += BLOCK)
        sum += squares(gradientAt + 4 * from, Math.min(BLOCK, stride / 4 - from));
      return sum;
    },
    update(offset, count, s) {
      const scalars = [s.gradientScale, s.beta1, 1 - s.beta1, s.beta2, 1 - s.beta2];
      scalars.push(s.epsilon, s.stepSize, s.rootScale, s.keep, s.emaDecay, 1 - s.emaDecay);
      const at = 4 * offset;
      step(at, stride + at, 2 * stride + at, 3 * stride + at, gradientAt + at, count, ...scalars);
    },
  };
}

// Below, the module's bytes (WebAssembly core specification 2.0, with 128-bit vectors).

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;

/** Instructions of one width: four floats at once, or one for the rest. */
interface Lane {
  readonly bytes: number;
  readonly load: number[];
  readonly store: number[];
  readonly splat: number[];
  readonly add: number[];
  readonly sub: number[];
  readonly mul: number[];
  readonly div: number[];
  readonly sqrt: number[];
  /** Locals that hold a gradient, two moments and a weight in this width. */
  readonly locals: readonly [number, number, number, number];
}

const vector = (code: number) => [0xfd, ...leb(code)];
const FOUR: Lane = {
  bytes: 16,
  load: [...vector(0x00), 2, 0],
  store: [...vector(0x0b), 2, 0],
  splat: vector(0x13),
  add: vector(0xe4),
  sub: vector(0xe5),
  mul: vector(0xe6),
  div: vector(0xe7),
  sqrt: vector(0xe3),
  locals: [17, 18, 19, 20],
};
const ONE: Lane = {
  bytes: 4,
  load: [0x2a, 2, 0],
  store: [0x38, 2, 0],
  splat: [],
  add: [0x92],
  sub: [0x93],
  mul: [0x94],
  div: [0x95],
  sqrt: [0x91],
  locals: [21, 22, 23, 24],
};

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const integer = (value: number) => [0x41, value];

type Five = [number[], number[], number[], number[], number[]];

/** The update of one vector or one float, after which every pointer has moved on. */
function body(lane: Lane): number[] {
  const [g, m, v, w] = lane.locals;
  const [paramsAt, firstAt, secondAt, averageAt, gradientAt] = [0, 1, 2, 3, 4];
  const scalar = (i: number) => [...get(6 + i), ...lane.splat];
  const [scale, beta1, rest1, beta2, rest2] = [0, 1, 2, 3, 4].map(scalar) as Five;
  const [epsilon, stepSize, rootScale, keep, decay] = [5, 6, 7, 8, 9].map(scalar) as Five;
  const follow = scalar(10);
  const load = (pointer: number) => [...get(pointer), ...lane.load];
  const times = (x: number[], y: number[]) => [...x, ...y, ...lane.mul];
  const plus = (x: number[], y: number[]) => [...x, ...y, ...lane.add];
  const keepAs = (local: number, value: number[], pointer: number) => [
    ...value,
    ...set(local),
    ...get(pointer),
    ...get(local),
    ...lane.store,
  ];
  const root = [...get(v), ...lane.sqrt];
  const change = [...times(get(m), stepSize), ...plus(times(root, rootScale), epsilon), ...lane.div];
  return [
    ...times(load(gradientAt), scale),
    ...set(g),
    ...keepAs(m, plus(times(load(firstAt), beta1), times(get(g), rest1)), firstAt),
    ...keepAs(v, plus(times(load(secondAt), beta2), times(times(get(g), get(g)), rest2)), secondAt),
    ...keepAs(w, [...times(load(paramsAt), keep), ...change, ...lane.sub], paramsAt),
    ...get(averageAt),
    ...plus(times(load(averageAt), decay), times(get(w), follow)),
    ...lane.store,
    ...[paramsAt, firstAt, secondAt, averageAt, gradientAt].flatMap((pointer) => [
      ...get(pointer),
      ...integer(lane.bytes),
      0x6a,
      ...set(pointer),
    ]),
  ];
}

/** while (count >= floats of the lane) { body; count -= floats } */
function loop(lane: Lane): number[] {
  const floats = lane.bytes / 4;
  const count = 5;
  return [
    ...[0x02, 0x40, 0x03, 0x40],
    ...[...get(count), ...integer(floats), 0x49, 0x0d, 1],
    ...body(lane),
    ...[...get(count), ...integer(floats), 0x6b, ...set(count), 0x0c, 0],
    ...[0x0b, 0x0b],
  ];
}

/** Four vectors of partial sums over `count` floats at a pointer (parameters 1 and 0), added up at the end. */
function sumLoop(): number[] {
  const [at, count, value] = [0, 1, 6];
  const sums = [2, 3, 4, 5];
  const { load, add, mul } = FOUR;
  return [
    ...[0x02, 0x40, 0x03, 0x40],
    ...[...get(count), 0x45, 0x0d, 1],
    ...sums.flatMap((sum, i) => [
      ...[...get(at), ...load.slice(0, -1), 16 * i, ...set(value)],
      ...[...get(sum), ...get(value), ...get(value), ...mul, ...add, ...set(sum)],
    ]),
    ...[...get(at), 0x41, ...[0xc0, 0x00], 0x6a, ...set(at)],
    ...[...get(count), ...integer(16), 0x6b, ...set(count), 0x0c, 0],
    ...[0x0b, 0x0b],
    ...[...get(2), ...get(3), ...add, ...get(4), ...get(5), ...add, ...add, ...set(value)],
    ...[0, 1, 2, 3].flatMap((lane) => [...get(value), ...vector(0x1f), lane, ...(lane > 0 ? ONE.add : [])]),
  ];
}

function kernelBytes(): Uint8Array {
  const section = (id: number, content: number[]) => [id, ...leb(content.length), ...content];
  const name = (text: string) => [text.length, ...Buffer.from(text)];
  const parameters = [...Array(6).fill(I32), ...Array(11).fill(F32)] as number[];
  const squares = [1, 5, V128, ...sumLoop(), 0x0b];
  const code = [2, 4, V128, 4, F32, ...loop(FOUR), ...loop(ONE), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, parameters.length, ...parameters, 0, 0x60, 2, I32, I32, 1, F32]),
    ...section(2, [1, ...name('m'), ...name('m'), 0x02, 0x00, ...leb(1)]),
    ...section(3, [2, 0, 1]),
    ...section(7, [2, ...name('step'), 0x00, 0, ...name('squares'), 0x00, 1]),
    ...section(10, [2, ...leb(code.length), ...code, ...leb(squares.length), ...squares]),
  ]);
}
