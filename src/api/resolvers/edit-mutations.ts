// Changing, deleting and restoring what the lab keeps.

import { AppError } from '../../errors.js';
import type { MutationResolvers } from '../../generated/graphql.js';
import { updateBenchmark } from '../../services/benchmarks.js';
import { type Deletion, deleteRow, restoreRow } from '../../services/deletions.js';
import type { Editable, RowOf } from '../../services/edits.js';
import { updateImage } from '../../services/images.js';
import { updateModel } from '../../services/models.js';
import { updateStudy } from '../../services/studies.js';
import { updateSession, updateSubject } from '../../services/subjects.js';
import { toPayload } from '../errors.js';
import { decodeId, parseId } from '../ids.js';

const DELETABLE = ['Subject', 'FmriSession', 'SourceImage', 'Mask', 'Model', 'Benchmark', 'Study'] as const;

function toDeletion({ id, expectedVersion }: { id: string; expectedVersion: number }): Deletion {
  const parsed = parseId(id);
  const type = DELETABLE.find((name) => name === parsed?.type);
  if (parsed && type) return { type, id: parsed.key, expectedVersion };
  throw new AppError('NOT_FOUND', 'nothing that can be deleted has this id', { field: 'id' });
}

/** A row with the name of its type, which interfaces are resolved by. */
const typed = (type: Editable, row: RowOf<Editable>) => ({ ...row, __typename: type }) as never;

export const editMutations = {
  updateSubject: (_, { input }, { services }) =>
    toPayload('subject', async () =>
      updateSubject(services, { ...input, id: decodeId('Subject', input.id, 'id') }),
    ),
  updateFmriSession: (_, { input }, { services }) =>
    toPayload('fmriSession', async () =>
      updateSession(services, { ...input, id: decodeId('FmriSession', input.id, 'id') }),
    ),
  updateSourceImage: (_, { input }, { services }) =>
    toPayload('sourceImage', async () =>
      updateImage(services, { ...input, id: decodeId('SourceImage', input.id, 'id') }),
    ),
  updateModel: (_, { input }, { services }) =>
    toPayload('model', async () =>
      updateModel(services, { ...input, id: decodeId('Model', input.id, 'id') }),
    ),
  updateBenchmark: (_, { input }, { services }) =>
    toPayload('benchmark', async () =>
      updateBenchmark(services, { ...input, id: decodeId('Benchmark', input.id, 'id') }),
    ),
  updateStudy: (_, { input }, { services }) =>
    toPayload('study', async () =>
      updateStudy(services, { ...input, id: decodeId('Study', input.id, 'id') }),
    ),
  delete: (_, { input }, { services }) =>
    toPayload('deleted', async () => {
      const deletion = toDeletion(input);
      return typed(deletion.type, await deleteRow(services, deletion, input.reason));
    }),
  restore: (_, { input }, { services }) =>
    toPayload('restored', async () => {
      const deletion = toDeletion(input);
      return typed(deletion.type, await restoreRow(services, deletion));
    }),
} satisfies Partial<MutationResolvers>;
