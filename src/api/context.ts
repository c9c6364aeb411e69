// What every resolver is given. Loaders live for one request, so that nothing stale is served.

import type { Log } from '../log.js';
import type { Services } from '../services/context.js';
import type { BundleFacts } from '../services/models.js';
import { createLoaders, type Loaders } from './loaders.js';

export interface ApiDeps {
  readonly services: Services;
  readonly log: Log;
  /** The folders that registerModel may name. */
  readonly modelFolders: readonly string[];
  /** Reads and verifies a bundle. Throws AppError. */
  readonly describeBundle: (folder: string) => Promise<BundleFacts>;
  readonly maxUploadBytes: number;
}

export interface ApiContext extends ApiDeps {
  /** Who asks. */
  readonly actor: string;
  readonly loaders: Loaders;
}

export function createContext(deps: ApiDeps): ApiContext {
  return { ...deps, actor: 'local', loaders: createLoaders(deps.services.store) };
}
