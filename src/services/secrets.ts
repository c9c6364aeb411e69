// Secrets of tokens, rater links and sessions: how they are made, read and compared. Only their HMAC is stored.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { CredentialKind } from '../generated/prisma/client.js';

/** What a secret begins with, so that people and secret scanners can tell what they have found. */
const PREFIXES: Readonly<Record<CredentialKind, string>> = {
  TOKEN: 'mpt',
  RATER_LINK: 'mpl',
  SESSION: 'mps',
};
const SHAPE = /^(mpt|mpl|mps)_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

export interface ParsedSecret {
  readonly kind: CredentialKind;
  /** Key of the row that may know it. */
  readonly id: string;
}

/** A new secret for a row: 256 random bits behind the row's key. */
export function createSecret(kind: CredentialKind, id: string): string {
  return `${PREFIXES[kind]}_${id.replaceAll('-', '')}_${randomBytes(32).toString('base64url')}`;
}

/** What a secret says about itself, or undefined if it is none of ours. It is not verified by this. */
export function parseSecret(secret: string): ParsedSecret | undefined {
  const [, prefix, hex] = SHAPE.exec(secret) ?? [];
  const kind = (Object.keys(PREFIXES) as CredentialKind[]).find((name) => PREFIXES[name] === prefix);
  if (!kind || !hex) return undefined;
  return { kind, id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') };
}

/** HMAC-SHA256. A plain digest is enough against guessing, for the secret is random; the key keeps who can write the
 * database, but not read the server's settings, from adding secrets of their own. */
export function hashSecret(secret: string, key: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac('sha256', key).update(secret).digest());
}

/** Whether a secret has this hash, in a time that does not tell how much of it is right. */
export function matchesSecret(secret: string, key: string, hash: Uint8Array): boolean {
  const own = hashSecret(secret, key);
  return own.length === hash.length && timingSafeEqual(own, hash);
}
