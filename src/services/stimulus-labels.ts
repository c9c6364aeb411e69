// The categories of stimuli, by name: trial tables and linkStimuli tell them.

import { AppError } from '../errors.js';
import type { Transaction } from '../store/client.js';

/** Some names for a message: the first five, and how many more there are. */
export function listFew(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}

/** The labels of those of the names that have one. */
export async function labelsOf(
  db: Pick<Transaction, 'stimulusLabel'>,
  names: readonly string[],
): Promise<Map<string, string>> {
  const rows = await db.stimulusLabel.findMany({ where: { stimulus: { in: [...names] } } });
  return new Map(rows.map((row) => [row.stimulus, row.label]));
}

export interface Relabelled {
  readonly stimulus: string;
  /** Null for a stimulus that had no label. */
  readonly before: string | null;
  readonly after: string;
}

/**
 * Gives stimuli their labels, all or none, and tells what that changed. Throws AppError CONFLICT on `field` for a stimulus
 * that has another one already, unless it is to be replaced.
 */
export async function labelStimuli(
  tx: Transaction,
  labels: ReadonlyMap<string, string>,
  field: string,
  replace = false,
): Promise<Relabelled[]> {
  if (labels.size === 0) return [];
  // In one order everywhere, so that two writers wait for each other rather than for ever.
  const data = [...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([stimulus, label]) => ({ stimulus, label }));
  const added = await tx.stimulusLabel.createManyAndReturn({ data, skipDuplicates: true });
  const known = await labelsOf(tx, [...labels.keys()]);
  const other = data.filter(({ stimulus, label }) => known.get(stimulus) !== label);
  if (other.length > 0 && !replace) {
    const names = listFew(other.map(({ stimulus }) => `${stimulus} is '${known.get(stimulus)}'`));
    const message = `labelled otherwise already: ${names}; linkStimuli with replace changes that`;
    throw new AppError('CONFLICT', message, { field });
  }
  for (const { stimulus, label } of other)
    await tx.stimulusLabel.update({ where: { stimulus }, data: { label } });
  return [
    ...added.map(({ stimulus, label }) => ({ stimulus, before: null, after: label })),
    ...other.map(({ stimulus, label }) => ({ stimulus, before: known.get(stimulus)!, after: label })),
  ];
}
