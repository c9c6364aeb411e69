// The part of the world of rights that is about benchmarks and studies.

import { randomUUID } from 'node:crypto';
import type { Viewer } from '../../src/services/access.js';
import { measureBenchmark } from '../../src/services/benchmark-measurements.js';
import { createBenchmark, freezeBenchmark } from '../../src/services/benchmarks.js';
import type { Services } from '../../src/services/context.js';
import { closeStudy, openStudy, pauseStudy, pilotStudy } from '../../src/services/studies.js';
import { chainStart } from '../../src/services/study-chain.js';
import { createStudy } from '../../src/services/study-creation.js';
import { startRating, submitAnswer } from '../../src/services/study-rating.js';
import type { RaterScreen } from '../../src/services/study-screens.js';
import type { RightsWorld } from './rights-world.js';
import { endJobs } from './study-lab.js';

const uuidOf = (id: string) => id.slice(id.indexOf('_') + 1);

const answersTo = ({ pictures, criteria }: RaterScreen) =>
  pictures
    .filter(({ role }) => role === 'CANDIDATE')
    .flatMap(({ id }) => criteria.map(({ name }) => ({ pictureId: id, criterion: name, value: 2 })));

export interface StudyWorld {
  /** A new benchmark whose jobs have ended. */
  addBenchmark(): Promise<string>;
  /** A new study of two pairs, with the rater invited where it is open. */
  addStudy(state: 'DRAFT' | 'OPEN' | 'PAUSED' | 'CLOSED'): Promise<string>;
  readonly calls: RightsWorld['calls'];
}

export function studyWorld(
  services: Services,
  raterUserId: string,
  first: (type: string) => string,
): StudyWorld {
  const { prisma } = services.store;
  let made = 0;
  let frozen: string | undefined;
  const rater: Viewer = {
    kind: 'SESSION',
    userId: raterUserId,
    name: 'rater',
    credentialId: null,
    role: 'RATER',
    scopes: ['READ', 'RATE'],
  };
  const asRater = { ...services, viewer: rater };

  const addBenchmark = async (): Promise<string> => {
    made += 1;
    const modelId = uuidOf(first('Model'));
    const images = await prisma.sourceImage.findMany({ take: 2, orderBy: { id: 'asc' } });
    const trials = await prisma.trial.findMany({ take: 2, orderBy: { id: 'asc' } });
    const { id } = await createBenchmark(
      services,
      {
        name: `benchmark ${made}`,
        imageIds: images.map((image) => image.id),
        signals: trials.map((trial) => [trial.id]),
        pairing: 'RANDOM',
        seed: made,
        masks: { preset: { shape: 'full' } },
        arms: [
          { name: 'a', method: 'BRAIN', modelId },
          { name: 'b', method: 'NO_BRAIN', modelId },
        ],
      },
      { submittedBy: 'local' },
    );
    await endJobs(services, 0, id);
    return id;
  };
  const frozenBenchmark = async () => {
    if (frozen) return frozen;
    frozen = (await freezeBenchmark(services, await addBenchmark())).id;
    await measureBenchmark(services, { id: frozen, seed: 0 });
    return frozen;
  };
  const addRater = async (studyId: string): Promise<string> => {
    const id = randomUUID();
    await prisma.studyRater.create({
      data: { id, studyId, userId: raterUserId, chainHead: chainStart(studyId, id) },
    });
    return id;
  };
  const addStudy: StudyWorld['addStudy'] = async (state) => {
    made += 1;
    const { id } = await createStudy(services, {
      name: `study ${made}`,
      benchmarkId: await frozenBenchmark(),
      raters: 2,
    });
    await addRater(id);
    if (state === 'DRAFT') return id;
    await pilotStudy(services, id, { seed: 1, difference: 0.5, studies: 1 });
    await openStudy(services, id);
    if (state === 'PAUSED') await pauseStudy(services, id);
    if (state === 'CLOSED') await closeStudy(services, id);
    return id;
  };
  /** The input with which the rater answers the first screen of a new study. */
  const answer = async () => {
    const studyId = await addStudy('OPEN');
    const { tabId, screen } = await startRating(asRater, { studyId, consentVersion: '1' });
    return { studyId, tabId: tabId!, slotId: screen!.slotId, answerId: 'first', answers: answersTo(screen!) };
  };
  const ofStudy = (state: Parameters<typeof addStudy>[0]) => async () => [
    { input: { id: `Study_${await addStudy(state)}` } },
  ];
  return {
    addBenchmark,
    addStudy,
    calls: {
      createBenchmark: async () => [
        {
          input: {
            name: 'new',
            imageIds: [first('SourceImage')],
            signals: [[first('Trial')]],
            maskIds: [first('Mask')],
            arms: [{ name: 'a', method: 'BRAIN', modelId: first('Model') }],
          },
        },
      ],
      measureBenchmark: async () => {
        const { id } = await freezeBenchmark(services, await addBenchmark());
        return [{ input: { id: `Benchmark_${id}` } }];
      },
      freezeBenchmark: async () => [{ input: { id: `Benchmark_${await addBenchmark()}` } }],
      createStudy: async () => [
        { input: { name: 'new', benchmarkId: `Benchmark_${await frozenBenchmark()}`, raters: 2 } },
      ],
      pilotStudy: async () => [{ input: { id: `Study_${await addStudy('DRAFT')}`, studies: 1 } }],
      openStudy: ofStudy('PAUSED'),
      pauseStudy: ofStudy('OPEN'),
      closeStudy: ofStudy('OPEN'),
      unsealStudy: ofStudy('CLOSED'),
      inviteStudyRaters: async () => [{ input: { studyId: `Study_${await addStudy('OPEN')}`, count: 2 } }],
      judgeStudyRater: async () => {
        const studyId = await addStudy('OPEN');
        const { id } = await prisma.studyRater.findFirstOrThrow({ where: { studyId } });
        const input = {
          studyId: `Study_${studyId}`,
          raterId: `StudyRater_${id}`,
          verdict: 'EXCLUDE',
          reason: 'asked to',
        };
        return [{ input }];
      },
      startStudyRating: async () => [
        { input: { studyId: `Study_${await addStudy('OPEN')}`, consentVersion: '1' } },
      ],
      submitStudyAnswer: async () => {
        const input = await answer();
        return [{ input: { ...input, studyId: `Study_${input.studyId}` } }];
      },
      undoStudyAnswer: async () => {
        const input = await answer();
        await submitAnswer(asRater, input);
        const { studyId, tabId } = input;
        return [{ input: { studyId: `Study_${studyId}`, tabId, answerId: 'back' } }];
      },
    },
  };
}
