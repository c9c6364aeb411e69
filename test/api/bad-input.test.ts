// Every kind of bad input through the real API: a typed error that names the field, and nothing stored.

import { connect } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeNpy } from '../../src/fmri/npy.js';
import { type Answer, type Lab, startLab, type UploadFile } from '../support/lab.js';

let lab: Lab;
const ids = { subject: '', image: '', mask: '', model: '', trial: '', otherTrial: '' };

const UPLOAD =
  'mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } userErrors { code message field } } }';
const MASK =
  'mutation($input: UploadMaskInput!) { uploadMask(input: $input) { mask { id coverage } userErrors { code message field } } }';
const SHAPE =
  'mutation($input: CreateMaskInput!) { createMask(input: $input) { mask { id shape coverage } userErrors { code message field } } }';
const SUBJECT =
  'mutation($input: CreateSubjectInput!) { createSubject(input: $input) { subject { id label } userErrors { code message field } } }';
const SESSION =
  'mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) { fmriSession { id trials(first: 10) { nodes { id } } } userErrors { code message field } } }';
const SUBMIT =
  'mutation($input: SubmitPaintJobInput!) { submitPaintJob(input: $input) { paintJob { id state } userErrors { code message field } } }';
const RATE =
  'mutation($input: RatePaintingInput!) { ratePainting(input: $input) { rating { id } userErrors { code message field } } }';
const CANCEL =
  'mutation($input: CancelPaintJobInput!) { cancelPaintJob(input: $input) { paintJob { id } userErrors { code message field } } }';

const file = (bytes: Uint8Array, name = 'upload'): UploadFile => ({ name, bytes });
const plain = (width: number, height: number, value: number) =>
  sharp({
    create: { width, height, channels: 3, background: { r: value, g: value, b: value } },
    limitInputPixels: false,
  });
const noise = (width: number, height: number) =>
  sharp(
    Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 7919) % 251),
    { raw: { width, height, channels: 3 } },
  );
const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1);
const VOXELS = 6;
const betas = (trials: number, voxels = VOXELS) =>
  writeNpy(
    Float32Array.from({ length: trials * voxels }, (_, i) => Math.sin(i * 1.7)),
    [trials, voxels],
  );
const table = (trials: number) =>
  file(Buffer.from(['stimulus', ...Array.from({ length: trials }, (_, i) => `s${i}`)].join('\n')));

function payload<T>(
  answer: Answer,
): { userErrors: { code: string; message: string; field: string | null }[] } & T {
  expect(answer.errors).toBeUndefined();
  return Object.values(answer.data!)[0] as never;
}

async function importSession(label: string, npy: Uint8Array, trials = table(3), subjectId = ids.subject) {
  const input = { subjectId, label, betas: null, trials: null };
  return payload<{ fmriSession: { id: string; trials: { nodes: { id: string }[] } } | null }>(
    await lab.send(SESSION, { input }, { 'input.betas': file(npy), 'input.trials': trials }),
  );
}

beforeAll(async () => {
  lab = await startLab({ maxUploadBytes: 3_000_000 });
  const created = await lab.send(SUBJECT, { input: { label: 'sub-01', simulated: true } });
  ids.subject = payload<{ subject: { id: string } }>(created).subject.id;
  const model = await lab.services.store.prisma.model.create({
    data: {
      name: 'tiny',
      hash: 'x',
      folder: 'x',
      subjectLabel: '01',
      simulated: true,
      voxels: VOXELS,
      imageSizePx: 16,
      defaultSteps: 2,
      defaultGuidanceScale: 1,
    },
  });
  ids.model = `Model_${model.id}`;
  ids.trial = (await importSession('01', betas(3))).fmriSession!.trials.nodes[0]!.id;
  const other = payload<{ subject: { id: string } }>(await lab.send(SUBJECT, { input: { label: '02' } }))
    .subject.id;
  ids.otherTrial = (await importSession('01', betas(3), table(3), other)).fmriSession!.trials.nodes[0]!.id;
  const png = await noise(64, 48).png().toBuffer();
  const uploaded = await lab.send(UPLOAD, { input: { file: null } }, { 'input.file': file(png) });
  ids.image = payload<{ sourceImage: { id: string } }>(uploaded).sourceImage.id;
  const shape = await lab.send(SHAPE, {
    input: { imageId: ids.image, shape: 'RECTANGLE', left: 0.25, top: 0.25, width: 0.5, height: 0.5 },
  });
  ids.mask = payload<{ mask: { id: string } }>(shape).mask.id;
}, 60_000);

