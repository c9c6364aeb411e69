// The API alone, as benchmarks measure it: no bundle can be registered, nothing uploaded, and the local user asks.

import { type ApiServer, createApiServer } from '../../src/api/server.js';
import { AppError } from '../../src/errors.js';
import { createLog } from '../../src/log.js';
import type { Services } from '../../src/services/context.js';
import { localViewer } from '../../src/services/sign-in.js';

export const noBundle = async (): Promise<never> => {
  throw new AppError('NOT_FOUND', 'no bundle', { field: 'folder' });
};

export async function createBareApi(services: Services): Promise<ApiServer> {
  return createApiServer({
    services,
    log: createLog('error'),
    modelFolders: [],
    describeBundle: noBundle,
    maxUploadBytes: 1,
    localViewer: await localViewer(services),
  });
}
