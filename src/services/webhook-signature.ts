// Secrets and signatures of webhooks, by the Standard Webhooks convention (https://www.standardwebhooks.com).

import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

/** A new secret of 256 bits. */
export const createWebhookSecret = () => `${PREFIX}${randomBytes(32).toString('base64')}`;

/** The header webhook-signature: one signature a secret, so that receivers may change theirs without haste. */
export function signWebhook(
  secrets: readonly string[],
  id: string,
  timestampSeconds: number,
  body: string,
): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
      return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`;
    })
    .join(' ');
}
