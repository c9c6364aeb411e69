// `subjects`, `sessions`, `images` and `models`: what a lab has.

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { WithdrawalReport } from '../../sdk/client.js';
import { EXIT } from '../failures.js';
import { collect } from '../parts.js';
import { type Cli, leaf, run } from '../run.js';

const reportLines = (report: WithdrawalReport) => [
  `with subject ${report.subject.label} fall:`,
  `  ${report.fmriSessionCount} sessions with ${report.trialCount} trials`,
  `  ${report.modelCount} models`,
  `  ${report.paintJobCount} paint jobs, ${report.unfinishedPaintJobCount} of them unfinished`,
  `  ${report.paintingCount} paintings with ${report.ratingCount} ratings by ${report.raterCount} raters`,
];

/** Asks on a terminal for the subject's label, so that no slip withdraws anybody. */
async function confirm(label: string, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`there is no way back. Write ${label} to withdraw this subject: `, {
      signal,
    });
    return answer.trim() === label;
  } finally {
    prompt.close();
  }
}

async function withdraw(
  { mp, out, json, signal }: Cli,
  { reason, digest }: { reason: string; digest?: string },
  label: string,
): Promise<number> {
  const subject = await mp.subjects.find(label, { signal });
  const report = await mp.subjects.withdrawalReport(subject.id, { signal });
  if (digest === undefined) {
    const asks = Boolean(process.stdin.isTTY && process.stderr.isTTY) && !json;
    if (!asks) {
      out.data(report, reportLines(report));
      out.note(
        `nothing was withdrawn; to do it: mindpainter subjects withdraw ${label} --reason TEXT --digest ${report.digest}`,
      );
      return EXIT.ok;
    }
    for (const line of reportLines(report)) out.note(line);
    if (!(await confirm(subject.label, signal))) {
      out.fault('nothing was withdrawn');
      return EXIT.failure;
    }
  }
  const fallen = await mp.subjects.withdraw(
    { subjectId: subject.id, reason, digest: digest ?? report.digest },
    { signal },
  );
  out.data(fallen, `withdrawn: ${subject.label}`);
  return EXIT.ok;
}

export function addLab(program: Command): void {
  const subjects = program.command('subjects').description('the people who were scanned');
  leaf(subjects.command('list'), 'lists the subjects, the newest first', [
    'mindpainter subjects list',
    'mindpainter subjects list --json | jq -r ".[].label"',
  ]).action(
    run(async ({ mp, out, signal }) => {
      const found = await collect(mp.subjects.list({ signal }));
      out.table(found.map(({ label, simulated, createdAt, id }) => ({ label, simulated, createdAt, id })));
    }),
  );
  leaf(
    subjects.command('create').argument('<label>', 'BIDS label, such as 01 or sub-01'),
    'adds a subject; one that is there is left as it is',
    ['mindpainter subjects create sub-01', 'mindpainter subjects create 02 --simulated'],
  )
    .option('--simulated', 'its signals are computed: no person was scanned')
    .action(
      run<{ simulated?: boolean }>(async ({ mp, out, signal }, { simulated = false }, label: string) => {
        const subject = await mp.subjects.create(label, { simulated }, { signal });
        out.data(subject, subject.id);
      }),
    );
  leaf(
    subjects.command('withdraw').argument('<label>', 'whom'),
    'withdraws a subject and all that rests on it: says first what falls, and then asks',
    [
      'mindpainter subjects withdraw 01 --reason "withdrew consent"',
      'mindpainter subjects withdraw 01 --reason "withdrew consent" --digest DIGEST_OF_THE_REPORT',
    ],
  )
    .requiredOption('--reason <text>', 'why; it is kept with the subject')
    .option(
      '--digest <digest>',
      'of the report that was looked at; without it, it is asked on a terminal, and elsewhere nothing is withdrawn',
    )
    .action(run(withdraw));

  const sessions = program.command('sessions').description('their scanning sessions');
  leaf(
    sessions.command('list').argument('<subject>', 'label of the subject'),
    'lists the sessions of a subject',
    ['mindpainter sessions list 01'],
  ).action(
    run(async ({ mp, out, signal }, _, subject: string) => {
      const found = await collect(mp.subjects.sessions(subject, { signal }));
      out.table(found.map(({ label, voxels, createdAt, id }) => ({ label, voxels, createdAt, id })));
    }),
  );
  leaf(
    sessions
      .command('import')
      .argument('<subject>', 'label of the subject')
      .argument('<label>', 'BIDS label of the session')
      .argument('<betas>', 'NumPy .npy file, trials x voxels')
      .argument('<trials>', 'table with a column stimulus, one row a trial'),
    'imports a session; the same files again are the session that is there',
    ['mindpainter sessions import 01 ses-01 betas.npy trials.csv'],
  ).action(
    run(
      async (
        { mp, out, signal, goesOn },
        _,
        subject: string,
        label: string,
        betas: string,
        trials: string,
      ) => {
        goesOn('the session may or may not have been stored; the same command again is safe');
        const { id: subjectId } = await mp.subjects.find(subject, { signal });
        const session = await mp.subjects.importSession({ subjectId, label, betas, trials }, { signal });
        out.note(
          `session ${session.label}: ${session.voxels} voxels, of which ${session.constantVoxels} never change`,
        );
        out.data(session, session.id);
      },
    ),
  );

  const images = program.command('images').description('the pictures that are painted on');
  leaf(images.command('list'), 'lists the pictures, the newest first', ['mindpainter images list']).action(
    run(async ({ mp, out, signal }) => {
      const found = await collect(mp.images.list({ signal }));
      out.table(
        found.map(({ id, format, widthPx, heightPx, createdAt }) => ({
          id,
          format,
          widthPx,
          heightPx,
          createdAt,
        })),
      );
    }),
  );
  leaf(
    images.command('upload').argument('<file...>', 'PNG, JPEG or WebP'),
    'stores pictures; the same file again is the same picture',
    ['mindpainter images upload photo.png', 'mindpainter images upload *.jpg --json'],
  ).action(
    run(async ({ mp, out, signal, goesOn }, _, files: readonly string[]) => {
      const stored: { file: string; id: string; widthPx: number; heightPx: number }[] = [];
      goesOn('what was uploaded is stored; the same command again is safe');
      for (const file of files) {
        if (files.length > 1) out.progress('uploaded', stored.length, files.length);
        const { id, widthPx, heightPx } = await mp.images.upload(file, { signal });
        stored.push({ file, id, widthPx, heightPx });
      }
      out.table(stored);
    }),
  );

  const models = program.command('models').description('what can paint');
  leaf(models.command('list'), 'lists the models, the newest first', ['mindpainter models list']).action(
    run(async ({ mp, out, signal }) => {
      const found = await collect(mp.models.list({ signal }));
      out.table(
        found.map(({ name, subjectLabel, voxels, imageSizePx, id }) => ({
          name,
          subject: subjectLabel,
          voxels,
          imageSizePx,
          id,
        })),
      );
    }),
  );
}
