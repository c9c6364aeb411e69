// Graph -> ONNX bytes, the legality check, and weights back out of the bytes. No I/O: the caller has the file.

import proto from 'onnx-proto';
import { GraphError } from './builder.js';
import type { Attribute, Graph, Value } from './types.js';

const { onnx } = proto;
const OPSET = 17;
const IR_VERSION = 8;
const TYPES = { float32: 1, int64: 7, bool: 9, float16: 10 } as const;

/** How weights are stored: float16 halves the file; a Cast restores float32 at load, where the runtime folds it. */
export interface EncodeOptions {
  readonly weights?: Readonly<Record<string, Float32Array>>;
  readonly storage?: 'float32' | 'float16';
  /** For `runInto` of a session: puts an empty sequence before the outputs, at which the runtime's binding ends its copying. */
  readonly endCopying?: boolean;
}

/** Throws a GraphError unless every name is defined once, before it is used. */
export function checkGraph(graph: Graph): void {
  const defined = new Set<string>();
  const define = (value: Value, where: string) => {
    if (defined.has(value.name))
      throw new GraphError(`${graph.name}: '${value.name}' is defined twice (${where})`);
    defined.add(value.name);
  };
  for (const value of graph.inputs) define(value, 'input');
  for (const { value } of graph.parameters) define(value, 'parameter');
  for (const { value } of graph.constants) define(value, 'constant');
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input && !defined.has(input.name)) {
        throw new GraphError(
          `${graph.name}: node ${node.name} (${node.op}) uses '${input.name}' before it is defined`,
        );
      }
    }
    for (const value of node.outputs) define(value, node.name);
  }
  for (const output of graph.outputs) {
    if (!defined.has(output.name))
      throw new GraphError(`${graph.name}: output '${output.name}' is never made`);
  }
}

/** Round to nearest even, as IEEE 754 half precision; overflow becomes infinity. */
export function toFloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return Uint16Array.from(bits, (word) => {
    const sign = (word >>> 16) & 0x8000;
    const exponent = ((word >>> 23) & 0xff) - 127 + 15;
    const mantissa = word & 0x7fffff;
    if (exponent >= 31) return sign | 0x7c00 | (((word >>> 23) & 0xff) === 255 && mantissa ? 0x200 : 0);
    if (exponent <= -11) return sign;
    const full = exponent > 0 ? mantissa : mantissa | 0x800000;
    const shift = exponent > 0 ? 13 : 14 - exponent;
    const base = (exponent > 0 ? exponent << 10 : 0) + (full >>> shift);
    const rest = full & ((1 << shift) - 1);
    const half = 1 << (shift - 1);
    return sign | (rest > half || (rest === half && base & 1) ? base + 1 : base);
  });
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function valueInfo(value: Value) {
  const dim = value.shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name: value.name, type: { tensorType: { elemType: TYPES[value.dtype], shape: { dim } } } };
}

/** An output that is no tensor, and the node that makes it. */
const ENDING = {
  node: { name: 'end_copying', opType: 'SequenceEmpty', output: ['end_copying'] },
  output: {
    name: 'end_copying',
    type: { sequenceType: { elemType: { tensorType: { elemType: TYPES.float32 } } } },
  },
};

function attributeProto(name: string, attribute: Attribute) {
  const type = onnx.AttributeProto.AttributeType;
  if ('int' in attribute) return { name, type: type.INT, i: attribute.int };
  if ('float' in attribute) return { name, type: type.FLOAT, f: attribute.float };
  if ('ints' in attribute) return { name, type: type.INTS, ints: [...attribute.ints] };
  return { name, type: type.STRING, s: new TextEncoder().encode(attribute.string) };
}

/** The graph as ONNX bytes; every parameter needs its values in `weights`. */
export function encodeModel(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  checkGraph(graph);
  const { weights = {}, storage = 'float32', endCopying = false } = options;
  const initializer: object[] = [];
  const casts: object[] = [];
  for (const { value, data } of graph.constants) {
    initializer.push({
      name: value.name,
      dataType: TYPES[value.dtype],
      dims: [...value.shape],
      rawData: bytesOf(data),
    });
  }
  for (const { value, shape } of graph.parameters) {
    const data = weights[value.name];
    const size = shape.reduce((a, d) => a * d, 1);
    if (data?.length !== size) {
      throw new GraphError(
        `${graph.name}: parameter ${value.name} [${shape}] was given ${data?.length ?? 'no'} values`,
      );
    }
    const dims = [...shape];
    if (storage === 'float32') {
      initializer.push({ name: value.name, dataType: TYPES.float32, dims, rawData: bytesOf(data) });
    } else {
      const stored = `${value.name}:f16`;
      initializer.push({ name: stored, dataType: TYPES.float16, dims, rawData: bytesOf(toFloat16(data)) });
      casts.push({
        name: `cast_${value.name}`,
        opType: 'Cast',
        input: [stored],
        output: [value.name],
        attribute: [attributeProto('to', { int: TYPES.float32 })],
      });
    }
  }
  const nodes = graph.nodes.map((node) => ({
    name: node.name,
    opType: node.op,
    input: node.inputs.map((value) => value?.name ?? ''),
    output: node.outputs.map((value) => value.name),
    attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute)),
  }));
  const message = onnx.ModelProto.fromObject({
    irVersion: IR_VERSION,
    producerName: 'mindpainter',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: graph.name,
      node: [...casts, ...nodes, ...(endCopying ? [ENDING.node] : [])],
      initializer,
      input: graph.inputs.map(valueInfo),
      output: [...(endCopying ? [ENDING.output] : []), ...graph.outputs.map(valueInfo)],
    },
  });
  return onnx.ModelProto.encode(message).finish();
}

/** Half precision to single: exact, for every finite value, infinity and NaN. */
export function fromFloat16(words: Uint16Array): Float32Array {
  return Float32Array.from(words, (word) => {
    const sign = word & 0x8000 ? -1 : 1;
    const exponent = (word >>> 10) & 31;
    const fraction = (word & 1023) / 1024;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
  });
}

/** The weights that `encodeModel` stored, by their parameters' names; constants come with them. */
export function readWeights(bytes: Uint8Array): Record<string, Float32Array> {
  const weights: Record<string, Float32Array> = {};
  for (const { name, dataType, rawData } of onnx.ModelProto.decode(bytes).graph?.initializer ?? []) {
    const raw = new Uint8Array(rawData ?? []).buffer;
    if (dataType === TYPES.float32) weights[name!] = new Float32Array(raw);
    if (dataType === TYPES.float16) weights[name!.replace(/:f16$/, '')] = fromFloat16(new Uint16Array(raw));
  }
  return weights;
}
