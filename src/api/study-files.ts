// A study's export over HTTP: /files/studies/<id>/<export.json | ratings.csv | dictionary.csv | report.html>, streamed.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router } from 'express';
import type { Study } from '../generated/prisma/client.js';
import type { Services } from '../services/context.js';
import { dictionaryCsv, exportCsv, exportJson, findExport } from '../services/study-export.js';
import { studyReport } from '../services/study-report.js';
import type { ApiDeps } from './context.js';
import { viewerOf } from './identity.js';
import { isUuid } from './ids.js';

interface Kind {
  readonly type: string;
  readonly write: (services: Services, study: Study) => AsyncIterable<string>;
}

async function* whole(text: Promise<string> | string): AsyncGenerator<string> {
  yield await text;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'export.json': { type: 'application/json', write: exportJson },
  'ratings.csv': { type: 'text/csv; charset=utf-8', write: exportCsv },
  'dictionary.csv': { type: 'text/csv; charset=utf-8', write: () => whole(dictionaryCsv()) },
  'report.html': {
    type: 'text/html; charset=utf-8',
    write: (services, study) => whole(studyReport(services, study)),
  },
};

export function createStudyFileRouter(deps: ApiDeps): Router {
  const router = Router();
  router.get('/:id/:name', async (request, response) => {
    const viewer = viewerOf(response);
    const refuse = (status: number, code: string, message: string) =>
      void response.status(status).json({ error: { code, message } });
    if (viewer.kind === 'NOBODY') return refuse(401, 'UNAUTHENTICATED', 'nobody is signed in');
    const { id, name } = request.params;
    const services = { ...deps.services, viewer };
    const kind = KINDS[name];
    const study = kind && isUuid(id) ? await findExport(services, id) : null;
    if (!kind || !study) return refuse(404, 'NOT_FOUND', 'no such file');
    if (study === 'SEALED')
      return refuse(
        409,
        'CONFLICT',
        'the study is sealed: close and unseal it first, since its export tells the arms',
      );
    response.set({
      'Content-Type': kind.type,
      'Content-Disposition': `${name === 'report.html' ? 'inline' : 'attachment'}; filename="study-${id}-${name}"`,
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    try {
      await pipeline(Readable.from(kind.write(services, study)), response);
    } catch (error) {
      // Half a file must not look like a whole one: the connection is cut.
      deps.log.error({ err: error, study: id }, 'an export was not written to its end');
      response.destroy();
    }
  });
  return router;
}
