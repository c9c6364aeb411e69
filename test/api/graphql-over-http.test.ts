// The public audit suite of GraphQL over HTTP against the real server: what a server MUST, SHOULD and MAY do, all of it.

import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.close());

describe('GraphQL over HTTP', () => {
  const audits = serverAudits({ url: () => `${lab.url}/graphql`, fetchFn: fetch });
  it('has an audit suite', () => expect(audits.length).toBeGreaterThan(50));
  for (const { id, name, fn } of audits) {
    it(`${id} ${name}`, async () => {
      const { status, ...result } = await fn();
      const reason = 'reason' in result ? result.reason : '';
      expect(status, reason).toBe('ok');
    });
  }
});

describe('requests that are none', () => {
  const cases: Readonly<Record<string, RequestInit & { readonly says: RegExp }>> = {
    'a plain GET, as a browser sends it': { says: /quer/i },
    'a body without a content type of JSON': {
      method: 'POST',
      body: '{"query":"{ __typename }"}',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      says: /content-type/i,
    },
    'a body without a query': {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
      says: /body missing/i,
    },
  };
  for (const [name, { says, ...init }] of Object.entries(cases)) {
    it(`${name}: is told what is wrong, and is no fault of ours`, async () => {
      const response = await fetch(`${lab.url}/graphql`, init);
      const { errors } = (await response.json()) as { errors: { message: string; extensions: object }[] };
      expect(errors[0]!.extensions).toMatchObject({ code: 'BAD_REQUEST' });
      expect(errors[0]!.message).toMatch(says);
    });
  }
});
