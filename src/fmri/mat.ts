// MATLAB's version 5 files (also written by version 6 and 7): numeric arrays and text. Cells, structs, sparse and complex
// arrays are known by name and refused when asked for; version 4 and 7.3 (HDF5) are refused with what to do instead.
// Source: "MAT-File Format", MathWorks, chapter 1.

import { inflateSync } from 'node:zlib';
import { AppError } from '../errors.js';

/** A numeric (or logical) array; MATLAB's order: the first axis runs fastest. */
export interface MatNumeric {
  readonly kind: 'numeric';
  readonly name: string;
  /** MATLAB's class: double, single, int8 to uint64. */
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type MatVariable =
  | MatNumeric
  /** A char array, a string a row. */
  | { readonly kind: 'text'; readonly name: string; readonly rows: readonly string[] }
  /** A variable that is there and that this reader does not take: a cell, struct, sparse or complex array. */
  | { readonly kind: 'other'; readonly name: string; readonly type: string };

/** Array classes by their numbers; 6 to 15 are numeric. */
const CLASSES: Readonly<Record<number, string>> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  6: 'double',
  7: 'single',
  8: 'int8',
  9: 'uint8',
  10: 'int16',
  11: 'uint16',
  12: 'int32',
  13: 'uint32',
  14: 'int64',
  15: 'uint64',
  16: 'function handle',
  17: 'opaque object',
};

type Reader = (view: DataView, at: number, little: boolean) => number;

/** Storage types by their numbers: MATLAB may store an array in a smaller type than its class. */
const STORED: Readonly<Record<number, readonly [bytes: number, read: Reader]>> = {
  1: [1, (v, at) => v.getInt8(at)],
  2: [1, (v, at) => v.getUint8(at)],
  3: [2, (v, at, little) => v.getInt16(at, little)],
  4: [2, (v, at, little) => v.getUint16(at, little)],
  5: [4, (v, at, little) => v.getInt32(at, little)],
  6: [4, (v, at, little) => v.getUint32(at, little)],
  7: [4, (v, at, little) => v.getFloat32(at, little)],
  9: [8, (v, at, little) => v.getFloat64(at, little)],
  12: [8, (v, at, little) => Number(v.getBigInt64(at, little))],
  13: [8, (v, at, little) => Number(v.getBigUint64(at, little))],
};
const MATRIX = 14;
const COMPRESSED = 15;
const UTF8 = 16;
const UTF16 = 17;
/** Against files that unpack to more than memory holds. */
const MAX_UNPACKED_BYTES = 2 ** 30;

interface Element {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** Where the next element starts. */
  readonly next: number;
}