afterAll(async () => lab?.close());

/** Sends what must be refused, and compares the store before and after. */
async function refuses(send: () => Promise<Answer>, field: string, code: string) {
  const before = await lab.census();
  const { userErrors } = payload<object>(await send());
  expect(userErrors).toEqual([{ code, field, message: expect.stringMatching(/.{10}/) }]);
  expect(await lab.census()).toEqual(before);
}

const pictures: [string, string, () => Promise<Uint8Array>][] = [
  ['not an image', 'UNSUPPORTED', async () => Buffer.from('this is a letter, not a picture')],
  ['an empty file', 'BAD_INPUT', async () => new Uint8Array(0)],
  ['a GIF', 'UNSUPPORTED', () => plain(32, 32, 9).gif().toBuffer()],
  ['a truncated PNG', 'CORRUPT', async () => half(await noise(200, 200).png().toBuffer())],
  ['a truncated JPEG', 'CORRUPT', async () => half(await noise(200, 200).jpeg().toBuffer())],
  ['1x1', 'BAD_INPUT', () => plain(1, 1, 9).png().toBuffer()],
  ['20,000x20,000, a decompression bomb', 'TOO_LARGE', () => plain(20_000, 20_000, 0).png().toBuffer()],
  ['more bytes than allowed', 'TOO_LARGE', async () => new Uint8Array(3_000_001)],
];
test.each(pictures)(
  'source image: %s',
  async (_, code, make) => {
    const bytes = await make();
    await refuses(
      () => lab.send(UPLOAD, { input: { file: null } }, { 'input.file': file(bytes) }),
      'file',
      code,
    );
  },
  30_000,
);

const masks: [string, () => Promise<Uint8Array>][] = [
  ['another size', () => plain(48, 64, 255).png().toBuffer()],
  ['empty', () => plain(64, 48, 0).png().toBuffer()],
  ['grey values', () => plain(64, 48, 128).png().toBuffer()],
];
test.each(masks)('mask: %s', async (_, make) => {
  const bytes = await make();
  const input = { imageId: ids.image, file: null };
  await refuses(() => lab.send(MASK, { input }, { 'input.file': file(bytes) }), 'file', 'BAD_INPUT');
});

/** A white disc that an editor saved on a transparent canvas; `alpha` is that of the disc. */
const disc = (alpha: number) =>
  sharp(
    Uint8Array.from({ length: 64 * 48 * 4 }, (_, i) => {
      const [x, y] = [(i >> 2) % 64, Math.floor((i >> 2) / 64)];
      const inside = (x - 32) ** 2 + (y - 24) ** 2 < 100;
      // Pixels that are transparent may still carry a colour.
      return i % 4 === 3 ? (inside ? alpha : 0) : 255;
    }),
    { raw: { width: 64, height: 48, channels: 4 } },
  );

test('mask: what is transparent is kept; what is half so is grey', async () => {
  const input = { imageId: ids.image, file: null };
  for (const bytes of [
    await disc(255).png().toBuffer(),
    await disc(255).webp({ lossless: true }).toBuffer(),
  ]) {
    const { mask, userErrors } = payload<{ mask: { coverage: number } }>(
      await lab.send(MASK, { input }, { 'input.file': file(bytes) }),
    );
    expect(userErrors).toEqual([]);
    expect(mask.coverage).toBeCloseTo((Math.PI * 100) / (64 * 48), 2);
  }
  for (const alpha of [128, 0]) {
    const bytes = await disc(alpha).png().toBuffer();
    await refuses(() => lab.send(MASK, { input }, { 'input.file': file(bytes) }), 'file', 'BAD_INPUT');
  }
});

