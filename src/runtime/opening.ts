// Opening what must be closed again: several that belong together, and one that may never be needed.

interface Closable {
  close(): Promise<void>;
}

/** Opens one after the other (a session's opening blocks the event loop); when one fails, those before it are closed. */
export async function openAll<T extends Closable>(openers: readonly (() => Promise<T>)[]): Promise<T[]> {
  const opened: T[] = [];
  try {
    for (const open of openers) opened.push(await open());
    return opened;
  } catch (error) {
    for (const one of opened) await one.close();
    throw error;
  }
}

/** What is opened when first asked for. A failure is forgotten, so that the next call tries again. */
export function onDemand<T extends Closable>(open: () => Promise<T>): { get(): Promise<T> } & Closable {
  let opened: Promise<T> | undefined;
  return {
    get() {
      opened ??= open().catch((error) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
    async close() {
      await opened?.then(
        (one) => one.close(),
        () => {},
      );
    },
  };
}