/** Reads every variable of a file. Throws AppError on `field` that says what is wrong and what to do. */
export function readMat(file: Uint8Array, field: string): Map<string, MatVariable> {
  const little = checkHeader(file, field);
  const corrupt = (what: string, cause?: unknown): never => {
    throw new AppError('CORRUPT', what, { field, cause });
  };
  const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  /** The element at an offset; small ones (up to 4 bytes) stand within their own tag. */
  function elementAt(bytes: Uint8Array, at: number): Element {
    if (at + 8 > bytes.length) return corrupt('the file ends within the head of an element; copy it again');
    const view = viewOf(bytes);
    const first = view.getUint32(at, little);
    const small = first >>> 16;
    const [type, size, start] = small
      ? [first & 0xffff, small, at + 4]
      : [first, view.getUint32(at + 4, little), at + 8];
    const missing = start + size - bytes.length;
    if (missing > 0) return corrupt(`the file is cut off: ${missing} bytes of an element are missing`);
    if (small > 4) return corrupt(`an element claims ${small} bytes within its head`);
    const end = start + size;
    // Elements end on multiples of 8 bytes, but for compressed ones; writers leave the last padding out.
    const padded = small ? at + 8 : type === COMPRESSED ? end : end + ((8 - (size % 8)) % 8);
    return { type, bytes: bytes.subarray(start, end), next: Math.min(padded, bytes.length) };
  }

  function numbers(element: Element, name: string): Float64Array {
    const stored = STORED[element.type];
    if (!stored) return corrupt(`variable ${name} is stored as type ${element.type}, which holds no numbers`);
    const [size, read] = stored;
    const view = viewOf(element.bytes);
    const values = Float64Array.from({ length: element.bytes.length / size }, (_, i) =>
      read(view, i * size, little),
    );
    const lost = element.type >= 12 && values.some((value) => !Number.isSafeInteger(value));
    return lost ? corrupt(`variable ${name} holds integers beyond 2^53; save it as double`) : values;
  }

  /** Rows of a char array [rows, columns]; its letters are stored column by column. */
  function text(element: Element, shape: readonly number[], name: string): string[] {
    const encodings: Readonly<Record<number, string>> = {
      [UTF8]: 'utf-8',
      [UTF16]: little ? 'utf-16le' : 'utf-16be',
    };
    const encoding = encodings[element.type];
    const letters = encoding
      ? [...new TextDecoder(encoding).decode(element.bytes)]
      : Array.from(numbers(element, name), (code) => String.fromCodePoint(code));
    const rows = shape[0]!;
    return Array.from({ length: rows }, (_, r) => letters.filter((_, i) => i % rows === r).join(''));
  }

  function matrix(bytes: Uint8Array): MatVariable {
    const flags = elementAt(bytes, 0);
    if (flags.type !== 6 || flags.bytes.length !== 8) return corrupt('an array lacks its flags');
    const word = viewOf(flags.bytes).getUint32(0, little);
    const type = CLASSES[word & 0xff] ?? `unknown class ${word & 0xff}`;
    if (type === 'opaque object') return { kind: 'other', name: '', type };
    const dimensions = elementAt(bytes, flags.next);
    const label = elementAt(bytes, dimensions.next);
    const name = Buffer.from(label.bytes).toString('latin1');
    const shape = Array.from(numbers(dimensions, name));
    if (shape.length < 2 || shape.some((size) => size < 0)) return corrupt(`variable ${name} has no sizes`);
    const complex = (word & 0x800) !== 0;
    const numeric = (word & 0xff) >= 6 && (word & 0xff) <= 15;
    if (complex || (!numeric && type !== 'char'))
      return { kind: 'other', name, type: complex ? `complex ${type}` : type };
    const count = shape.reduce((product, size) => product * size, 1);
    // An empty array may have no data element at all.
    const content: Element =
      label.next < bytes.length || count > 0
        ? elementAt(bytes, label.next)
        : { type: 2, bytes: new Uint8Array(0), next: label.next };
    if (type === 'char') return { kind: 'text', name, rows: text(content, shape, name) };
    const data = numbers(content, name);
    if (data.length !== count)
      return corrupt(`variable ${name} of shape ${shape.join(' x ')} has ${data.length} values`);
    return { kind: 'numeric', name, type, shape, data };
  }

  function unpack(packed: Uint8Array): Element {
    let bytes: Uint8Array;
    try {
      bytes = inflateSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
    } catch (cause) {
      return corrupt('a compressed variable cannot be unpacked: the file is damaged or cut off', cause);
    }
    return elementAt(bytes, 0);
  }

  const variables = new Map<string, MatVariable>();
  for (let at = 128; at < file.length; ) {
    const outer = elementAt(file, at);
    const element = outer.type === COMPRESSED ? unpack(outer.bytes) : outer;
    if (element.type === MATRIX && element.bytes.length > 0) {
      const variable = matrix(element.bytes);
      // Nameless ones are MATLAB's own (the data behind objects).
      if (variable.name) variables.set(variable.name, variable);
    }
    at = outer.next;
  }
  return variables;
}

/** True for little-endian files. Throws AppError for what is no version 5 file. */
function checkHeader(file: Uint8Array, field: string): boolean {
  const fail = (code: 'UNSUPPORTED' | 'CORRUPT', message: string): never => {
    throw new AppError(code, message, { field });
  };
  const latin = (start: number, end: number) => Buffer.from(file.subarray(start, end)).toString('latin1');
  const resave = "in MATLAB, save it again with save(name, '-v7')";
  if ([0, 512].some((at) => latin(at, at + 8) === '\x89HDF\r\n\x1a\n') || latin(0, 10) === 'MATLAB 7.3')
    fail('UNSUPPORTED', `this is a MATLAB 7.3 (HDF5) file; ${resave}`);
  if (file.length >= 4 && file.subarray(0, 4).includes(0))
    fail('UNSUPPORTED', `this is a MATLAB version 4 file, or none at all; ${resave}`);
  if (file.length < 128) fail('CORRUPT', 'the file ends within its header; copy it again');
  const order = latin(126, 128);
  if (order !== 'IM' && order !== 'MI') fail('UNSUPPORTED', 'this is no MATLAB .mat file');
  const little = order === 'IM';
  const version = new DataView(file.buffer, file.byteOffset).getUint16(124, little);
  if (version !== 0x0100)
    fail('UNSUPPORTED', `version 0x${version.toString(16)} of .mat is not known; ${resave}`);
  return little;
}

/** A numeric variable by name. Throws AppError NOT_FOUND that lists what there is, or UNSUPPORTED for other kinds. */
export function matNumeric(
  variables: ReadonlyMap<string, MatVariable>,
  name: string,
  field: string,
): MatNumeric {
  const variable = variables.get(name);
  if (!variable) {
    const names = [...variables.keys()].join(', ') || 'no variables';
    throw new AppError('NOT_FOUND', `the file has no variable ${name}; it has ${names}`, { field });
  }
  if (variable.kind !== 'numeric') {
    const type = variable.kind === 'text' ? 'char' : variable.type;
    throw new AppError('UNSUPPORTED', `variable ${name} is a ${type} array; a numeric array is needed`, {
      field,
    });
  }
  return variable;
}
