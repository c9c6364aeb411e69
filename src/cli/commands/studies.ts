// `studies`: what studies there are, how one is doing, the steps of its life, and its export.

import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import {
  type MindPainter,
  STUDY_EXPORTS,
  type StudyExport,
  type StudyRater,
  type StudyStatus,
} from '../../sdk/client.js';
import { UsageError } from '../failures.js';
import { collect } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';
import { addPreset } from './study-preset.js';
import { addStudyRaters } from './study-raters.js';

/** What a lead would do next. */
export function nextStep({ id, state, progress }: StudyStatus): string {
  const commands: Readonly<Record<StudyStatus['state'], string>> = {
    DRAFT: `pilot ${id}`,
    PILOTED: `open ${id}`,
    OPEN:
      progress.invited < progress.seats
        ? `invite ${id} --count ${progress.seats - progress.invited}`
        : `show ${id}`,
    PAUSED: `open ${id}`,
    CLOSED: `unseal ${id} --yes`,
    UNSEALED: `export ${id} --format report --out report.html`,
  };
  return `mindpainter studies ${commands[state]}`;
}

/** The raters whom a lead should look at. */
const concerns = (raters: readonly StudyRater[]) =>
  raters.flatMap(({ id, name, state, pauseReason, exclusionReason }) => {
    if (state === 'PAUSED') return [`paused: ${name} (${id}): ${pauseReason}`];
    return exclusionReason === null ? [] : [`left out: ${name} (${id}): ${exclusionReason}`];
  });

function describe(study: StudyStatus, raters: readonly StudyRater[]): string[] {
  const { name, version, state, benchmark, progress, protocolSha256, chainRoot } = study;
  return [
    `${name}, version ${version}: ${state}`,
    `of the benchmark ${benchmark.name} (${benchmark.id})`,
    `${progress.answered} of ${progress.screens} screens answered`,
    `${progress.seatsTaken} of ${progress.seats} places taken, ${progress.seatsFinished} finished; ${progress.invited} raters invited, ${progress.paused} paused`,
    ...(protocolSha256 ? [`protocol sha256 ${protocolSha256}`] : []),
    ...(chainRoot ? [`root of the record ${chainRoot}`] : []),
    ...concerns(raters),
    `next: ${nextStep(study)}`,
  ];
}

interface Pilot {
  readonly criteria: readonly {
    readonly criterion: string;
    readonly expectedWidth: number;
    readonly power: number;
  }[];
}

const pilotLines = ({ pilot, state }: StudyStatus) =>
  state === 'PILOTED'
    ? (pilot as Pilot).criteria.map(
        ({ criterion, expectedWidth, power }) =>
          `${criterion}: expected width of the 95 % interval ${expectedWidth.toFixed(3)}, power ${power.toFixed(2)}`,
      )
    : [];

async function exportStudy(
  { mp, out, signal, goesOn }: Cli,
  { format, out: file }: { format: StudyExport; out: string },
  id: string,
): Promise<void> {
  if (file === '-')
    return pipeline(mp.studies.export(id, format, { signal }), process.stdout, { end: false });
  goesOn(`${file} was not written`);
  let sizeBytes = 0;
  await mp.studies.saveExport(id, format, file, {
    signal,
    onProgress: (now) => {
      sizeBytes = now;
      out.received(STUDY_EXPORTS[format], now);
    },
  });
  out.endProgress();
  out.data({ id, format, file, sizeBytes }, file);
  if (format === 'json') out.note(`verify it in a checkout of the server: npm run verify:export -- ${file}`);
}

interface Step {
  readonly description: string;
  readonly act: (mp: MindPainter) => (id: string, options: { signal: AbortSignal }) => Promise<StudyStatus>;
  /** What cannot be taken back, where it cannot. */
  readonly forGood?: string;
}

const STEPS: Readonly<Record<string, Step>> = {
  pilot: {
    description: 'lets simulated raters answer it, to know how wide its intervals will be',
    act: (mp) => (id, options) => mp.studies.pilot(id, {}, options),
  },
  open: {
    description: 'opens a piloted study, its protocol frozen from then on; or lets a paused one go on',
    act: (mp) => mp.studies.open,
  },
  pause: { description: 'takes no ratings until it is opened again', act: (mp) => mp.studies.pause },
  close: {
    description: 'ends its ratings for good',
    act: (mp) => mp.studies.close,
    forGood: 'it takes no ratings any more',
  },
  unseal: {
    description: 'tells the arms of a closed study: results and export are there from then on',
    act: (mp) => mp.studies.unseal,
    forGood: 'the arms are known, and no rater can be judged any more',
  },
};

function addSteps(studies: Command): void {
  for (const [name, { description, act, forGood }] of Object.entries(STEPS)) {
    const yes = forGood ? ' --yes' : '';
    const command = leaf(studies.command(name).argument('<id>', 'of the study'), description, [
      `mindpainter studies ${name} Study_...${yes}`,
    ]);
    if (forGood) command.option('--yes', `there is no way back: ${forGood}`);
    command.action(
      run<{ yes?: boolean }>(async ({ mp, out, signal, goesOn }, options, id: string) => {
        if (forGood && !options.yes) throw new UsageError(`there is no way back: ${forGood}; give --yes`);
        goesOn(`the step may or may not have been taken; see it: mindpainter studies show ${id}`);
        const study = await act(mp)(id, { signal });
        out.data(study, `${id}: ${study.state}`);
        for (const line of pilotLines(study)) out.note(line);
        out.note(`next: ${nextStep(study)}`);
      }),
    );
  }
}

export function addStudies(program: Command): void {
  const studies = program.command('studies').description('human evaluations of benchmarks');
  leaf(studies.command('list'), 'lists the studies, the newest first', [
    'mindpainter studies list',
    'mindpainter studies list --json | jq -r ".[0].id"',
  ]).action(
    run(async ({ mp, out, signal }) => {
      const found = await collect(mp.studies.list({ signal }));
      out.table(
        found.map(({ name, version, state, benchmark, createdAt, id }) => ({
          name,
          version,
          state,
          benchmark: benchmark.name,
          createdAt,
          id,
        })),
      );
    }),
  );
  leaf(
    studies.command('show').argument('<id>', 'of the study'),
    'says where it stands, how far it is, which raters want a word, and what comes next',
    ['mindpainter studies show Study_...', 'mindpainter studies show Study_... --json | jq .progress'],
  ).action(
    run(async ({ mp, out, signal }, _, id: string) => {
      const study = await mp.studies.get(id, { signal });
      const raters = await mp.studies.raters(id, { signal });
      out.data({ ...study, raters, next: nextStep(study) }, describe(study, raters));
    }),
  );
  addPreset(studies);
  addSteps(studies);
  addStudyRaters(studies);
  leaf(
    studies.command('export').argument('<id>', 'of an unsealed study'),
    'writes what an unsealed study holds into a file',
    [
      'mindpainter studies export Study_... --out export.json',
      'mindpainter studies export Study_... --format report --out report.html',
      'mindpainter studies export Study_... --format csv --out - | head',
    ],
  )
    .addOption(
      new Option(
        '--format <format>',
        'json: all events, design and results; csv: a row a rating; and what they mean',
      )
        .choices(Object.keys(STUDY_EXPORTS))
        .default('json'),
    )
    .requiredOption('--out <file>', 'file to write, whole or not at all; - for standard output')
    .addHelpText(
      'after',
      '\nWhether an export.json is as it was recorded says, in a checkout of the server: npm run verify:export -- FILE',
    )
    .action(run(exportStudy));
}
