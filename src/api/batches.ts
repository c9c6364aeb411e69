// Loaders: many reads of one request become one statement, and what was read ahead is given without a promise.

import DataLoader from 'dataloader';

export interface Loader<V> {
  /** What belongs to a key: at once where it was read ahead, else with what others ask for in the same tick. */
  load(key: string): V | Promise<V>;
  /** Keeps what was read ahead, so that `load` gives it at once. */
  keep(key: string, value: V): void;
  /** Forgets everything, for who asks again later. */
  clearAll(): void;
}

/** A loader of what `fetch` gives for its keys, in their order. */
export function batch<V>(fetch: (keys: readonly string[]) => Promise<V[]>): Loader<V> {
  const known = new Map<string, V>();
  // Made when it is needed: a request makes all loaders and uses few.
  let loader: DataLoader<string, V> | undefined;
  return {
    load(key) {
      const value = known.get(key);
      if (value !== undefined) return value;
      loader ??= new DataLoader(fetch);
      return loader.load(key);
    },
    keep: (key, value) => void known.set(key, value),
    clearAll() {
      known.clear();
      loader?.clearAll();
    },
  };
}

/** Rows by id; a missing one is null. */
export function byId<Row extends { id: string }>(fetch: (ids: string[]) => Promise<Row[]>) {
  return batch<Row | null>(async (ids) => {
    const rows = new Map((await fetch([...ids])).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

/** Lists of rows by the key of what they belong to, in the order in which they were fetched. */
export function listBy<Row>(fetch: (keys: string[]) => Promise<Row[]>, key: (row: Row) => string) {
  return batch<Row[]>(async (keys) => {
    const lists = new Map<string, Row[]>(keys.map((k) => [k, []]));
    for (const row of await fetch([...keys])) lists.get(key(row))!.push(row);
    return keys.map((k) => lists.get(k)!);
  });
}

/** What a foreign key names is there, unless it was withdrawn: then the field that must not be null says so. */
export const present = <Row>(row: Row | null | Promise<Row | null>) => row as Row | Promise<Row>;

/** Changes a value that may still be on its way. */
export const whenRead = <V, T>(value: V | Promise<V>, change: (value: V) => T): T | Promise<T> =>
  value instanceof Promise ? value.then(change) : change(value);
