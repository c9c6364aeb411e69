// fMRI input: .npy matrices byte by byte after NumPy's format description (NEP 1), trial tables, labels, z-scores.

import { describe, expect, test } from 'vitest';
import { canonicalLabel } from '../../src/fmri/labels.js';
import { meanOfRows, zScoreBy, zScoreSession } from '../../src/fmri/normalise.js';
import { readBetaMatrix, writeNpy } from '../../src/fmri/npy.js';
import { parseTrialTable } from '../../src/fmri/trials.js';
import { createRng } from '../../src/random.js';

/** A .npy file from its parts, written here without the code under test. */
function npy(
  descr: string,
  shape: string,
  body: Uint8Array,
  { fortran = false, version = 1, header = '' } = {},
): Buffer {
  const text =
    header || `{'descr': ${descr}, 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape}), }\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(text, 'latin1'),
    body,
  ]);
}

/** Values as bytes, by a DataView setter. */
function bytesOf(
  values: readonly number[],
  size: number,
  set: (view: DataView, at: number, v: number) => void,
): Buffer {
  const view = new DataView(new ArrayBuffer(values.length * size));
  for (const [i, value] of values.entries()) set(view, i * size, value);
  return Buffer.from(view.buffer);
}

const VALUES = [1, -2, 3, 4, 5, -128];

describe('.npy matrices', () => {
  test('every numeric type in both byte orders reads to the same numbers', () => {
    // 1, -2, 3, 4, 5, -128 in IEEE 754 half precision.
    const halves = [0x3c00, 0xc000, 0x4200, 0x4400, 0x4500, 0xd800];
    for (const little of [true, false]) {
      const o = little ? '<' : '>';
      const cases: [string, Buffer][] = [
        [`${o}f2`, bytesOf(halves, 2, (v, at, x) => v.setUint16(at, x, little))],
        [`${o}f4`, bytesOf(VALUES, 4, (v, at, x) => v.setFloat32(at, x, little))],
        [`${o}f8`, bytesOf(VALUES, 8, (v, at, x) => v.setFloat64(at, x, little))],
        ['|i1', bytesOf(VALUES, 1, (v, at, x) => v.setInt8(at, x))],
        [`${o}i2`, bytesOf(VALUES, 2, (v, at, x) => v.setInt16(at, x, little))],
        [`${o}i4`, bytesOf(VALUES, 4, (v, at, x) => v.setInt32(at, x, little))],
        [`${o}i8`, bytesOf(VALUES, 8, (v, at, x) => v.setBigInt64(at, BigInt(x), little))],
      ];
      for (const [descr, body] of cases) {
        const matrix = readBetaMatrix(npy(`'${descr}'`, '2, 3', body), 'betas');
        expect([matrix.trials, matrix.voxels]).toEqual([2, 3]);
        expect([...matrix.data], descr).toEqual(VALUES);
      }
      const big = bytesOf([40_000, 65_535], 2, (v, at, x) => v.setUint16(at, x, little));
      expect([...readBetaMatrix(npy(`'${o}u2'`, '1, 2', big), 'betas').data]).toEqual([40_000, 65_535]);
    }
  });

  test('half precision: subnormals, the largest value, both zeros', () => {
    const bits = [0x0001, 0x03ff, 0x0400, 0x7bff, 0x8000, 0x3555];
    const body = bytesOf(bits, 2, (v, at, x) => v.setUint16(at, x, true));
    const { data } = readBetaMatrix(npy("'<f2'", '1, 6', body), 'betas');
    expect([...data]).toEqual([2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65_504, -0, 0.333251953125]);
  });

  test('Fortran order, header versions 2 and 3, and a view into a larger buffer', () => {
    const columns = bytesOf([1, 4, 2, 5, 3, 6], 4, (v, at, x) => v.setFloat32(at, x, true));
    for (const version of [1, 2, 3]) {
      const file = npy("'<f4'", '2, 3', columns, { fortran: true, version });
      expect([...readBetaMatrix(file, 'betas').data]).toEqual([1, 2, 3, 4, 5, 6]);
      const shifted = Buffer.concat([Buffer.alloc(3), file]).subarray(3);
      expect([...readBetaMatrix(shifted, 'betas').data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  test('what is written is read back, and its header is 64-byte aligned', () => {
    const rng = createRng(2);
    for (const [trials, voxels] of [
      [1, 1],
      [3, 7],
      [40, 129],
    ] as const) {
      const data = rng.fillNormal(new Float32Array(trials * voxels));
      const file = writeNpy(data, [trials, voxels]);
      expect((10 + Buffer.from(file).readUInt16LE(8)) % 64).toBe(0);
      expect(readBetaMatrix(file, 'betas')).toEqual({ trials, voxels, data });
    }
  });

  test('each fault has its own error that says where', () => {
    const four = (values: readonly number[]) => bytesOf(values, 4, (v, at, x) => v.setFloat32(at, x, true));
    const good = npy("'<f4'", '2, 3', four(VALUES));
    const cases: [string, Uint8Array, string, RegExp][] = [
      ['empty', new Uint8Array(0), 'UNSUPPORTED', /numpy\.save/],
      ['text', Buffer.from('1,2,3\n4,5,6\n7,8,9\n'), 'UNSUPPORTED', /no \.npy file/],
      ['zip', Buffer.from('PK\x03\x04 an .npz archive'), 'UNSUPPORTED', /no \.npy file/],
      ['version', npy("'<f4'", '2, 3', four(VALUES), { version: 4 }), 'UNSUPPORTED', /version 4/],
      ['in header', good.subarray(0, 30), 'CORRUPT', /header/],
      ['cut off', good.subarray(0, -5), 'CORRUPT', /5 bytes are missing/],
      ['trailing', Buffer.concat([good, Buffer.alloc(3)]), 'CORRUPT', /3 bytes too many/],
      ['garbled', npy('', '', four([]), { header: '{broken}\n' }), 'CORRUPT', /header/],
      ['pickled', npy("'|O'", '2, 3', Buffer.from('cos\nsystem\n')), 'UNSUPPORTED', /pickled/],
      ['structured', npy("[('a', '<f4')]", '2,', four([1, 2])), 'UNSUPPORTED', /structured/],
      ['text values', npy("'<U5'", '1, 1', Buffer.alloc(20)), 'UNSUPPORTED', /<U5/],
      ['booleans', npy("'|b1'", '1, 2', Buffer.alloc(2)), 'UNSUPPORTED', /\|b1/],
      ['complex', npy("'<c8'", '1, 1', Buffer.alloc(8)), 'UNSUPPORTED', /<c8/],
      ['rank 1', npy("'<f4'", '6,', four(VALUES)), 'BAD_INPUT', /trials x voxels/],
      ['rank 3', npy("'<f4'", '1, 2, 3', four(VALUES)), 'BAD_INPUT', /trials x voxels/],
      ['no rows', npy("'<f4'", '0, 3', four([])), 'BAD_INPUT', /shape/],
      ['huge claim', npy("'<f4'", '900000000, 900000000', four(VALUES)), 'CORRUPT', /missing/],
      [
        'NaN',
        npy("'<f4'", '2, 3', four([1, 2, 3, 4, Number.NaN, 6])),
        'BAD_INPUT',
        /trial 1, voxel 1 is NaN/,
      ],
      [
        'infinity in Fortran order',
        npy("'<f4'", '2, 3', four([1, 2, 3, 4, Number.NEGATIVE_INFINITY, 6]), { fortran: true }),
        'BAD_INPUT',
        /trial 0, voxel 2 is -Infinity/,
      ],
      [
        'beyond float32',
        npy(
          "'<f8'",
          '1, 1',
          bytesOf([1e39], 8, (v, at, x) => v.setFloat64(at, x, true)),
        ),
        'BAD_INPUT',
        /trial 0, voxel 0/,
      ],
      [
        'half NaN',
        npy(
          "'<f2'",
          '1, 1',
          bytesOf([0x7e00], 2, (v, at, x) => v.setUint16(at, x, true)),
        ),
        'BAD_INPUT',
        /NaN/,
      ],
    ];
    for (const [name, bytes, code, text] of cases) {
      const expected = { name: 'AppError', code, field: 'betas', message: expect.stringMatching(text) };
      expect(() => readBetaMatrix(bytes, 'betas'), name).toThrow(expect.objectContaining(expected));
    }
    // Every cut of a good file is refused.
    for (let end = 0; end < good.length; end++) {
      expect(() => readBetaMatrix(good.subarray(0, end), 'betas')).toThrow(
        expect.objectContaining({ name: 'AppError' }),
      );
    }
  });
});

describe('trial tables', () => {
  test('CSV and TSV, quotes, byte order mark, Windows line ends; repetitions are counted when absent', () => {
    const expected = [
      { stimulus: 'a.png', repetition: 1 },
      { stimulus: 'b.png', repetition: 1 },
      { stimulus: 'a.png', repetition: 2 },
    ];
    expect(parseTrialTable('stimulus\na.png\nb.png\na.png\n', 3, 'trials').rows).toEqual(expected);
    expect(
      parseTrialTable('\uFEFFonset,stimulus\r\n0,"a.png"\r\n4,b.png\r\n8,a.png\r\n\r\n', 3, 'trials').rows,
    ).toEqual(expected);
    expect(
      parseTrialTable('stimulus\trun\trepetition\na.png\t1\t1\nb.png\t1\t1\na.png\t2\t2', 3, 'trials').rows,
    ).toEqual(expected);
    expect(parseTrialTable('repetition,stimulus\n7,x', 1, 'trials').rows).toEqual([
      { stimulus: 'x', repetition: 7 },
    ]);
  });

  test('quoted cells may hold separators and doubled quotes', () => {
    expect(parseTrialTable('stimulus,run\n"a, big ""red"" ball.png",1\n', 1, 'trials').rows).toEqual([
      { stimulus: 'a, big "red" ball.png', repetition: 1 },
    ]);
    expect(parseTrialTable('run\tstimulus\tnote\n\t"a b"\t"seen ""well"""\n', 1, 'trials').rows).toEqual([
      { stimulus: 'a b', repetition: 1 },
    ]);
  });

  test('a column of labels is the category of each stimulus; empty cells say nothing', () => {
    const { rows, labels } = parseTrialTable('label,stimulus\ndog,a\n,b\n" hot dog ",c\n,a\n', 4, 'trials');
    expect(rows.map((row) => row.stimulus)).toEqual(['a', 'b', 'c', 'a']);
    expect([...labels]).toEqual([
      ['a', 'dog'],
      ['c', 'hot dog'],
    ]);
    expect(parseTrialTable('stimulus\na\n', 1, 'trials').labels.size).toBe(0);
  });

  test('faults name the line and the column', () => {
    const refused = (text: string, trials: number, message: RegExp) => {
      const expected = { code: 'BAD_INPUT', field: 'trials', message: expect.stringMatching(message) };
      expect(() => parseTrialTable(text, trials, 'trials')).toThrow(expect.objectContaining(expected));
    };
    refused('', 1, /line 1 must name a column 'stimulus'/);
    refused('image,run\na,1\n', 1, /has: image, run/);
    refused('stimulus\na\nb\n', 3, /2 trials, the matrix 3/);
    refused('stimulus,run\na,1\nb\n', 2, /line 3 has 1 cells, the header 2/);
    refused('stimulus,run\na,1\n,2\n', 2, /line 3, column stimulus/);
    refused(`stimulus\n${'x'.repeat(201)}\n`, 1, /line 2, column stimulus/);
    refused('stimulus,repetition\na,0\n', 1, /line 2, column repetition: '0'/);
    refused('stimulus,repetition\na,two\n', 1, /column repetition: 'two'/);
    refused('stimulus,repetition\na,1.5\n', 1, /column repetition/);
    refused('stimulus,run\n"a,1\n', 1, /line 2 has a quoted cell/);
    refused('stimulus,run\n"a"b,1\n', 1, /line 2 has a quoted cell/);
    refused(
      'stimulus,label\na,dog\nb,cat\na,cat\n',
      3,
      /line 4, column label: a is 'cat' here and 'dog' above/,
    );
    refused(`stimulus,label\na,${'x'.repeat(101)}\n`, 1, /line 2, column label: .* 1 to 100 characters/);
    refused('stimulus,label\na,x\0y\n', 1, /line 2, column label: .* NUL/);
  });
});

describe('labels', () => {
  test('BIDS labels lose their prefix and keep their digits', () => {
    for (const given of ['01', 'sub-01', 'subj01', 'ses-01'])
      expect(canonicalLabel(given, 'label')).toBe('01');
    expect(canonicalLabel('sub-CSI1', 'label')).toBe('CSI1');
    expect(canonicalLabel('x'.repeat(32), 'label')).toHaveLength(32);
  });

  test('anything that could be a path, or is no label, is refused', () => {
    for (const bad of [
      '',
      '../x',
      'sub-../x',
      'a/b',
      'a.b',
      'sub-',
      'sub-sub-01',
      '01\n',
      ' 01',
      'é1',
      '0\u00001',
      'x'.repeat(33),
    ]) {
      expect(() => canonicalLabel(bad, 'label'), JSON.stringify(bad)).toThrow(
        expect.objectContaining({ code: 'BAD_INPUT', field: 'label' }),
      );
    }
  });
});

describe('normalisation', () => {
  test('a session becomes mean 0 and deviation 1 per voxel (ddof 1)', () => {
    const rng = createRng(8);
    const [trials, voxels] = [50, 20];
    const betas = rng.fillNormal(new Float32Array(trials * voxels));
    for (let i = 0; i < betas.length; i++) betas[i] = 300 + (1 + (i % voxels)) * betas[i]!;
    const given = Float32Array.from(betas);
    const { data, constantVoxels } = zScoreSession(betas, voxels);
    expect(betas).toEqual(given);
    expect(constantVoxels).toBe(0);
    for (let v = 0; v < voxels; v++) {
      const column = Array.from({ length: trials }, (_, t) => data[t * voxels + v]!);
      const mean = column.reduce((a, b) => a + b) / trials;
      const variance = column.reduce((a, b) => a + (b - mean) ** 2, 0) / (trials - 1);
      expect(Math.abs(mean)).toBeLessThan(1e-5);
      expect(variance).toBeCloseTo(1, 4);
    }
    expect([...zScoreSession(Float32Array.of(1, 2, 3), 1).data]).toEqual([-1, 0, 1]);
  });

  test('trials that the statistics do not come from are scored by them, and have no say in them', () => {
    const { data } = zScoreBy(Float32Array.of(1, 2, 3, 1000), 1, [0, 1, 2]);
    expect([...data]).toEqual([-1, 0, 1, 998]);
    expect([...zScoreBy(Float32Array.of(1, 2, 3, -5), 1, [0, 1, 2]).data].slice(0, 3)).toEqual([-1, 0, 1]);
  });

  test('the same to the last bit as voxel by voxel, with constant and damaged voxels among them', () => {
    const [trials, voxels] = [31, 17];
    const betas = Float32Array.from({ length: trials * voxels }, (_, i) => Math.sin(i * i) * 10 ** (i % 5));
    for (let t = 0; t < trials; t++) betas[t * voxels + 3] = 0.1;
    betas[8 * voxels + 5] = Number.NaN;
    const fit = Array.from({ length: trials }, (_, t) => t).filter((t) => t % 4 !== 1);
    const expected = new Float32Array(betas.length);
    for (let v = 0; v < voxels; v++) {
      let [mean, sum] = [0, 0];
      for (const t of fit) mean += betas[t * voxels + v]! / fit.length;
      for (const t of fit) sum += (betas[t * voxels + v]! - mean) ** 2;
      const std = Math.sqrt(sum / (fit.length - 1));
      if (v === 3 || v === 5) continue;
      for (let t = 0; t < trials; t++) expected[t * voxels + v] = (betas[t * voxels + v]! - mean) / std;
    }
    const { data, constantVoxels } = zScoreBy(betas, voxels, fit);
    expect(constantVoxels).toBe(2);
    expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  test('voxels without variance become 0 and are counted; one trial has no variance at all', () => {
    const { data, constantVoxels } = zScoreSession(Float32Array.of(0.1, 1, 0.1, 3, 0.1, 5), 2);
    expect([...data]).toEqual([0, -1, 0, 0, 0, 1]);
    expect(constantVoxels).toBe(1);
    const single = zScoreSession(Float32Array.of(4, 5, 6), 3);
    expect([[...single.data], single.constantVoxels]).toEqual([[0, 0, 0], 3]);
  });

  test('means over chosen rows', () => {
    const rows = Float32Array.of(1, 2, 10, 20, 3, 6);
    expect([...meanOfRows(rows, 2, [0, 2])]).toEqual([2, 4]);
    expect([...meanOfRows(rows, 2, [1])]).toEqual([10, 20]);
  });
});
