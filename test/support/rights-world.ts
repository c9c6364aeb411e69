// A lab with one of everything, five kinds of people, and how to call each mutation: for the test of rights.

import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { writeNpy } from '../../src/fmri/npy.js';
import { NOBODY } from '../../src/services/access.js';
import { deleteRow } from '../../src/services/deletions.js';
import { uploadImage } from '../../src/services/images.js';
import { cancelPaintJobs } from '../../src/services/paint-job-cancel.js';
import { submitPaintJob } from '../../src/services/paint-job-submission.js';
import { linkStimuli } from '../../src/services/stimuli.js';
import { createSubject } from '../../src/services/subjects.js';
import { createTrainingRun, pauseTrainingRun } from '../../src/services/training-runs.js';
import { createUser } from '../../src/services/users.js';
import { createWebhookEndpoint, sendTestWebhook } from '../../src/services/webhooks.js';
import { reportWithdrawal } from '../../src/services/withdrawals.js';
import { type Lab, startLab, type UploadFile } from './lab.js';
import { addPerson, addRater, addToken, type Person } from './people.js';
import { studyWorld } from './rights-studies.js';

export const WHO = ['nobody', 'rater', 'researcher', 'admin', 'reader'] as const;
export type Who = (typeof WHO)[number];

export interface Call {
  readonly input?: object;
  readonly files?: Record<string, UploadFile>;
}

export interface RightsWorld {
  readonly lab: Lab;
  readonly people: Record<Who, Person>;
  /** Ids of everything there is, by type. */
  readonly ids: Readonly<Record<string, readonly string[]>>;
  /** How to call each mutation; the second call, where there is one, is about what belongs to somebody else. */
  readonly calls: Readonly<Record<string, (who: Who) => Promise<Call[]>>>;
}

const unique = () => randomBytes(8).toString('hex');
const file = (bytes: Uint8Array): UploadFile => ({ name: 'file', bytes });
const call = (input: object, files: Record<string, UploadFile> = {}): Call => ({ input, files });
const png = (data: Buffer) =>
  sharp(data, { raw: { width: 32, height: 32, channels: 3 } })
    .png()
    .toBuffer();
const picture = () => png(randomBytes(32 * 32 * 3));

const STIMULI = ['a', 'b', 'c', 'd'];
const sessionFiles = () => ({
  'input.betas': file(
    writeNpy(
      Float32Array.from(randomBytes(16), (byte) => byte),
      [4, 4],
    ),
  ),
  'input.trials': file(Buffer.from(`stimulus\n${STIMULI.join('\n')}`)),
});

/** The bundle that every folder holds; `hash` is what the next reading finds. */
const bundle = {
  folder: '/models/there',
  hash: 'base',
  name: 'tiny',
  voxels: 4,
  imageSizePx: 16,
  subject: { label: '01', simulated: true },
  defaults: { steps: 2, guidanceScale: 1 },
  maxSteps: 1000,
  twoStage: true,
  training: {
    components: ['image_encoder'],
    prediction: 'epsilon',
    unetFault: undefined,
    embeddingSize: 16,
    poolSampleBytes: 1,
    files: {},
  },
} as const;

