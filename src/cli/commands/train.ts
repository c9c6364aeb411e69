// `train`: a model of a subject, from sessions and pictures on this machine; and what one may ask of a run.

import { parse } from 'node:path';
import type { Command } from 'commander';
import type { CreateTrainingRunInput, MindPainter } from '../../sdk/client.js';
import { UsageError } from '../failures.js';
import { picturesIn } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';
import { followRun } from './watch.js';

interface TrainOptions {
  readonly subject: string;
  readonly base: string;
  readonly simulated?: boolean;
  readonly session: readonly string[];
  readonly stimuli?: string;
  readonly name?: string;
  readonly part: readonly string[];
  readonly heldOut?: string;
  readonly heldOutFraction?: string;
  readonly sourceImages?: boolean;
  readonly set: readonly string[];
  /** False with --no-watch. */
  readonly watch: boolean;
}

type Settings = NonNullable<CreateTrainingRunInput['settings']>;
type Part = NonNullable<CreateTrainingRunInput['parts']>[number];

const several = (value: string, before: readonly string[]) => [...before, value];

/** `a.b=1` pairs as a nested object; numbers where they are. */
export function parseSettings(pairs: readonly string[]): Settings {
  const settings: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [, path, text] = /^([\w.]+)=(.+)$/.exec(pair) ?? [];
    if (!path) throw new UsageError(`--set ${pair}: give KEY=VALUE`);
    const keys = path.split('.');
    let place = settings;
    for (const key of keys.slice(0, -1)) {
      place[key] ??= {};
      place = place[key] as Record<string, unknown>;
    }
    place[keys.at(-1)!] = Number.isNaN(Number(text)) ? text : Number(text);
  }
  return settings as Settings;
}

async function importSession({ mp, out, signal }: Cli, subjectId: string, given: string): Promise<string> {
  const [, label, betas, trials] = /^(\w[\w-]*)=(.+),(.+)$/.exec(given) ?? [];
  if (!label) throw new UsageError(`--session ${given}: give LABEL=BETAS.npy,TRIALS.csv`);
  const session = await mp.subjects.importSession(
    { subjectId, label, betas: betas!, trials: trials! },
    { signal },
  );
  out.note(`session ${label} is there`);
  return session.id;
}

/** Uploads every picture of a folder and links it to the stimulus of its file name. */
async function uploadStimuli({ mp, out, signal }: Cli, folder: string): Promise<void> {
  const files = await picturesIn(folder);
  const stimuli: { name: string; imageId: string }[] = [];
  for (const file of files) {
    out.progress('stimuli uploaded', stimuli.length, files.length);
    const { id: imageId } = await mp.images.upload(file, { signal });
    stimuli.push({ name: parse(file).name, imageId });
  }
  await mp.subjects.linkStimuli(stimuli, { signal });
  out.note(`${files.length} stimuli are there`);
}

async function create(cli: Cli, options: TrainOptions): Promise<string> {
  const { mp, signal } = cli;
  const settings = parseSettings(options.set);
  const heldOutFraction = options.heldOutFraction === undefined ? undefined : Number(options.heldOutFraction);
  if (Number.isNaN(heldOutFraction))
    throw new UsageError(`--held-out-fraction ${options.heldOutFraction}: give a number`);
  const { id: subjectId } = await mp.subjects.create(
    options.subject,
    { simulated: options.simulated ?? false },
    { signal },
  );
  const sessionIds: string[] = [];
  for (const given of options.session) sessionIds.push(await importSession(cli, subjectId, given));
  if (options.stimuli) await uploadStimuli(cli, options.stimuli);
  const { id: baseModelId } = await mp.models.find(options.base, { signal });
  const input: CreateTrainingRunInput = {
    subjectId,
    baseModelId,
    useSourceImages: options.sourceImages ?? false,
    settings,
    name: options.name,
    heldOutFraction,
    heldOutStimuli: options.heldOut?.split(',').map((stimulus) => stimulus.trim()),
    ...(sessionIds.length > 0 ? { sessionIds } : {}),
    ...(options.part.length > 0
      ? { parts: options.part.map((part) => part.toUpperCase().replaceAll('-', '_') as Part) }
      : {}),
  };
  return (await mp.training.create(input, { signal })).id;
}

export function addTrain(program: Command): void {
  const training = program
    .command('train')
    .description('models of your own subjects')
    .addHelpText(
      'after',
      '\nstart may be left out: mindpainter train --subject 01 --base toy. train start --help lists its options.',
    );
  leaf(
    training.command('start', { isDefault: true }),
    'trains a model of a subject and follows it to its end',
    [
      'mindpainter train --subject 01 --base toy --stimuli pictures --session 01=betas.npy,trials.csv',
      'mindpainter train --subject 01 --base toy --set diffusion.steps=500 --set seed=1 --no-watch',
    ],
  )
    .requiredOption('--subject <label>', 'the subject; made if it is not there')
    .requiredOption('--base <name>', 'name or id of the model to start from')
    .option('--simulated', 'the signals of a subject that is made are computed')
    .option('--session <label=betas,trials>', 'a session to import first; may be repeated', several, [])
    .option(
      '--stimuli <folder>',
      'pictures to upload first, each named as its stimulus (apple.png shows apple)',
    )
    .option('--name <name>', 'of the model that is made')
    .option(
      '--part <part>',
      'pseudo-brain-generator, brain-adapter or diffusion; may be repeated; default: all',
      several,
      [],
    )
    .option('--held-out <names>', 'stimuli to keep for measuring, comma-separated')
    .option('--held-out-fraction <share>', 'or their share, drawn by the seed (default 0.1)')
    .option('--source-images', 'train the diffusion on all source images too')
    .option(
      '--set <key=value>',
      'a hyper-parameter of TrainingSettingsInput in schema.graphql; may be repeated',
      several,
      [],
    )
    .option('--no-watch', 'do not follow it')
    .action(
      run<TrainOptions>(async (cli, options) => {
        cli.goesOn('no run was started; what was uploaded is stored, and the same command again is safe');
        const id = await create(cli, options);
        cli.out.note(`training run ${id}`);
        if (options.watch) return followRun(cli, id);
        return cli.out.data({ id }, id);
      }),
    );

  const actions: Readonly<
    Record<string, readonly [string, (mp: MindPainter) => MindPainter['training']['pause']]>
  > = {
    pause: ['stops a run between two steps; it keeps what it has learnt', (mp) => mp.training.pause],
    resume: ['lets a paused or failed run go on from its checkpoint', (mp) => mp.training.resume],
    cancel: ['ends a run and removes its checkpoints', (mp) => mp.training.cancel],
  };
  for (const [name, [description, action]] of Object.entries(actions)) {
    leaf(training.command(name).argument('<id>', 'of the run'), description, [
      `mindpainter train ${name} TrainingRun_...`,
    ])
      .option('--watch', 'follow it until it rests')
      .action(
        run<{ watch?: boolean }>(async (cli, { watch }, id: string) => {
          const { state } = await action(cli.mp)(id, { signal: cli.signal });
          if (watch) return followRun(cli, id);
          return cli.out.data({ id, state }, `${id}: ${state}`);
        }),
      );
  }
}
