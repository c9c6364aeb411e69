// Pictures of screens: loaded ahead, and shown only once they are decoded, so that none is seen before another.

interface Loaded {
  readonly image: HTMLImageElement;
  readonly ready: Promise<unknown>;
}

export interface Pictures {
  /** The pictures of these addresses, all decoded. Rejects where one cannot be loaded; the next call tries again. */
  load(urls: readonly string[]): Promise<HTMLImageElement[]>;
  /** Loads what comes next, and forgets what is not named. */
  keep(urls: readonly string[]): void;
}

export function createPictures(): Pictures {
  const loaded = new Map<string, Loaded>();
  const open = (url: string): Loaded => {
    const before = loaded.get(url);
    if (before) return before;
    const image = new Image();
    image.src = url;
    image.draggable = false;
    const ready = image.decode().catch((error) => {
      loaded.delete(url);
      throw error;
    });
    const entry = { image, ready };
    loaded.set(url, entry);
    return entry;
  };
  return {
    async load(urls) {
      const entries = urls.map(open);
      await Promise.all(entries.map(({ ready }) => ready));
      return entries.map(({ image }) => image);
    },
    keep(urls) {
      for (const url of loaded.keys()) if (!urls.includes(url)) loaded.delete(url);
      // Whoever needs a picture that failed here asks for it again.
      for (const url of urls) open(url).ready.catch(() => {});
    },
  };
}
