// What can be changed. A field reads its input, asks its service, and answers with a payload.

import { AppError } from '../../errors.js';
import type { MutationResolvers } from '../../generated/graphql.js';
import {
  createApiToken,
  createRaterLink,
  revokeApiToken,
  revokeRaterLink,
} from '../../services/credentials.js';
import { createPresetMask, uploadImage, uploadMask } from '../../services/images.js';
import { registerModelFolder } from '../../services/models.js';
import { cancelPaintJob, submitPaintJob } from '../../services/paint-jobs.js';
import { ratePainting } from '../../services/ratings.js';
import { signIn, signOut } from '../../services/sign-in.js';
import { createSubject, importSession } from '../../services/subjects.js';
import { createUser, updateUser } from '../../services/users.js';
import type { ApiContext, SetSession } from '../context.js';
import { toPayload, toPayloadOf } from '../errors.js';
import { decodeId } from '../ids.js';
import { toMaskPreset } from '../mask-input.js';
import { readUpload } from '../uploads.js';

function requireCookies({ setSession }: ApiContext): SetSession {
  if (setSession) return setSession;
  throw new AppError('UNSUPPORTED', 'browser sessions start and end over HTTP, not over WebSocket');
}

export const Mutation: MutationResolvers = {
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
  submitPaintJob: (_, { input }, { services }) =>
    toPayload('paintJob', async () =>
      submitPaintJob(services, {
        imageId: decodeId('SourceImage', input.imageId, 'imageId'),
        maskId: decodeId('Mask', input.maskId, 'maskId'),
        trialIds: input.trialIds.map((id) => decodeId('Trial', id, 'trialIds')),
        modelId: decodeId('Model', input.modelId, 'modelId'),
        method: input.method ?? 'BRAIN',
        seed: input.seed ?? 0,
        steps: input.steps,
        guidanceScale: input.guidanceScale,
        paintingCount: input.paintingCount ?? 1,
      }),
    ),
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
  createUser: (_, { input }, { services }) => toPayload('user', () => createUser(services, input)),
  updateUser: (_, { input }, { services }) =>
    toPayload('user', async () => updateUser(services, { ...input, id: decodeId('User', input.id, 'id') })),
  createApiToken: (_, { input }, { services }) =>
    toPayloadOf(async () => {
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
    toPayloadOf(async () => {
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
