// The environment: defaults, all faults at once, no secret in a message.

import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.js';

test('nothing set, or set to nothing: the defaults', () => {
  const defaults = loadConfig({});
  expect(defaults).toEqual({
    databaseUrl: undefined,
    dataDir: 'data',
    modelFolders: ['models/toy'],
    metricNetworks: [],
    host: '127.0.0.1',
    port: undefined,
    logLevel: 'info',
    maxUploadBytes: 200_000_000,
    maxUnfinishedJobs: 20_000,
    requestsPerMinute: 3000,
    introspection: true,
    trustedDocuments: 'off',
    privateWebhooks: true,
  });
  expect(loadConfig({ PORT: '', DATABASE_URL: ' ', LOG_LEVEL: '', MINDPAINTER_MODELS: '' })).toEqual(
    defaults,
  );
});

test('values are taken as they are meant', () => {
  const config = loadConfig({
    DATABASE_URL: 'postgres://a:b@db/lab',
    PORT: '0',
    MINDPAINTER_MODELS: 'models/toy, /srv/other,',
    MINDPAINTER_METRIC_NETWORKS: '/srv/clip',
  });
  expect(config).toMatchObject({
    databaseUrl: 'postgres://a:b@db/lab',
    port: 0,
    modelFolders: ['models/toy', '/srv/other'],
    metricNetworks: ['/srv/clip'],
  });
});

test('every fault is named at once, each with what to give, and without the value', () => {
  const wrong = {
    PORT: '99999',
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://a:hunter2@db/x',
    MAX_UPLOAD_BYTES: '-1',
  };
  const error = (() => {
    try {
      loadConfig(wrong);
    } catch (e) {
      return e as Error;
    }
  })();
  expect(error).toMatchObject({ code: 'BAD_INPUT' });
  for (const name of Object.keys(wrong)) expect(error?.message).toMatch(new RegExp(`${name}: give `));
  expect(error?.message).not.toContain('hunter2');
});

test.each(['4000.5', '4e3', '0x10', 'abc', '-1', '65536'])('PORT=%s is no port', (PORT) => {
  expect(() => loadConfig({ PORT })).toThrow('PORT');
});

test('webhooks go to private addresses by default only where the server serves nobody else', () => {
  const decide = (environment: Record<string, string>) => loadConfig(environment).privateWebhooks;
  const DATABASE_URL = 'postgresql://a:b@host/c';
  expect(decide({ HOST: 'localhost' })).toBe(true);
  expect(decide({ HOST: '0.0.0.0' })).toBe(false);
  expect(decide({ DATABASE_URL })).toBe(false);
  expect(decide({ DATABASE_URL, WEBHOOK_PRIVATE_ADDRESSES: 'allow' })).toBe(true);
  expect(decide({ WEBHOOK_PRIVATE_ADDRESSES: 'refuse' })).toBe(false);
});
