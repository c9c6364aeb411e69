// What a rater has done and no server has acknowledged yet, in order; kept where a reload finds it. No document, no network.

export interface PendingAnswer {
  readonly kind: 'ANSWER';
  /** Drawn once: however often it is sent, it is one answer. */
  readonly answerId: string;
  readonly slotId: string;
  readonly practice: boolean;
  readonly answers: readonly { pictureId?: string; criterion?: string; value: number }[];
  readonly responseMs: number;
}

export interface PendingUndo {
  readonly kind: 'UNDO';
  readonly answerId: string;
  /** The screen whose answer is taken back. */
  readonly slotId: string;
}

export type Entry = PendingAnswer | PendingUndo;

export interface Outbox {
  entries(): readonly Entry[];
  add(entry: Entry): void;
  /** Forgets an entry; one that is not there changes nothing. */
  remove(answerId: string): void;
}

/** What of the browser's storage is used. */
export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Where the browser forbids storage, entries live as long as the page. */
function memory(): Shelf {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** The outbox of a rater in a study. Each change reads the shelf first: another tab may have written to it. */
export function openOutbox(shelf: Shelf | undefined, userId: string, studyId: string): Outbox {
  const key = `mindpainter:outbox:${userId}:${studyId}`;
  let store = shelf ?? memory();
  const entries = (): readonly Entry[] => {
    try {
      return JSON.parse(store.getItem(key) ?? '[]') as Entry[];
    } catch {
      return [];
    }
  };
  const write = (list: readonly Entry[]) => {
    try {
      if (list.length === 0) store.removeItem(key);
      else store.setItem(key, JSON.stringify(list));
    } catch {
      // The storage is full or was taken away: what is in it goes on in memory.
      store = memory();
      store.setItem(key, JSON.stringify(list));
    }
  };
  return {
    entries,
    add: (entry) => write([...entries(), entry]),
    remove: (answerId) => write(entries().filter((entry) => entry.answerId !== answerId)),
  };
}

/** What waits, by screen: answered here though the server may not know yet, and taken back and not answered anew. */
export function pendingIn(entries: readonly Entry[]): {
  readonly answered: ReadonlySet<string>;
  readonly undone: ReadonlySet<string>;
} {
  const answered = new Set<string>();
  const undone = new Set<string>();
  for (const { kind, slotId } of entries) {
    const [to, from] = kind === 'ANSWER' ? [answered, undone] : [undone, answered];
    to.add(slotId);
    from.delete(slotId);
  }
  return { answered, undone };
}
