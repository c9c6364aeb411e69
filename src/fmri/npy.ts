// NumPy's .npy format (versions 1 to 3) -> float32 matrices, and back. Pickled objects are refused, not read.

import { AppError } from '../errors.js';

/** A beta matrix, row-major [trials, voxels]. */
export interface BetaMatrix {
  readonly trials: number;
  readonly voxels: number;
  readonly data: Float32Array;
}

type Reader = (view: DataView, at: number, little: boolean) => number;

function float16(view: DataView, at: number, little: boolean): number {
  const bits = view.getUint16(at, little);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const READERS: Readonly<Record<string, readonly [bytes: number, read: Reader]>> = {
  f2: [2, float16],
  f4: [4, (v, at, little) => v.getFloat32(at, little)],
  f8: [8, (v, at, little) => v.getFloat64(at, little)],
  i1: [1, (v, at) => v.getInt8(at)],
  u1: [1, (v, at) => v.getUint8(at)],
  i2: [2, (v, at, little) => v.getInt16(at, little)],
  u2: [2, (v, at, little) => v.getUint16(at, little)],
  i4: [4, (v, at, little) => v.getInt32(at, little)],
  u4: [4, (v, at, little) => v.getUint32(at, little)],
  i8: [8, (v, at, little) => Number(v.getBigInt64(at, little))],
};

/** Reads a [trials, voxels] matrix. Throws AppError on `field` that says what is wrong and where. */
export function readBetaMatrix(bytes: Uint8Array, field: string): BetaMatrix {
  const fail = (code: 'BAD_INPUT' | 'CORRUPT' | 'UNSUPPORTED', message: string): never => {
    throw new AppError(code, message, { field });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\x93NUMPY') {
    fail('UNSUPPORTED', 'this is no .npy file; save the betas with numpy.save');
  }
  const major = bytes[6]!;
  if (major < 1 || major > 3) fail('UNSUPPORTED', `.npy version ${major} is not known`);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) fail('CORRUPT', 'the file ends within its header; upload it again');
  const header = Buffer.from(bytes.subarray(start, start + length)).toString(major === 3 ? 'utf8' : 'latin1');
  const descr = /'descr'\s*:\s*'([^']+)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape'\s*:\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!order || dims === undefined) fail('CORRUPT', 'the .npy header cannot be read');
  if (!descr) fail('UNSUPPORTED', 'structured arrays are not taken; save a plain matrix of numbers');
  if (descr!.includes('O'))
    fail(
      'UNSUPPORTED',
      'the file holds pickled Python objects, which are never loaded; save a matrix of numbers',
    );
  const reader = READERS[descr!.slice(1)];
  if (!reader || !'<>|='.includes(descr![0]!)) {
    fail(
      'UNSUPPORTED',
      `values of type ${descr} are no numbers that betas can be; save float16, float32, float64 or integers`,
    );
  }
  const shape = dims!
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map(Number);
  if (shape.length !== 2 || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    fail('BAD_INPUT', `the array has shape (${dims}); betas are a matrix of trials x voxels`);
  }
  const [trials, voxels] = shape as [number, number];
  const [size, read] = reader!;
  const body = start + length;
  const missing = trials * voxels * size - (bytes.length - body);
  if (missing !== 0) {
    fail(
      'CORRUPT',
      missing > 0
        ? `the file is cut off: ${missing} bytes are missing`
        : `the file has ${-missing} bytes too many`,
    );
  }
  const little = descr![0] !== '>';
  const fortran = order === 'True';
  const data = new Float32Array(trials * voxels);
  for (let t = 0; t < trials; t++) {
    for (let v = 0; v < voxels; v++) {
      const value = read(view, body + (fortran ? v * trials + t : t * voxels + v) * size, little);
      if (!Number.isFinite(value) || Math.abs(value) > 3.4e38) {
        fail('BAD_INPUT', `trial ${t}, voxel ${v} is ${value}; every beta must be a finite number`);
      }
      data[t * voxels + v] = value;
    }
  }
  return { trials, voxels, data };
}

/** A float32 .npy file of a row-major matrix. */
export function writeNpy(data: Float32Array, shape: readonly number[]): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY', 'latin1');
  head[6] = 1;
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([
    head,
    Buffer.from(padded, 'latin1'),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ]);
}
