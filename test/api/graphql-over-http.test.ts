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
