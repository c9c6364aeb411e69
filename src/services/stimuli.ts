// Stimuli: which picture each stimulus name of the trial tables is, and of what category.

import { AppError } from '../errors.js';
import { labelFault } from '../fmri/trials.js';
import type { Stimulus } from '../generated/prisma/client.js';
import { authorize } from './access.js';
import { audit } from './audit.js';
import type { Services } from './context.js';
import { labelStimuli, labelsOf, listFew } from './stimulus-labels.js';

const MAX_LINKS = 1000;

export interface LinkStimuli {
  readonly stimuli: readonly {
    readonly name: string;
    readonly imageId: string;
    /** The category; absent: it stays as it is. */
    readonly label?: string | null | undefined;
  }[];
  /** True to give a known name another picture or label. */
  readonly replace: boolean;
}

/** Links names to pictures and labels, all or none. The same again changes nothing. Throws AppError on field 'stimuli'. */
export async function linkStimuli({ store, viewer }: Services, input: LinkStimuli): Promise<Stimulus[]> {
  authorize(viewer, 'linkStimuli');
  const { stimuli, replace } = input;
  const fail = (code: 'BAD_INPUT' | 'NOT_FOUND' | 'CONFLICT', message: string): never => {
    throw new AppError(code, message, { field: 'stimuli' });
  };
  if (stimuli.length < 1 || stimuli.length > MAX_LINKS)
    fail('BAD_INPUT', `give 1 to ${MAX_LINKS} stimuli at once`);
  const imageOf = new Map<string, string>();
  const labels = new Map<string, string>();
  for (const { name, imageId, label } of stimuli) {
    if (name.trim() !== name || name === '' || name.length > 200)
      fail('BAD_INPUT', `'${name.slice(0, 40)}': a name has 1 to 200 characters and no blanks around it`);
    if (imageOf.has(name)) fail('BAD_INPUT', `${name} is named twice`);
    imageOf.set(name, imageId);
    if (label == null) continue;
    const fault = labelFault(label.trim());
    if (fault) fail('BAD_INPUT', `${name}: ${fault}`);
    labels.set(name, label.trim());
  }
  return store.prisma.$transaction(async (tx) => {
    const images = await tx.sourceImage.findMany({
      where: { id: { in: [...imageOf.values()] }, deletedAt: null },
      select: { id: true },
    });
    const found = new Set(images.map((image) => image.id));
    const unknown = [...imageOf].flatMap(([name, imageId]) => (found.has(imageId) ? [] : [name]));
    if (unknown.length > 0) fail('NOT_FOUND', `no such image for ${listFew(unknown)}`);
    const added = await tx.stimulus.createManyAndReturn({
      data: [...imageOf].map(([name, imageId]) => ({ name, imageId })),
      skipDuplicates: true,
    });
    const rows = await tx.stimulus.findMany({ where: { name: { in: [...imageOf.keys()] } } });
    const other = rows.filter((row) => row.imageId !== imageOf.get(row.name));
    if (other.length > 0 && !replace) {
      const names = listFew(other.map((row) => row.name));
      fail('CONFLICT', `linked to another picture already: ${names}; set replace to change that`);
    }
    for (const { id, name } of other)
      await tx.stimulus.update({ where: { id }, data: { imageId: imageOf.get(name)! } });
    const relabelled = await labelStimuli(tx, labels, 'stimuli', replace);
    const idOf = new Map(rows.map((row) => [row.name, row.id]));
    const event = { action: 'linkStimuli', type: 'Stimulus' };
    await audit(
      tx,
      viewer,
      ...added.map((after) => ({ ...event, id: after.id, after })),
      ...other.map(({ id, name, imageId }) => ({
        ...event,
        id,
        before: { imageId },
        after: { imageId: imageOf.get(name)! },
      })),
      ...relabelled.map(({ stimulus, before, after }) => ({
        ...event,
        id: idOf.get(stimulus)!,
        before: { label: before },
        after: { label: after },
      })),
    );
    const byName = new Map(rows.map((row) => [row.name, { ...row, imageId: imageOf.get(row.name)! }]));
    return stimuli.map(({ name }) => byName.get(name)!);
  });
}

export interface LinkedStimulus {
  readonly name: string;
  readonly imageId: string;
  readonly label: string | null;
}

/** The pictures and labels of some names, ordered by name. Throws AppError BAD_INPUT on `field` that lists the first names without one. */
export async function requirePictures(
  { store }: Services,
  names: readonly string[],
  field: string,
): Promise<LinkedStimulus[]> {
  const rows = await store.prisma.stimulus.findMany({
    where: { name: { in: [...names] }, image: { deletedAt: null } },
    select: { name: true, imageId: true },
    orderBy: { name: 'asc' },
  });
  const known = new Set(rows.map((row) => row.name));
  const missing = [...new Set(names)].filter((name) => !known.has(name)).sort();
  if (missing.length > 0) {
    const message = `${missing.length} of ${new Set(names).size} stimuli have no picture: ${listFew(missing)}; link them with linkStimuli, or restore the pictures that were deleted`;
    throw new AppError('BAD_INPUT', message, { field });
  }
  const labels = await labelsOf(store.prisma, names);
  return rows.map((row) => ({ ...row, label: labels.get(row.name) ?? null }));
}
