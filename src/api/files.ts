// Pictures over HTTP: /files/<kind>/<id>.<png|webp>. Content never changes under an id, so it may be cached for ever; but the
// preview of a job that runs does.

import { type Response, Router } from 'express';
import { isAppError } from '../errors.js';
import type { Viewer } from '../services/access.js';
import { benchmarkSheet, type SheetKind } from '../services/benchmark-sheets.js';
import { readPreview } from '../services/paint-job-watch.js';
import { readStudyPicture } from '../services/study-screens.js';
import type { ApiDeps } from './context.js';
import { viewerOf } from './identity.js';
import { isUuid, parseId } from './ids.js';
import { createLoaders } from './loaders.js';
import { createStudyFileRouter } from './study-files.js';

interface Found {
  readonly pngSha256: string;
  readonly thumbnailSha256?: string;
}

/** What the viewer may see under an address; what they may not is not there. */
async function find(deps: ApiDeps, viewer: Viewer, kind: string, id: string): Promise<Found | null> {
  const loaders = createLoaders(deps.services.store, viewer);
  if (!isUuid(id)) return null;
  if (kind === 'paintings') return loaders.Painting.load(id);
  if (kind === 'source-images') return loaders.SourceImage.load(id);
  if (kind === 'masks') return loaders.Mask.load(id);
  return null;
}

const CODES: Readonly<Record<number, string>> = {
  400: 'BAD_INPUT',
  401: 'UNAUTHENTICATED',
  404: 'NOT_FOUND',
};

const SHEETS: Readonly<Record<string, SheetKind>> = {
  'pairs.png': 'PAIRS',
  'brains.png': 'BRAINS',
  'reconstructions.png': 'RECONSTRUCTIONS',
};

function refuse(response: Response, status: number, message: string): void {
  const code = CODES[status] ?? 'INTERNAL';
  response.status(status).json({ error: { code, message } });
}

export function createFileRouter(deps: ApiDeps): Router {
  const router = Router();
  router.get('/previews/:name', async (request, response) => {
    const viewer = viewerOf(response);
    if (viewer.kind === 'NOBODY') return refuse(response, 401, 'nobody is signed in');
    const [, id] = /^([0-9a-f-]{36})\.webp$/.exec(request.params.name) ?? [];
    const preview = id && isUuid(id) && (await readPreview({ ...deps.services, viewer }, id));
    if (!preview) return refuse(response, 404, 'no such file');
    response.set({
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
    });
    response.type('webp').send(preview);
  });
  router.use('/studies', createStudyFileRouter(deps));
  router.get('/study-pictures/:name', async (request, response) => {
    const viewer = viewerOf(response);
    if (viewer.kind === 'NOBODY') return refuse(response, 401, 'nobody is signed in');
    const [, id] = /^([0-9a-f-]{36})\.png$/.exec(request.params.name) ?? [];
    const picture = id && isUuid(id) && (await readStudyPicture({ ...deps.services, viewer }, id));
    if (!picture) return refuse(response, 404, 'no such file');
    // No ETag: a hash of the content would be the same wherever the picture is.
    response.set({
      'Cache-Control': 'private, max-age=86400',
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
      Vary: 'Cookie',
    });
    response.type('png').end(picture);
  });
  router.get('/benchmarks/:id/:sheet', async (request, response) => {
    const viewer = viewerOf(response);
    if (viewer.kind === 'NOBODY') return refuse(response, 401, 'nobody is signed in');
    const kind = SHEETS[request.params.sheet];
    const { from, imageId } = request.query;
    const image = typeof imageId === 'string' ? parseId(imageId) : undefined;
    if (!kind || !isUuid(request.params.id) || (imageId !== undefined && image?.type !== 'SourceImage'))
      return refuse(response, 404, 'no such file');
    try {
      const sheet = await benchmarkSheet({ ...deps.services, viewer }, request.params.id, kind, {
        from: Number(from ?? 0),
        imageId: image?.key,
      });
      response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
      response.type('png').send(sheet);
    } catch (error) {
      if (!isAppError(error)) throw error;
      refuse(response, error.code === 'BAD_INPUT' ? 400 : 404, error.message);
    }
  });
  router.get('/:kind/:name', async (request, response) => {
    const viewer = viewerOf(response);
    if (viewer.kind === 'NOBODY') return refuse(response, 401, 'nobody is signed in');
    const [, id = '', extension = ''] = /^([0-9a-f-]{36})\.(png|webp)$/.exec(request.params.name) ?? [];
    const row = await find(deps, viewer, request.params.kind, id);
    const sha256 = extension === 'png' ? row?.pngSha256 : row?.thumbnailSha256;
    if (!sha256) return refuse(response, 404, 'no such file');
    response.set({
      ETag: `"${sha256}"`,
      'Cache-Control': 'private, max-age=31536000, immutable',
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
      Vary: 'Authorization, Cookie',
    });
    if (request.fresh) return void response.status(304).end();
    try {
      response.type(extension).send(await deps.services.blobs.get(sha256));
    } catch (error) {
      deps.log.error({ err: error, sha256 }, 'a stored file cannot be read');
      response.removeHeader('Cache-Control');
      refuse(
        response,
        isAppError(error) && error.code === 'NOT_FOUND' ? 404 : 500,
        'the file cannot be read',
      );
    }
  });
  router.use((_, response) => refuse(response, 404, 'no such file'));
  return router;
}
