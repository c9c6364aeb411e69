// `npm run train`: a training run from the command line, by the public API only. Progress goes to standard error; the
// last line on standard output is the run as JSON.

import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadToken } from '../config.js';
import { type Client, createClient } from './demo/client.js';

const HELP = `npm run train -- --subject 01 --base toy [what follows]

Trains a model of a subject on a running server (npm start) and follows it to its end. Ctrl-C leaves the run going.

  --server URL            default http://127.0.0.1:4000; where it wants a token, set MINDPAINTER_TOKEN
  --subject LABEL         the subject; made if it is not there (--simulated: its signals are computed)
  --session LABEL=BETAS.npy,TRIALS.csv   a session to import first; may be repeated
  --stimuli FOLDER        pictures to upload first, each named as its stimulus (picture-1.png shows picture-1)
  --base NAME             name or id of the model to start from
  --name NAME             of the model that is made
  --part PART             pseudo_brain_generator, brain_adapter or diffusion; may be repeated; default: all
  --held-out NAMES        stimuli to keep for measuring, comma-separated; or
  --held-out-fraction F   their share, drawn by the seed (default 0.1)
  --source-images         train the diffusion on all source images too
  --set KEY=VALUE         a hyper-parameter, such as seed=1 or diffusion.steps=500; may be repeated (schema.graphql,
                          TrainingSettingsInput, lists them with their defaults)
  --watch ID              follow a run that is there
  --pause ID, --resume ID, --cancel ID   ask that of a run
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    server: { type: 'string', default: 'http://127.0.0.1:4000' },
    subject: { type: 'string' },
    simulated: { type: 'boolean', default: false },
    session: { type: 'string', multiple: true, default: [] },
    stimuli: { type: 'string' },
    base: { type: 'string' },
    name: { type: 'string' },
    part: { type: 'string', multiple: true, default: [] },
    'held-out': { type: 'string' },
    'held-out-fraction': { type: 'string' },
    'source-images': { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
    watch: { type: 'string' },
    pause: { type: 'string' },
    resume: { type: 'string' },
    cancel: { type: 'string' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);

/** What the user can mend: said without a stack. */
function refuse(message: string): never {
  say(message);
  process.exit(1);
}

const ERRORS = 'userErrors { code message field }';

/** \`a.b=1\` pairs as a nested object; numbers where they are. */
function readSettings(pairs: readonly string[]): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [, path, text] = /^([\w.]+)=(.+)$/.exec(pair) ?? refuse(`--set ${pair}: give KEY=VALUE`);
    const keys = path!.split('.');
    let place = settings;
    for (const key of keys.slice(0, -1)) {
      place[key] ??= {};
      place = place[key] as Record<string, unknown>;
    }
    place[keys.at(-1)!] = Number.isNaN(Number(text)) ? text : Number(text);
  }
  return settings;
}

async function ensureSubject(client: Client, label: string): Promise<string> {
  const { createSubject } = await client.send<{ createSubject: { subject: { id: string } } }>(
    `mutation($input: CreateSubjectInput!) { createSubject(input: $input) { subject { id } ${ERRORS} } }`,
    { input: { label, simulated: values.simulated } },
  );
  return createSubject.subject.id;
}

async function importSession(client: Client, subjectId: string, given: string): Promise<string> {
  const [, label, betas, trials] =
    /^(\w[\w-]*)=(.+),(.+)$/.exec(given) ?? refuse(`--session ${given}: give LABEL=BETAS.npy,TRIALS.csv`);
  const { importFmriSession } = await client.send<{ importFmriSession: { fmriSession: { id: string } } }>(
    `mutation($input: ImportFmriSessionInput!) { importFmriSession(input: $input) { fmriSession { id } ${ERRORS} } }`,
    { input: { subjectId, label, betas: null, trials: null } },
    {
      'input.betas': {
        name: basename(betas!),
        type: 'application/octet-stream',
        bytes: await readFile(betas!),
      },
      'input.trials': { name: basename(trials!), type: 'text/csv', bytes: await readFile(trials!) },
    },
  );
  say(`session ${label} is there`);
  return importFmriSession.fmriSession.id;
}

/** Uploads every picture of a folder and links it to the stimulus of its file name. */
async function uploadStimuli(client: Client, folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /\.(png|jpe?g|webp)$/i.test(name)).sort();
  if (files.length === 0) refuse(`${folder} holds no PNG, JPEG or WebP`);
  for (let start = 0; start < files.length; start += 500) {
    const stimuli = [];
    for (const name of files.slice(start, start + 500)) {
      const bytes = await readFile(join(folder, name));
      const { uploadSourceImage } = await client.send<{ uploadSourceImage: { sourceImage: { id: string } } }>(
        `mutation($input: UploadSourceImageInput!) { uploadSourceImage(input: $input) { sourceImage { id } ${ERRORS} } }`,
        { input: { file: null } },
        { 'input.file': { name, type: 'application/octet-stream', bytes } },
      );
      stimuli.push({ name: name.slice(0, -extname(name).length), imageId: uploadSourceImage.sourceImage.id });
    }
    await client.send(
      `mutation($input: LinkStimuliInput!) { linkStimuli(input: $input) { stimuli { id } ${ERRORS} } }`,
      { input: { stimuli } },
    );
  }
  say(`${files.length} stimuli are there`);
}

async function findBase(client: Client, wanted: string): Promise<string> {
  const { models } = await client.send<{ models: { nodes: { id: string; name: string }[] } }>(
    '{ models(first: 100) { nodes { id name } } }',
  );
  const fitting = models.nodes.filter((model) => model.id === wanted || model.name === wanted);
  if (fitting.length > 1)
    refuse(
      `${fitting.length} models are named ${wanted}; give an id: ${fitting.map(({ id }) => id).join(', ')}`,
    );
  const names = [...new Set(models.nodes.map((model) => model.name))].join(', ');
  return fitting[0]?.id ?? refuse(`no model is named ${wanted}; there are: ${names || 'none'}`);
}

async function create(client: Client): Promise<string> {
  const { subject, base, name, part, set } = values;
  if (!subject || !base) refuse(`give --subject and --base\n\n${HELP}`);
  const subjectId = await ensureSubject(client, subject);
  const sessionIds: string[] = [];
  for (const given of values.session) sessionIds.push(await importSession(client, subjectId, given));
  if (values.stimuli) await uploadStimuli(client, values.stimuli);
  const heldOut = values['held-out']?.split(',').map((stimulus) => stimulus.trim());
  const fraction = values['held-out-fraction'];
  const { createTrainingRun } = await client.send<{ createTrainingRun: { trainingRun: { id: string } } }>(
    `mutation($input: CreateTrainingRunInput!) { createTrainingRun(input: $input) { trainingRun { id } ${ERRORS} } }`,
    {
      input: {
        subjectId,
        baseModelId: await findBase(client, base),
        useSourceImages: values['source-images'],
        settings: readSettings(set),
        ...(name ? { name } : {}),
        ...(sessionIds.length > 0 ? { sessionIds } : {}),
        ...(part.length > 0 ? { parts: part.map((one) => one.toUpperCase().replaceAll('-', '_')) } : {}),
        ...(heldOut ? { heldOutStimuli: heldOut } : {}),
        ...(fraction ? { heldOutFraction: Number(fraction) } : {}),
      },
    },
  );
  return createTrainingRun.trainingRun.id;
}

interface RunState {
  readonly state: string;
  readonly stage: string | null;
  readonly step: number;
  readonly steps: number;
}

async function readRun<T>(client: Client, id: string, fields: string): Promise<T> {
  const query = `query($id: ID!) { trainingRun(id: $id) { ${fields} } }`;
  const { trainingRun } = await client.send<{ trainingRun: T | null }>(query, { id });
  return trainingRun ?? refuse(`no training run has the id ${id}`);
}

async function lastLoss(client: Client, id: string, stage: string): Promise<string> {
  const fields = `points(stage: "${stage}", name: "loss") { value }`;
  const { points } = await readRun<{ points: { value: number }[] }>(client, id, fields);
  return points.length > 0 ? `, loss ${points.at(-1)!.value.toFixed(4)}` : '';
}

/** Says state and stage when they change, and each twentieth of a stage, until the run waits for its owner or has ended. */
async function follow(client: Client, id: string): Promise<void> {
  for (let said = ''; ; await sleep(1000)) {
    const run = await readRun<RunState>(client, id, 'state stage step steps');
    const { state, stage, step, steps } = run;
    const training = state === 'RUNNING' && stage;
    const place = training ? `${stage} ${Math.floor((20 * step) / Math.max(1, steps))}` : state;
    if (place !== said)
      say(training ? `${stage} ${step}/${steps}${await lastLoss(client, id, stage)}` : state.toLowerCase());
    said = place;
    if (!['QUEUED', 'RUNNING'].includes(state)) return;
  }
}

async function main(client: Client): Promise<void> {
  let id = values.watch;
  for (const action of ['pause', 'resume', 'cancel'] as const) {
    const wanted = values[action];
    if (!wanted) continue;
    const name = `${action}TrainingRun`;
    const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
    await client.send(
      `mutation($input: ${type}!) { ${name}(input: $input) { trainingRun { id } ${ERRORS} } }`,
      { input: { id: wanted } },
    );
    id = wanted;
  }
  id ??= await create(client);
  say(`training run ${id}`);
  await follow(client, id);
  const run = await readRun<{ state: string }>(
    client,
    id,
    `id name state excludedVoxels model { id name hash } error { code message field stage step }
     metrics { name signals value low high chance ceiling stimuli undefinedReason }`,
  );
  process.stdout.write(`${JSON.stringify(run)}\n`);
  if (run.state === 'FAILED') process.exitCode = 1;
}

if (values.help) process.stdout.write(HELP);
else {
  await main(createClient(values.server, loadToken())).catch((error: Error) =>
    refuse(
      error.message === 'fetch failed'
        ? `no server answers at ${values.server}; start it (npm start), or name it with --server`
        : error.message,
    ),
  );
}
