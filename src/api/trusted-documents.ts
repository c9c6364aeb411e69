// Documents that are known by their sha256 before anybody sends them: those of our own pages, guides and clients.

import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import {
  type DocumentNode,
  GraphQLError,
  parse,
  print,
  separateOperations,
  stripIgnoredCharacters,
} from 'graphql';
import { LIMITS, type OperationRequest } from './limits.js';

/** Documents in their canonical form by their sha256, in hexadecimal. */
export type Manifest = Readonly<Record<string, string>>;

export interface TrustedDocuments {
  readonly manifest: Manifest;
  /** Whether documents outside the manifest are refused. */
  readonly only: boolean;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** One form for all ways to lay a document out: no spaces, the operation first, its fragments by name. */
function canonical({ definitions }: DocumentNode): string {
  const nameOf = (node: DocumentNode['definitions'][number]) =>
    node.kind === 'FragmentDefinition' ? node.name.value : '';
  const sorted = [...definitions].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return stripIgnoredCharacters(sorted.map(print).join('\n'));
}

/** The manifest of some documents; one of several operations gives one entry each, with the fragments it uses. */
export function createManifest(documents: readonly string[]): Manifest {
  const texts = documents.flatMap((text) => Object.values(separateOperations(parse(text))).map(canonical));
  return Object.fromEntries(texts.sort().map((text) => [sha256(text), text]));
}

type TrustedRequest = OperationRequest & { readonly documentId?: unknown; readonly extensions?: unknown };

/** `documentId: "sha256:..."`, or the hash where Apollo's clients put it. */
function hashOf({ documentId, extensions }: TrustedRequest): string | undefined {
  if (typeof documentId === 'string') return documentId.replace(/^sha256:/, '');
  const persisted = (extensions as { persistedQuery?: { sha256Hash?: unknown } } | null | undefined)
    ?.persistedQuery;
  return typeof persisted?.sha256Hash === 'string' ? persisted.sha256Hash : undefined;
}

const refusal = (message: string, code: string) => new GraphQLError(message, { extensions: { code } });

/**
 * The request with the document that its hash names. Throws GraphQLError: PERSISTED_QUERY_NOT_FOUND, at which clients send
 * the document itself; UNTRUSTED_DOCUMENT where only the manifest's are taken.
 */
export function readTrusted<R extends TrustedRequest>(request: R, trusted: TrustedDocuments | undefined): R {
  if (!trusted) return request;
  const { manifest, only } = trusted;
  const { query } = request;
  if (query == null || query === '') {
    const hash = hashOf(request);
    if (hash === undefined) return request;
    const document = Object.hasOwn(manifest, hash) ? manifest[hash] : undefined;
    if (document === undefined) throw refusal('PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND');
    // Apollo has a protocol of its own for hashes, by which anybody makes a document known; it is not to see this one.
    const { extensions: _, ...rest } = request;
    return { ...rest, query: document } as R;
  }
  if (only && typeof query === 'string') {
    let hash: string;
    try {
      hash = sha256(canonical(parse(query, { maxTokens: LIMITS.tokens })));
    } catch {
      // The server says itself what is wrong with it.
      return request;
    }
    if (!Object.hasOwn(manifest, hash))
      throw refusal('this server runs only the documents that it knows', 'UNTRUSTED_DOCUMENT');
  }
  return request;
}

/** Puts the document of a hash into the request, by POST and by GET. */
export function refuseUntrusted(trusted: TrustedDocuments | undefined): RequestHandler {
  return (request, response, next) => {
    if (!trusted) return next();
    try {
      const { body } = request;
      if (request.method === 'POST' && body && typeof body === 'object' && !Array.isArray(body)) {
        request.body = readTrusted(body, trusted);
      } else if (request.method === 'GET') {
        const url = new URL(request.url, 'http://localhost');
        const get = (name: string) => url.searchParams.get(name) ?? undefined;
        const extensions = get('extensions');
        const { query } = readTrusted(
          {
            query: get('query'),
            documentId: get('documentId'),
            extensions: extensions === undefined ? undefined : JSON.parse(extensions),
          },
          trusted,
        );
        if (typeof query === 'string') {
          url.searchParams.set('query', query);
          url.searchParams.delete('extensions');
          request.url = `${url.pathname}${url.search}`;
        }
      }
      next();
    } catch (error) {
      if ((error as Error).name !== 'GraphQLError') return next();
      const { message, extensions } = error as GraphQLError;
      response.status(400).json({ errors: [{ message, extensions }] });
    }
  };
}
