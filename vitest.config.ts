// Two kinds of tests: those that need no database, and those that share one embedded PostgreSQL (a fresh database a file).

import { defineConfig } from 'vitest/config';

// Generous: the machine may be busy, and a real hang is caught all the same.
const patience = { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 20_000 } } };
// GraphQL's classes compare by identity, and Apollo loads the CommonJS build: sources and tests must load that one too.
const resolve = { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] };

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: 'pure',
          include: ['test/*.test.ts', 'test/{unit,numeric,faults}/**/*.test.ts'],
          ...patience,
        },
      },
      {
        resolve,
        test: {
          name: 'database',
          include: ['test/{db,api,web}/**/*.test.ts'],
          globalSetup: 'test/support/postgres-for-tests.ts',
          ...patience,
        },
      },
    ],
  },
});
