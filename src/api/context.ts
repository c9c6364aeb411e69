// What every resolver is given. Loaders live for one request, so that nothing stale is served.

import type { Log } from '../log.js';
import type { Viewer } from '../services/access.js';
import type { Services } from '../services/context.js';
import type { BundleFacts } from '../services/models.js';
import { createLoaders, type Loaders } from './loaders.js';
import { createPageLoaders, type PageLoaders } from './page-loaders.js';
import type { TrustedDocuments } from './trusted-documents.js';

export interface ApiDeps {
  /** Without a viewer of their own: each request brings its own. */
  readonly services: Services;
  readonly log: Log;
  /** The folders that registerModel may name. */
  readonly modelFolders: readonly string[];
  /** Reads and verifies a bundle. Throws AppError. */
  readonly describeBundle: (folder: string) => Promise<BundleFacts>;
  readonly maxUploadBytes: number;
  /** Of one token, session or address; absent: 3000. */
  readonly requestsPerMinute?: number | undefined;
  /** Whether the schema tells itself; absent: it does. */
  readonly introspection?: boolean | undefined;
  /** Documents that may be asked for by their hash, and whether others may be sent; absent: only whole documents are taken. */
  readonly trustedDocuments?: TrustedDocuments | undefined;
  /**
   * Who a request is from that says nothing about it: the user of this machine, where only the machine itself can reach
   * the server; else absent, and it is nobody's.
   */
  readonly localViewer?: Viewer | undefined;
}

/** Puts a session's secret into the browser's cookie, or takes the cookie away. */
export type SetSession = (session: { readonly secret: string; readonly expiresAt: Date } | null) => void;

/** What an operation is known by that came on a connection of its own kind. */
export interface Origin {
  /** What its log lines carry beside what the connection's do. */
  readonly fields: Readonly<Record<string, string>>;
  /** W3C traceparent that it continues; absent: the current span. */
  readonly traceParent?: string | undefined;
  /** Whose limits it counts for; absent: nobody's. */
  readonly bucket: string | undefined;
}

export interface ApiContext extends ApiDeps {
  readonly loaders: Loaders;
  readonly pages: PageLoaders;
  /** Who asks. */
  readonly viewer: Viewer;
  /** Whether the viewer may still do what they could when they asked; streams ask before each event. */
  readonly isStillWelcome: () => Promise<boolean>;
  /** Absent over WebSocket, where no cookie can be set. */
  readonly setSession: SetSession | undefined;
  /** What an operation over WebSocket or an event stream is known by; absent over plain HTTP. */
  readonly origin?: Origin | undefined;
}

export function createContext(
  deps: ApiDeps,
  viewer: Viewer,
  request: Pick<ApiContext, 'isStillWelcome' | 'setSession' | 'origin'>,
): ApiContext {
  const services = { ...deps.services, viewer };
  return {
    ...deps,
    ...request,
    services,
    viewer,
    loaders: createLoaders(services.store, viewer),
    pages: createPageLoaders(services.store),
  };
}
