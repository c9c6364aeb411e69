// What can be changed. A field reads its input, asks its service, and answers with a payload.

import { AppError } from '../../errors.js';
import type { MutationResolvers } from '../../generated/graphql.js';
import {
  createApiToken,
  createRaterLink,
  revokeApiToken,
  revokeRaterLink,
} from '../../services/credentials.js';
import { pauseDevice, resumeDevice } from '../../services/devices.js';
import { createPresetMask, uploadImage, uploadMask } from '../../services/images.js';
import { registerModelFolder } from '../../services/models.js';
import { cancelPaintJob, cancelPaintJobs } from '../../services/paint-job-cancel.js';
import { retryPaintJobs, submitPaintJob, submitPaintJobs } from '../../services/paint-job-submission.js';
import { ratePainting } from '../../services/ratings.js';
import { signIn, signOut } from '../../services/sign-in.js';
import { linkStimuli } from '../../services/stimuli.js';
import { createSubject, importSession } from '../../services/subjects.js';
import {
  cancelTrainingRun,
  createTrainingRun,
  pauseTrainingRun,
  resumeTrainingRun,
} from '../../services/training-runs.js';
import { createUser, updateUser } from '../../services/users.js';
import { withdrawSubject } from '../../services/withdrawals.js';
import type { ApiContext, SetSession } from '../context.js';
import { toPayload, toPayloadOf, toUserError } from '../errors.js';
import { decodeId, parseId } from '../ids.js';
import { toMaskPreset } from '../mask-input.js';
import { toBatchOrder, toFacts, toOrder } from '../paint-job-input.js';
import { toTrainingSettings } from '../training-input.js';
import { readUpload } from '../uploads.js';
import { benchmarkMutations } from './benchmark-mutations.js';
import { editMutations } from './edit-mutations.js';
import { studyMutations } from './study-mutations.js';
import { webhookMutations } from './webhook-mutations.js';

function requireCookies({ setSession }: ApiContext): SetSession {
  if (setSession) return setSession;
  throw new AppError('UNSUPPORTED', 'browser sessions start and end over HTTP, not over WebSocket');
}

