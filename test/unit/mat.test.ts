// MATLAB version 5 files, byte by byte after MathWorks' "MAT-File Format"; and the real file where it is at hand.

import { existsSync, readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../src/errors.js';
import { type MatVariable, matNumeric, readMat } from '../../src/fmri/mat.js';

/** Writes files without the code under test; `little` is the byte order. */
function writer(little: boolean) {
  const u32 = (...values: number[]) => {
    const view = new DataView(new ArrayBuffer(values.length * 4));
    for (const [i, value] of values.entries()) view.setUint32(i * 4, value, little);
    return Buffer.from(view.buffer);
  };
  const element = (type: number, body: Uint8Array) =>
    Buffer.concat([u32(type, body.length), body, Buffer.alloc((8 - (body.length % 8)) % 8)]);
  /** Up to four bytes within the head itself. */
  const small = (type: number, body: Uint8Array) =>
    Buffer.concat([u32((body.length << 16) | type), body, Buffer.alloc(4 - body.length)]);
  const array = (type: number, name: string, shape: readonly number[], ...parts: Uint8Array[]) => {
    const label = Buffer.from(name);
    return element(
      14,
      Buffer.concat([
        element(6, u32(type, 0)),
        element(5, u32(...shape)),
        label.length <= 4 ? small(1, label) : element(1, label),
        ...parts,
      ]),
    );
  };
  const packed = (whole: Uint8Array) => {
    const body = deflateSync(whole);
    return Buffer.concat([u32(15, body.length), body]);
  };
  const file = (...elements: Uint8Array[]) => {
    const head = Buffer.alloc(128, ' ');
    head.write('MATLAB 5.0 MAT-file');
    head.write(little ? '\x00\x01IM' : '\x01\x00MI', 124, 'latin1');
    return Buffer.concat([head, ...elements]);
  };
  return { u32, element, small, array, packed, file };
}

type Setter = (view: DataView, at: number, value: number, little: boolean) => void;

function bytesOf(values: readonly number[], size: number, set: Setter, little: boolean): Buffer {
  const view = new DataView(new ArrayBuffer(values.length * size));
  for (const [i, value] of values.entries()) set(view, i * size, value, little);
  return Buffer.from(view.buffer);
}

/** Storage type, class, class name, bytes and setter of every numeric type. */
const TYPES: readonly (readonly [number, number, string, number, Setter])[] = [
  [1, 8, 'int8', 1, (v, at, x) => v.setInt8(at, x)],
  [2, 9, 'uint8', 1, (v, at, x) => v.setUint8(at, x)],
  [3, 10, 'int16', 2, (v, at, x, little) => v.setInt16(at, x, little)],
  [4, 11, 'uint16', 2, (v, at, x, little) => v.setUint16(at, x, little)],
  [5, 12, 'int32', 4, (v, at, x, little) => v.setInt32(at, x, little)],
  [6, 13, 'uint32', 4, (v, at, x, little) => v.setUint32(at, x, little)],
  [7, 7, 'single', 4, (v, at, x, little) => v.setFloat32(at, x, little)],
  [9, 6, 'double', 8, (v, at, x, little) => v.setFloat64(at, x, little)],
  [12, 14, 'int64', 8, (v, at, x, little) => v.setBigInt64(at, BigInt(x), little)],
  [13, 15, 'uint64', 8, (v, at, x, little) => v.setBigUint64(at, BigInt(x), little)],
];

const doubles = (values: readonly number[], little: boolean) =>
  bytesOf(values, 8, (v, at, x, l) => v.setFloat64(at, x, l), little);

/** The error of reading, or of asking for variable `name`. */
function errorOf(bytes: Uint8Array, name?: string) {
  try {
    const variables = readMat(bytes, 'file');
    if (name) matNumeric(variables, name, 'file');
  } catch (error) {
    if (isAppError(error)) return { code: error.code, field: error.field, message: error.message };
    throw error;
  }
  return undefined;
}

describe.each([true, false])('little-endian: %s', (little) => {
  const w = writer(little);

  test('every numeric class reads to its numbers, plain and compressed', () => {
    const elements = TYPES.map(([stored, type, name, size, set], i) => {
      const whole = w.array(
        type,
        name,
        [2, 3],
        w.element(stored, bytesOf([1, 2, 3, 4, 5, 120], size, set, little)),
      );
      return i % 2 ? w.packed(whole) : whole;
    });
    const variables = readMat(w.file(...elements), 'file');
    expect([...variables.keys()]).toEqual(TYPES.map(([, , name]) => name));
    for (const [, , name] of TYPES) {
      const { type, shape, data } = matNumeric(variables, name, 'file');
      expect([type, shape, [...data]]).toEqual([name, [2, 3], [1, 2, 3, 4, 5, 120]]);
    }
  });

  test('doubles may be stored as smaller integers, within the head of their element', () => {
    const x = w.array(6, 'x', [1, 3], w.small(2, Uint8Array.of(7, 0, 255)));
    const none = w.array(6, 'none', [0, 0]);
    const variables = readMat(w.file(x, none), 'file');
    expect([...matNumeric(variables, 'x', 'file').data]).toEqual([7, 0, 255]);
    expect(matNumeric(variables, 'none', 'file')).toMatchObject({ shape: [0, 0], type: 'double' });
  });

  test('char arrays are strings, a row each', () => {
    const codes = bytesOf(
      [...'acbd'].map((c) => c.charCodeAt(0)),
      2,
      (v, at, x, l) => v.setUint16(at, x, l),
      little,
    );
    const asNumbers = w.array(4, 'words', [2, 2], w.element(4, codes));
    const utf8 = w.array(4, 'name', [1, 2], w.small(16, Buffer.from('V1')));
    const variables = readMat(w.file(asNumbers, utf8), 'file');
    expect(variables.get('words')).toMatchObject({ kind: 'text', rows: ['ab', 'cd'] });
    expect(variables.get('name')).toMatchObject({ kind: 'text', rows: ['V1'] });
  });

  test('other arrays are skipped by name and refused when asked for', () => {
    const x = w.array(6, 'after', [1, 1], w.element(9, doubles([4], little)));
    const cell = w.array(1, 'cells', [1, 1], w.array(6, '', [1, 1], w.element(9, doubles([1], little))));
    const part = w.element(9, doubles([1], little));
    const complex = w.array(6 + 0x800, 'wave', [1, 1], part, part);
    const file = w.file(cell, w.packed(w.array(5, 'thin', [9, 9])), complex, w.array(2, 'record', [1, 1]), x);
    const kinds = [...readMat(file, 'file').values()].map((v: MatVariable) => [v.name, v.kind]);
    expect(kinds).toEqual([
      ['cells', 'other'],
      ['thin', 'other'],
      ['wave', 'other'],
      ['record', 'other'],
      ['after', 'numeric'],
    ]);
    for (const [name, type] of [
      ['cells', 'cell'],
      ['thin', 'sparse'],
      ['wave', 'complex double'],
      ['record', 'struct'],
    ] as const)
      expect(errorOf(file, name)).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringContaining(type),
      });
    expect(errorOf(file, 'Y')).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('after'),
    });
  });

  test('a file that is cut off anywhere is refused, but for whole variables missing at the end', () => {
    const first = w.array(6, 'first', [1, 2], w.element(9, doubles([1, 2], little)));
    const second = w.packed(w.array(6, 'second', [1, 2], w.element(9, doubles([3, 4], little))));
    const whole = w.file(first, second);
    expect(errorOf(whole)).toBeUndefined();
    for (let length = 0; length < whole.length; length++) {
      const error = errorOf(whole.subarray(0, length));
      if (length === 128 || length === 128 + first.length) expect(error).toBeUndefined();
      else expect(error, `${length} bytes`).toMatchObject({ field: 'file' });
    }
  });

  test('sizes that do not agree with the data, and integers that a number cannot hold', () => {
    const values = w.element(9, doubles([1, 2], little));
    expect(errorOf(w.file(w.array(6, 'x', [3, 1], values)))?.message).toContain('3 x 1 has 2 values');
    const large = Buffer.alloc(8);
    if (little) large.writeBigInt64LE(2n ** 60n + 1n);
    else large.writeBigInt64BE(2n ** 60n + 1n);
    expect(errorOf(w.file(w.array(14, 'n', [1, 1], w.element(12, large))))?.message).toContain('2^53');
  });
});