test('mask shapes outside the picture, and lengths that are missing', async () => {
  const box = { imageId: ids.image, shape: 'RECTANGLE', left: 0.5, top: 0, width: 0.8, height: 0.5 };
  await refuses(() => lab.send(SHAPE, { input: box }), 'width', 'BAD_INPUT');
  await refuses(
    () => lab.send(SHAPE, { input: { imageId: ids.image, shape: 'BORDER' } }),
    'border',
    'BAD_INPUT',
  );
});

function npyOf(descr: string, shape: string, data: Uint8Array): Uint8Array {
  const text = `${`{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117)}\n`;
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, text.length, 0]);
  return Buffer.concat([head, Buffer.from(text, 'latin1'), data]);
}
const matrices: [string, () => Uint8Array][] = [
  ['no npy at all', () => Buffer.from('1,2,3\n4,5,6\n')],
  ['rank 1', () => npyOf('<f4', '(18,)', new Uint8Array(72))],
  ['rank 3', () => npyOf('<f4', '(3, 3, 2)', new Uint8Array(72))],
  ['strings', () => npyOf('<U3', '(3, 6)', new Uint8Array(216))],
  ['pickled objects', () => npyOf('|O', '(3, 6)', new Uint8Array(100))],
  ['truncated', () => betas(3).subarray(0, 150)],
  [
    'NaN',
    () =>
      writeNpy(
        Float32Array.from({ length: 18 }, (_, i) => (i === 7 ? Number.NaN : i)),
        [3, 6],
      ),
  ],
  [
    'Inf',
    () =>
      writeNpy(
        Float32Array.from({ length: 18 }, (_, i) => (i === 7 ? 1 / 0 : i)),
        [3, 6],
      ),
  ],
  ['another voxel count than the model of the subject', () => betas(3, 7)],
];
test.each(matrices)('betas: %s', async (_, make) => {
  const before = await lab.census();
  const { userErrors } = await importSession('09', make());
  expect(userErrors).toHaveLength(1);
  expect(userErrors[0]!.field).toBe('betas');
  expect(await lab.census()).toEqual(before);
});

test('a trial table of another length names the table; another session under a label is a conflict', async () => {
  const before = await lab.census();
  expect((await importSession('09', betas(3), table(2))).userErrors[0]!.field).toBe('trials');
  expect((await importSession('01', betas(4), table(4))).userErrors).toMatchObject([
    { code: 'CONFLICT', field: 'label' },
  ]);
  expect(await lab.census()).toEqual(before);
});

test('a trial table with a count or a name that cannot be stored names the table', async () => {
  const before = await lab.census();
  for (const line of ['a,3000000000', 'a\0b,1']) {
    const trials = file(Buffer.from(`stimulus,repetition\na,1\nb,1\n${line}`));
    const { userErrors } = await importSession('09', betas(3), trials);
    expect(userErrors).toEqual([
      { code: 'BAD_INPUT', field: 'trials', message: expect.stringMatching(/^line 4/) },
    ]);
  }
  expect(await lab.census()).toEqual(before);
});

test.each([
  'a\0b',
  'a\ud800b',
])('text that cannot be stored is refused wherever it stands: %j', async (text) => {
  const { id } = await lab.services.store.prisma.device.create({
    data: { host: text === 'a\0b' ? 'h' : 'i', slot: 1 },
  });
  const errors = 'userErrors { code message field }';
  const link = `mutation($input: LinkStimuliInput!) { linkStimuli(input: $input) { stimuli { name } ${errors} } }`;
  const pause = `mutation($input: PauseDeviceInput!) { pauseDevice(input: $input) { device { id } ${errors} } }`;
  const paint = { imageId: ids.image, maskId: ids.mask, trialIds: [ids.trial], modelId: ids.model };
  const cases: [string, object, string][] = [
    [
      link,
      {
        stimuli: [
          { name: 'fine', imageId: ids.image },
          { name: text, imageId: ids.image },
        ],
      },
      'stimuli.name',
    ],
    [pause, { id: `Device_${id}`, reason: text }, 'reason'],
    [SUBMIT, { ...paint, idempotencyKey: text }, 'idempotencyKey'],
    [RATE, { paintingId: `Painting_${NOBODY}`, score: 1, rater: text }, 'rater'],
  ];
  for (const [query, input, field] of cases)
    await refuses(() => lab.send(query, { input }), field, 'BAD_INPUT');
  // In a query, below the root.
  const list =
    'query($s: String!) { subjects(first: 1) { nodes { fmriSessions(first: 1) { nodes { trials(first: 1, stimulus: $s) { totalCount } } } } } }';
  expect((await lab.send(list, { s: text })).errors).toMatchObject([
    { extensions: { code: 'BAD_INPUT', field: 'stimulus' } },
  ]);
});

test.each(['../etc/passwd', 'sub-../x', '', 'a b', 'x'.repeat(40)])('subject label %j', (label) =>
  refuses(() => lab.send(SUBJECT, { input: { label } }), 'label', 'BAD_INPUT'));

const NOBODY = '00000000-0000-7000-8000-000000000000';
const jobs: [string, string, string, () => object][] = [
  ['steps 0', 'steps', 'BAD_INPUT', () => ({ steps: 0 })],
  ['steps 10,000', 'steps', 'BAD_INPUT', () => ({ steps: 10_000 })],
  ['a negative seed', 'seed', 'BAD_INPUT', () => ({ seed: -1 })],
  ['a seed with a fraction', 'seed', 'BAD_INPUT', () => ({ seed: 1.5 })],
  ['17 paintings', 'paintingCount', 'BAD_INPUT', () => ({ paintingCount: 17 })],
  ['negative guidance', 'guidanceScale', 'BAD_INPUT', () => ({ guidanceScale: -1 })],
  ['no trial', 'trialIds', 'BAD_INPUT', () => ({ trialIds: [] })],
  ['a trial of another subject', 'trialIds', 'BAD_INPUT', () => ({ trialIds: [ids.otherTrial] })],
  ['an unknown trial', 'trialIds', 'NOT_FOUND', () => ({ trialIds: [`Trial_${NOBODY}`] })],
  ['an unknown image', 'imageId', 'NOT_FOUND', () => ({ imageId: `SourceImage_${NOBODY}` })],
  ['an unknown mask', 'maskId', 'NOT_FOUND', () => ({ maskId: `Mask_${NOBODY}` })],
  ['an unknown model', 'modelId', 'NOT_FOUND', () => ({ modelId: `Model_${NOBODY}` })],
  ['an id that is none', 'modelId', 'NOT_FOUND', () => ({ modelId: "'; drop table model" })],
  ['an id of another type', 'maskId', 'NOT_FOUND', () => ({ maskId: ids.image })],
];
test.each(jobs)('paint job: %s', (_, field, code, change) => {
  const input = {
    imageId: ids.image,
    maskId: ids.mask,
    trialIds: [ids.trial],
    modelId: ids.model,
    ...change(),
  };
  return refuses(() => lab.send(SUBMIT, { input }), field, code);
});

test('unknown ids of the other mutations', async () => {
  const rate = { paintingId: `Painting_${NOBODY}`, score: 2 };
  await refuses(() => lab.send(RATE, { input: rate }), 'paintingId', 'NOT_FOUND');
  await refuses(() => lab.send(RATE, { input: { ...rate, score: 4 } }), 'score', 'BAD_INPUT');
  await refuses(() => lab.send(CANCEL, { input: { id: `PaintJob_${NOBODY}` } }), 'id', 'NOT_FOUND');
  const file0 = file(await plain(64, 48, 255).png().toBuffer());
  const input = { imageId: `SourceImage_${NOBODY}`, file: null };
  await refuses(() => lab.send(MASK, { input }, { 'input.file': file0 }), 'imageId', 'NOT_FOUND');
});

test('an upload that is cut off in the middle leaves nothing, and the server goes on', async () => {
  const before = await lab.census();
  const { port } = new URL(lab.url);
  const part = (name: string, value: string) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const start =
    part('operations', JSON.stringify({ query: UPLOAD, variables: { input: { file: null } } })) +
    part('map', '{"0":["variables.input.file"]}') +
    '--b\r\ncontent-disposition: form-data; name="0"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n';
  await new Promise<void>((done) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(
        `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\napollo-require-preflight: true\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 900000\r\n\r\n${start}${'x'.repeat(100_000)}`,
        () => setTimeout(() => socket.destroy(), 100),
      );
    });
    socket.on('close', () => done());
  });
  await expect.poll(() => lab.census()).toEqual(before);
  expect((await lab.send('{ models(first: 1) { totalCount } }')).data).toEqual({ models: { totalCount: 1 } });
});

test('a second identical upload returns the same row', async () => {
  const bytes = await noise(40, 30).webp({ lossless: true }).toBuffer();
  const send = () => lab.send(UPLOAD, { input: { file: null } }, { 'input.file': file(bytes) });
  const first = payload<{ sourceImage: { id: string } }>(await send());
  const before = await lab.census();
  expect(payload(await send())).toEqual(first);
  expect(
    payload(await importSession('01', betas(3)).then((data) => ({ data: { data } }) as never)),
  ).toMatchObject({
    userErrors: [],
  });
  expect(await lab.census()).toEqual(before);
});

test('multipart without the preflight header is refused before it is parsed', async () => {
  const body = new FormData();
  body.set('operations', '{}');
  const response = await fetch(`${lab.url}/graphql`, { method: 'POST', body });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ message: /preflight/ }] });
});

test('files: real ones are immutable, everything else is a JSON 404', async () => {
  const id = ids.image.split('_')[1];
  const response = await fetch(`${lab.url}/files/source-images/${id}.png`);
  expect(response.headers.get('content-type')).toBe('image/png');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('cache-control')).toMatch(/immutable/);
  const { width, height } = await sharp(await response.arrayBuffer()).metadata();
  expect([width, height]).toEqual([64, 48]);
  const etag = response.headers.get('etag')!;
  const again = await fetch(response.url, {
    headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' },
  });
  expect(again.status).toBe(304);
  for (const path of [
    `paintings/${NOBODY}.png`,
    '..%2f..%2fetc%2fpasswd',
    'masks/..%2f..%2fx.png',
    'x',
    `masks/${id}.webp`,
  ]) {
    const missing = await fetch(`${lab.url}/files/${path}`);
    expect([path, missing.status]).toEqual([path, 404]);
    expect(await missing.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  }
});

test('faults of ours show an id only; pages have limits; nothing carries a stack', async () => {
  const pages = ['first: 101', '', 'first: -1', 'first: 1, after: "x"'];
  for (const args of pages) {
    const answer = await lab.send(`{ paintJobs${args ? `(${args})` : ''} { totalCount } }`);
    expect([args, answer.errors?.[0]?.extensions.code]).toEqual([args, 'BAD_INPUT']);
  }
  const { store } = lab.services;
  await store.pool.query('ALTER TABLE rating RENAME TO hidden');
  const painting = { paintingId: `Painting_${NOBODY}`, score: 1 };
  await store.pool.query('ALTER TABLE painting RENAME TO hidden2');
  const answer = await lab.send(RATE, { input: painting });
  await store.pool.query('ALTER TABLE hidden RENAME TO rating');
  await store.pool.query('ALTER TABLE hidden2 RENAME TO painting');
  expect(answer.errors![0]!.message).toMatch(/^internal error [0-9a-f-]{36}/);
  expect(JSON.stringify(answer)).not.toMatch(/prisma|at .*\.ts|relation/i);
});