export const Mutation: MutationResolvers = {
  ...benchmarkMutations,
  ...editMutations,
  ...studyMutations,
  ...webhookMutations,
  createSubject: (_, { input }, { services }) =>
    toPayload('subject', () =>
      createSubject(services, { label: input.label, simulated: input.simulated ?? false }),
    ),
  importFmriSession: (_, { input }, { services, maxUploadBytes }) =>
    toPayload('fmriSession', async () => {
      const subjectId = decodeId('Subject', input.subjectId, 'subjectId');
      const betas = await readUpload(input.betas, 'betas', maxUploadBytes);
      const table = await readUpload(input.trials, 'trials', maxUploadBytes);
      return importSession(services, { subjectId, label: input.label, betas, trialTable: table.toString() });
    }),
  uploadSourceImage: (_, { input }, { services, maxUploadBytes }) =>
    toPayload('sourceImage', async () =>
      uploadImage(services, await readUpload(input.file, 'file', maxUploadBytes)),
    ),
  createMask: (_, { input }, { services }) =>
    toPayload('mask', async () => {
      const imageId = decodeId('SourceImage', input.imageId, 'imageId');
      return createPresetMask(services, imageId, toMaskPreset(input));
    }),
  uploadMask: (_, { input }, { services, maxUploadBytes }) =>
    toPayload('mask', async () => {
      const imageId = decodeId('SourceImage', input.imageId, 'imageId');
      return uploadMask(services, imageId, await readUpload(input.file, 'file', maxUploadBytes));
    }),
  registerModel: (_, { input }, { services, modelFolders, describeBundle }) =>
    toPayload('model', () => registerModelFolder(services, input.folder, modelFolders, describeBundle)),
  submitPaintJob: (_, { input }, { services, viewer }) =>
    toPayload('paintJob', async () => submitPaintJob(services, toOrder(input), toFacts(input, viewer))),
  submitPaintJobs: (_, { input }, { services, viewer }) =>
    toPayloadOf({ batch: null }, async () => {
      const { batch, faults } = await submitPaintJobs(services, toBatchOrder(input), toFacts(input, viewer));
      return { batch, userErrors: faults.map(({ index, error }) => ({ ...toUserError(error), index })) };
    }),
  retryPaintJobs: (_, { input }, { services, viewer }) =>
    toPayload('batch', async () => {
      const ids = input.ids?.map((id) => decodeId('PaintJob', id, 'ids'));
      const batchId = input.batchId == null ? undefined : decodeId('PaintJobBatch', input.batchId, 'batchId');
      return retryPaintJobs(services, { ids, batchId }, toFacts(input, viewer));
    }),
  cancelPaintJobs: (_, { input }, { services, viewer }) =>
    toPayloadOf({ cancelledCount: null, stoppingCount: null }, async () => {
      const ids = input.ids?.flatMap((id) => {
        const parsed = parseId(id);
        return parsed?.type === 'PaintJob' ? [parsed.key] : [];
      });
      const batchId = input.batchId == null ? undefined : decodeId('PaintJobBatch', input.batchId, 'batchId');
      const choice = { ids, batchId, state: input.state ?? undefined };
      return cancelPaintJobs(services, {
        ...choice,
        submittedBy: input.mine ? (viewer.name ?? undefined) : undefined,
      });
    }),
  pauseDevice: (_, { input }, { services }) =>
    toPayload('device', async () => pauseDevice(services, decodeId('Device', input.id, 'id'), input.reason)),
  resumeDevice: (_, { input }, { services }) =>
    toPayload('device', async () => resumeDevice(services, decodeId('Device', input.id, 'id'))),
  withdrawSubject: (_, { input }, { services }) =>
    toPayload('report', async () => {
      const subjectId = decodeId('Subject', input.subjectId, 'subjectId');
      return withdrawSubject(services, { subjectId, reason: input.reason, digest: input.digest });
    }),
  cancelPaintJob: (_, { input }, { services }) =>
    toPayload('paintJob', async () => cancelPaintJob(services, decodeId('PaintJob', input.id, 'id'))),
  ratePainting: (_, { input }, { services }) =>
    toPayload('rating', async () =>
      ratePainting(services, {
        paintingId: decodeId('Painting', input.paintingId, 'paintingId'),
        score: input.score,
        rater: input.rater,
      }),
    ),
  linkStimuli: (_, { input }, { services }) =>
    toPayload('stimuli', async () =>
      linkStimuli(services, {
        stimuli: input.stimuli.map(({ name, imageId, label }) => ({
          name,
          label,
          imageId: decodeId('SourceImage', imageId, 'stimuli'),
        })),
        replace: input.replace ?? false,
      }),
    ),
  createTrainingRun: (_, { input }, { services, describeBundle }) =>
    toPayload('trainingRun', async () =>
      createTrainingRun(
        services,
        {
          name: input.name,
          subjectId: decodeId('Subject', input.subjectId, 'subjectId'),
          sessionIds: input.sessionIds?.map((id) => decodeId('FmriSession', id, 'sessionIds')),
          baseModelId: decodeId('Model', input.baseModelId, 'baseModelId'),
          parts: input.parts ?? [],
          heldOutStimuli: input.heldOutStimuli,
          heldOutFraction: input.heldOutFraction,
          useSourceImages: input.useSourceImages ?? false,
          settings: toTrainingSettings(input.settings),
        },
        describeBundle,
      ),
    ),
  pauseTrainingRun: (_, { input }, { services }) =>
    toPayload('trainingRun', async () => pauseTrainingRun(services, decodeId('TrainingRun', input.id, 'id'))),
  resumeTrainingRun: (_, { input }, { services }) =>
    toPayload('trainingRun', async () =>
      resumeTrainingRun(services, decodeId('TrainingRun', input.id, 'id')),
    ),
  cancelTrainingRun: (_, { input }, { services }) =>
    toPayload('trainingRun', async () =>
      cancelTrainingRun(services, decodeId('TrainingRun', input.id, 'id')),
    ),
  createUser: (_, { input }, { services }) => toPayload('user', () => createUser(services, input)),
  updateUser: (_, { input }, { services }) =>
    toPayload('user', async () => updateUser(services, { ...input, id: decodeId('User', input.id, 'id') })),
  createApiToken: (_, { input }, { services }) =>
    toPayloadOf({ apiToken: null, secret: null }, async () => {
      const userId = input.userId == null ? undefined : decodeId('User', input.userId, 'userId');
      const { credential, secret } = await createApiToken(services, {
        userId,
        name: input.name,
        scopes: input.scopes ?? [],
        expiresInDays: input.expiresInDays ?? 90,
      });
      return { apiToken: credential, secret };
    }),
  revokeApiToken: (_, { input }, { services }) =>
    toPayload('apiToken', async () => revokeApiToken(services, decodeId('ApiToken', input.id, 'id'))),
  createRaterLink: (_, { input }, { services }) =>
    toPayloadOf({ raterLink: null, path: null }, async () => {
      const { raterName, expiresInDays } = input;
      const link = await createRaterLink(services, { raterName, expiresInDays: expiresInDays ?? 30 });
      return { raterLink: link.credential, path: `/rate#${link.secret}` };
    }),
  revokeRaterLink: (_, { input }, { services }) =>
    toPayload('raterLink', async () => revokeRaterLink(services, decodeId('RaterLink', input.id, 'id'))),
  signIn: (_, { input }, context) =>
    toPayload('viewer', async () => {
      const setSession = requireCookies(context);
      const session = await signIn(context.services, input.secret);
      setSession(session);
      return session.viewer;
    }),
  signOut: (_, __, context) =>
    toPayload('signedOut', async () => {
      const setSession = requireCookies(context);
      await signOut(context.services);
      setSession(null);
      return true;
    }),
};