test('files of other versions say what to do', () => {
  const hdf = Buffer.alloc(600, ' ');
  hdf.write('MATLAB 7.3 MAT-file');
  hdf.write('\x89HDF\r\n\x1a\n', 512, 'latin1');
  expect(errorOf(hdf)).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('-v7') });
  expect(errorOf(Buffer.alloc(200))).toMatchObject({ code: 'UNSUPPORTED' });
  expect(errorOf(Buffer.from('a,b\n'.repeat(50)))?.message).toContain('no MATLAB');
});

const REAL = ['../shared/data/fmri/digits69/69dataset2.mat', process.env.DIGITS69 ?? ''].find(existsSync);
test.skipIf(!REAL)(`the digits69 file, where it is at hand${REAL ? '' : ' (it is not: skipped)'}`, () => {
  const variables = readMat(readFileSync(REAL!), 'file');
  expect(matNumeric(variables, 'Y', 'file').shape).toEqual([100, 3092]);
  const { data, shape } = matNumeric(variables, 'X', 'file');
  expect(shape).toEqual([100, 784]);
  expect([Math.min(...data), Math.max(...data)]).toEqual([0, 255]);
  expect(
    [...matNumeric(variables, 'stimulus_label', 'file').data].filter((label) => label === 1),
  ).toHaveLength(50);
  expect(variables.get('region_of_interest_mask')).toMatchObject({ kind: 'other', type: 'cell' });
});
