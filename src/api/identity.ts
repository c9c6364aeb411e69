// Who sends a request, and which requests are not served at all: those that another site made a browser send.

import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { AppError, isAppError } from '../errors.js';
import { NOBODY, type Viewer } from '../services/access.js';
import { authenticate } from '../services/sign-in.js';
import type { ApiDeps, SetSession } from './context.js';

/** What it takes to know who sends a request. */
export type Identifying = Pick<ApiDeps, 'services' | 'localViewer'>;

const COOKIE = 'mindpainter_session';

/** Whether only the machine itself can reach a server that listens here; also for the host names of addresses. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** The parts of an http address, or undefined if it is none. */
function parseAddress(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

const hostOf = (request: IncomingMessage) => parseAddress(`http://${request.headers.host ?? ''}`);

/**
 * Why a request must not be served, or undefined. A foreign Origin is another site's script. A server that takes its own
 * machine for its user answers to its own names only: a name that another site points here (DNS rebinding) is refused.
 */
export function refusalOf(request: IncomingMessage, deps: Pick<ApiDeps, 'localViewer'>): string | undefined {
  const host = hostOf(request);
  if (!host) return 'the Host header is missing or broken';
  if (deps.localViewer && !isLoopback(host.hostname))
    return 'this server answers to localhost only; see HOST in the README to serve others';
  const { origin } = request.headers;
  if (origin !== undefined && parseAddress(origin)?.host !== host.host)
    return 'requests of other sites are refused';
  return undefined;
}

/** Headers by which proxies say for whom they ask: the sender is then not known to sit at this machine. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/** Browsers say which site made them send a request; programs say nothing. */
export function isOwnRequest({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (PROXY_HEADERS.some((name) => name in headers)) return false;
  return site === undefined || site === 'same-origin' || site === 'none';
}

function sessionSecretOf({ headers }: IncomingMessage): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

/**
 * Who sends a request: by its token, else by its cookie, else the user of this machine or nobody. Throws AppError
 * UNAUTHENTICATED for a token that is not good; a cookie that has ended counts as none.
 */
export async function identify(
  deps: Identifying,
  request: IncomingMessage,
  authorization: unknown = request.headers.authorization,
): Promise<Viewer> {
  if (authorization !== undefined) {
    const token = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
    const viewer = token && (await authenticate(deps.services, token, 'TOKEN'));
    if (viewer) return viewer;
    throw new AppError('UNAUTHENTICATED', 'the token is not known, has expired, or was revoked');
  }
  const session = sessionSecretOf(request);
  const viewer = session && (await authenticate(deps.services, session, 'SESSION'));
  if (viewer) return viewer;
  return deps.localViewer && isOwnRequest(request) ? deps.localViewer : NOBODY;
}

const RECHECK_MS = 1000;

/**
 * Says, about a second late at most, whether who asked at the start may still do the same: for answers that last. `again`
 * finds who it is now; an AppError of it counts as nobody.
 */
export function keepWatch(viewer: Viewer, again: () => Promise<Viewer>): () => Promise<boolean> {
  let checkedAt = Date.now();
  return async () => {
    if (Date.now() - checkedAt < RECHECK_MS) return true;
    checkedAt = Date.now();
    try {
      return JSON.stringify(await again()) === JSON.stringify(viewer);
    } catch (error) {
      if (isAppError(error)) return false;
      throw error;
    }
  };
}

/** Whoever `identifyRequests` has found. */
export const viewerOf = (response: Response): Viewer =>
  (response.locals.viewer as Viewer | undefined) ?? NOBODY;

const refuse = (response: Response, status: number, code: string, message: string) =>
  void response.status(status).json({ errors: [{ message, extensions: { code } }] });

/** Refuses what must not be served, and says of everything else whose it is. */
export function identifyRequests(deps: Identifying): RequestHandler {
  return async (request, response, next) => {
    const refusal = refusalOf(request, deps);
    if (refusal) return refuse(response, 403, 'FORBIDDEN', refusal);
    try {
      response.locals.viewer = await identify(deps, request);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      response.set('WWW-Authenticate', 'Bearer');
      return refuse(response, 401, error.code, error.message);
    }
    next();
  };
}

/** Sets the session's cookie: out of reach of scripts, sent over https only unless the browser is on this machine. */
export function sessionSetter(request: Request, response: Response): SetSession {
  const secure = !isLoopback(hostOf(request)?.hostname ?? '');
  const options = { httpOnly: true, sameSite: 'lax', secure, path: '/' } as const;
  return (session) => {
    if (session) response.cookie(COOKIE, session.secret, { ...options, expires: session.expiresAt });
    else response.clearCookie(COOKIE, options);
  };
}
