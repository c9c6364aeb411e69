// `studies invite`, `studies raters` and `studies judge`: the raters of a study as its lead looks after them.

import { type Command, Option } from 'commander';
import type { JudgeStudyRaterInput } from '../../sdk/client.js';
import { UsageError } from '../failures.js';
import { numberOf } from '../parts.js';
import { leaf, run } from '../run.js';

const VERDICTS = ['continue', 'exclude', 'replace'] as const;

export function addStudyRaters(studies: Command): void {
  leaf(studies.command('invite').argument('<id>', 'of the study'), 'makes personal links for raters', [
    'mindpainter studies invite Study_... --count 20 > links.txt',
    'mindpainter studies invite Study_... --names ada,bob --days 7 --json',
  ])
    .addOption(new Option('--count <n>', 'so many new raters, with numbers for names').conflicts('names'))
    .option('--names <names>', 'names of raters, comma-separated')
    .option('--days <n>', 'how long the links hold (default 30)')
    .action(
      run<{ count?: string; names?: string; days?: string }>(
        async ({ mp, server, out, signal, goesOn }, options, studyId: string) => {
          const count = numberOf(options.count, 'count');
          const names = options.names?.split(',').map((name) => name.trim());
          if (count === undefined && names === undefined) throw new UsageError('give --count or --names');
          const expiresInDays = numberOf(options.days, 'days');
          goesOn('links may or may not have been made; links that nobody knows do no harm');
          const made = await mp.studies.invite(
            {
              studyId,
              ...(names ? { names } : { count }),
              ...(expiresInDays === undefined ? {} : { expiresInDays }),
            },
            { signal },
          );
          out.table(
            made.map(({ raterName, path }) => ({ rater: raterName, link: new URL(path, server).href })),
          );
          out.note('each link is for one person, and is shown this once');
        },
      ),
    );
  leaf(
    studies.command('raters').argument('<id>', 'of the study'),
    'lists how its raters do; no answer is among it',
    ['mindpainter studies raters Study_...'],
  ).action(
    run(async ({ mp, out, signal }, _, id: string) => {
      const raters = await mp.studies.raters(id, { signal });
      out.table(
        raters.map(({ name, state, seatNumber, answered, failedChecks, medianResponseMs, undone, id }) => ({
          name,
          state,
          place: seatNumber,
          answered,
          failedChecks,
          medianResponseMs,
          undone,
          id,
        })),
      );
    }),
  );
  leaf(
    studies.command('judge').argument('<id>', 'of the study').argument('<rater>', 'id of the rater in it'),
    'says what becomes of a rater; nothing is deleted',
    [
      'mindpainter studies judge Study_... StudyRater_... --verdict continue --reason "read the instruction late"',
      'mindpainter studies judge Study_... StudyRater_... --verdict exclude --reason "gave 2 throughout"',
    ],
  )
    .addOption(
      new Option(
        '--verdict <verdict>',
        'continue: a paused one goes on; exclude: results come with and without them; replace: the place goes to another',
      )
        .choices(VERDICTS)
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'why; it is kept')
    .action(
      run<{ verdict: string; reason: string }>(
        async ({ mp, out, signal }, { verdict, reason }, studyId: string, raterId: string) => {
          const word = verdict.toUpperCase() as JudgeStudyRaterInput['verdict'];
          await mp.studies.judge({ studyId, raterId, verdict: word, reason }, { signal });
          out.data({ studyId, raterId, verdict: word, reason }, `${raterId}: ${word}`);
        },
      ),
    );
}