export async function startRightsWorld(): Promise<RightsWorld> {
  let hash: string = bundle.hash;
  const describeBundle = async () => ({ ...bundle, hash });
  const lab = await startLab({ remote: true, modelFolders: [bundle.folder], describeBundle });
  const { services } = lab;
  const { prisma } = services.store;
  const [admin, researcher, rater] = [
    await addPerson(lab, 'ADMIN'),
    await addPerson(lab, 'RESEARCHER'),
    await addRater(lab),
  ];
  const people: Record<Who, Person> = {
    nobody: { headers: {}, userId: NOBODY.userId ?? '', credentialId: '' },
    rater,
    researcher,
    admin,
    reader: await addToken(lab, researcher.userId, ['READ']),
  };
  const ids: Record<string, string[]> = {};
  const first = (type: string) => ids[type]![0]!;
  const key = (type: string) => first(type).slice(type.length + 1);
  const tokenOf = async (userId: string) => `ApiToken_${(await addToken(lab, userId)).credentialId}`;
  let [masks, slots] = [0, 0];

  const jobInput = () => ({
    imageId: first('SourceImage'),
    maskId: first('Mask'),
    modelId: first('Model'),
    trialIds: [first('Trial')],
  });
  const addJob = async (): Promise<string> => {
    const [imageId, maskId, modelId] = [key('SourceImage'), key('Mask'), key('Model')];
    const order = { imageId, maskId, modelId, trialIds: [key('Trial')], method: 'BRAIN' } as const;
    const facts = { submittedBy: 'local' };
    return (await submitPaintJob(services, { ...order, seed: 0, paintingCount: 1 }, facts)).id;
  };
  const addDevice = async (pauseReason: string | null = null) => {
    slots += 1;
    const pausedAt = pauseReason === null ? null : new Date();
    const data = { host: 'host', slot: slots, pausedAt, pauseReason };
    return `Device_${(await prisma.device.create({ data })).id}`;
  };
  const runInput = {
    subjectId: '',
    baseModelId: '',
    parts: ['PSEUDO_BRAIN_GENERATOR', 'BRAIN_ADAPTER', 'DIFFUSION'] as const,
    heldOutFraction: 0.5,
    useSourceImages: false,
  };
  const addRun = async (): Promise<string> => {
    hash = bundle.hash;
    const input = { ...runInput, subjectId: key('Subject'), baseModelId: key('Model') };
    return (await createTrainingRun(services, input, describeBundle)).id;
  };

  const studies = studyWorld(services, people.rater.userId, first);

  const addEndpoint = async (): Promise<string> => {
    const { endpoint } = await createWebhookEndpoint(services, { url: 'https://receiver.example/hook' });
    return `WebhookEndpoint_${endpoint.id}`;
  };
  const addSubject = async () =>
    `Subject_${(await createSubject(services, { label: unique(), simulated: true })).id}`;
  /** A thing of a type, with the version that it has by now. */
  const versionOf = async (type: 'FmriSession' | 'SourceImage' | 'Model') => {
    const where = { id: key(type) };
    const rows = { FmriSession: prisma.fmriSession, SourceImage: prisma.sourceImage, Model: prisma.model };
    const { version } = await (rows[type] as typeof prisma.model).findUniqueOrThrow({ where });
    return { id: first(type), expectedVersion: version };
  };
  const calls: RightsWorld['calls'] = {
    createSubject: async () => [call({ label: unique() })],
    importFmriSession: async () => [
      call({ subjectId: first('Subject'), label: unique(), betas: null, trials: null }, sessionFiles()),
    ],
    uploadSourceImage: async () => [call({ file: null }, { 'input.file': file(await picture()) })],
    createMask: async () => {
      // Never the same pixels twice: the same mask again is no write.
      masks += 1;
      const box = { left: masks / 32, top: 0, width: 0.25, height: 0.25 };
      return [call({ imageId: first('SourceImage'), shape: 'RECTANGLE', ...box })];
    },
    uploadMask: async () => {
      const pixels = Buffer.alloc(32 * 32 * 3);
      for (let i = 0; i < 32 * 32; i++) pixels.fill(randomBytes(1)[0]! > 127 ? 255 : 0, i * 3, i * 3 + 3);
      const files = { 'input.file': file(await png(pixels)) };
      return [call({ imageId: first('SourceImage'), file: null }, files)];
    },
    registerModel: async () => {
      // A new hash, so that it is a new model.
      hash = unique();
      return [call({ folder: bundle.folder })];
    },
    submitPaintJob: async () => [call(jobInput())],
    submitPaintJobs: async () => [call({ common: jobInput(), axes: [], runs: 2 })],
    retryPaintJobs: async () => {
      const id = await addJob();
      await cancelPaintJobs(services, { ids: [id] });
      return [call({ ids: [`PaintJob_${id}`] })];
    },
    cancelPaintJob: async () => [call({ id: `PaintJob_${await addJob()}` })],
    cancelPaintJobs: async () => [call({ ids: [`PaintJob_${await addJob()}`] })],
    pauseDevice: async () => [call({ id: await addDevice(), reason: 'maintenance' })],
    resumeDevice: async () => [call({ id: await addDevice('maintenance') })],
    linkStimuli: async () => [call({ stimuli: [{ name: unique(), imageId: first('SourceImage') }] })],
    createTrainingRun: async () => {
      hash = bundle.hash;
      return [call({ ...runInput, subjectId: first('Subject'), baseModelId: first('Model') })];
    },
    pauseTrainingRun: async () => [call({ id: `TrainingRun_${await addRun()}` })],
    resumeTrainingRun: async () => {
      const { id } = await pauseTrainingRun(services, await addRun());
      return [call({ id: `TrainingRun_${id}` })];
    },
    cancelTrainingRun: async () => [call({ id: `TrainingRun_${await addRun()}` })],
    withdrawSubject: async () => {
      const { id } = await createSubject(services, { label: unique(), simulated: true });
      const { digest } = (await reportWithdrawal(services, id))!;
      return [call({ subjectId: `Subject_${id}`, reason: 'consent was withdrawn', digest })];
    },
    ratePainting: async () => [
      call({ paintingId: first('Painting'), score: 2 }),
      call({ paintingId: first('Painting'), score: 2, rater: `paper ${unique()}` }),
    ],
    createUser: async () => [call({ name: unique(), role: 'RESEARCHER' })],
    updateUser: async () => {
      const { id } = await createUser(services, { name: unique(), role: 'RATER' });
      return [call({ id: `User_${id}`, expectedVersion: 1, role: 'RESEARCHER' })];
    },
    createApiToken: async () => {
      const { id } = await createUser(services, { name: unique(), role: 'RATER' });
      return [call({ name: 'own' }), call({ name: 'for another', userId: `User_${id}` })];
    },
    revokeApiToken: async (who) => [
      call({ id: await tokenOf(people[who].userId || people.admin.userId) }),
      call({ id: await tokenOf((await addPerson(lab, 'RESEARCHER')).userId) }),
    ],
    createRaterLink: async () => [call({ raterName: unique() })],
    revokeRaterLink: async () => [call({ id: `RaterLink_${(await addRater(lab)).credentialId}` })],
    ...studies.calls,
    updateSubject: async () => [call({ id: await addSubject(), expectedVersion: 1, notes: 'left-handed' })],
    updateFmriSession: async () => [call({ ...(await versionOf('FmriSession')), notes: 'head coil 32' })],
    updateSourceImage: async () => [call({ ...(await versionOf('SourceImage')), name: 'beach' })],
    updateModel: async () => [call({ ...(await versionOf('Model')), notes: 'second try' })],
    updateBenchmark: async () => [
      call({ id: `Benchmark_${await studies.addBenchmark()}`, expectedVersion: 1, name: 'renamed' }),
    ],
    updateStudy: async () => [
      call({ id: `Study_${await studies.addStudy('DRAFT')}`, expectedVersion: 1, name: 'renamed' }),
    ],
    delete: async () => [call({ id: await addSubject(), expectedVersion: 1, reason: 'a typing error' })],
    restore: async () => {
      const id = await addSubject();
      const deletion = { type: 'Subject', id: id.slice('Subject_'.length), expectedVersion: 1 } as const;
      await deleteRow(services, deletion, 'a typing error');
      return [call({ id, expectedVersion: 2 })];
    },
    createWebhookEndpoint: async () => [call({ url: 'https://receiver.example/hook' })],
    updateWebhookEndpoint: async () => [
      call({ id: await addEndpoint(), expectedVersion: 1, description: 'changed' }),
    ],
    deleteWebhookEndpoint: async () => [call({ id: await addEndpoint() })],
    rotateWebhookSecret: async () => [call({ id: await addEndpoint() })],
    sendTestWebhook: async () => [call({ id: await addEndpoint() })],
    redeliverWebhook: async () => [call({ id: first('WebhookDelivery') })],
    signIn: async () => [call({ secret: (await addRater(lab)).secret })],
    signOut: async () => [{}],
  };

  /** Makes a thing by its mutation, as an admin would. */
  const make = async (name: string, type: string, made: Call): Promise<void> => {
    const payload = type[0]!.toLowerCase() + type.slice(1);
    const query = `mutation($input: ${name[0]!.toUpperCase() + name.slice(1)}Input!) {
      ${name}(input: $input) { ${payload} { id } userErrors { code field message } } }`;
    const answer = await lab.send(query, { input: made.input }, made.files, people.admin.headers);
    const id = (answer.data?.[name] as Record<string, { id: string } | null> | undefined)?.[payload]?.id;
    if (!id) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    ids[type] = [id];
  };
  // Subject 01 is the model's.
  await make('createSubject', 'Subject', call({ label: '01', simulated: true }));
  await make('uploadSourceImage', 'SourceImage', (await calls.uploadSourceImage!('admin'))[0]!);
  await make('importFmriSession', 'FmriSession', (await calls.importFmriSession!('admin'))[0]!);
  await make('createMask', 'Mask', (await calls.createMask!('admin'))[0]!);
  await make('registerModel', 'Model', call({ folder: bundle.folder }));
  const keys = async (type: string, rows: Promise<{ id: string }[]>) => {
    ids[type] = (await rows).map((row) => `${type}_${row.id}`);
  };
  await keys('Trial', prisma.trial.findMany());
  const stimuli = [];
  for (const name of STIMULI)
    stimuli.push({ name, imageId: (await uploadImage(services, await picture())).id });
  await linkStimuli(services, { stimuli, replace: false });
  await keys('Stimulus', prisma.stimulus.findMany());
  await addRun();
  await keys('TrainingRun', prisma.trainingRun.findMany());
  ids.Device = [await addDevice()];

  await make('submitPaintJob', 'PaintJob', call(jobInput()));
  await keys('PaintJobBatch', prisma.paintJobBatch.findMany());
  ids.Benchmark = [`Benchmark_${await studies.addBenchmark()}`];
  // It runs, and has a preview and, as no job that runs has, a painting.
  const jobId = key('PaintJob');
  const webp = await sharp(await picture())
    .webp()
    .toBuffer();
  await prisma.paintJob.update({ where: { id: jobId }, data: { state: 'RUNNING' } });
  await prisma.paintJobPreview.create({ data: { jobId, stepsDone: 1, webp: new Uint8Array(webp) } });
  const pngSha256 = await services.blobs.put(await picture());
  const thumbnailSha256 = await services.blobs.put(webp);
  await prisma.painting.create({
    data: { jobId, index: 0, pngSha256, thumbnailSha256, outsideMaskDifferentPixels: 0 },
  });
  await keys('Painting', prisma.painting.findMany());
  for (const who of ['rater', 'admin'] as const) {
    const query =
      'mutation($input: RatePaintingInput!) { ratePainting(input: $input) { userErrors { code } } }';
    await lab.send(query, { input: { paintingId: first('Painting'), score: 3 } }, {}, people[who].headers);
  }
  ids.Study = [`Study_${await studies.addStudy('OPEN')}`];
  await keys('Benchmark', prisma.benchmark.findMany());
  await keys('Rating', prisma.rating.findMany());
  await keys('User', prisma.user.findMany());
  await keys('ApiToken', prisma.credential.findMany({ where: { kind: 'TOKEN' } }));
  await keys('RaterLink', prisma.credential.findMany({ where: { kind: 'RATER_LINK' } }));
  const endpoint = await addEndpoint();
  ids.WebhookEndpoint = [endpoint];
  const delivery = await sendTestWebhook(services, endpoint.slice('WebhookEndpoint_'.length));
  ids.WebhookDelivery = [`WebhookDelivery_${delivery.id}`];
  await keys('AuditEvent', prisma.auditEvent.findMany({ take: 3 }));
  return { lab, people, ids, calls };
}
