// What callers see of errors: what is wrong with a request, that the server is busy, or an id of a fault of ours.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { GraphQLError } from 'graphql';
import pg from 'pg';
import { expect, test } from 'vitest';
import { formatError } from '../../src/api/errors.js';
import { AppError } from '../../src/errors.js';
import { createLog } from '../../src/log.js';

const log = createLog('silent');
const shown = (cause: Error) => {
  const error = new GraphQLError(cause.message, { originalError: cause });
  return formatError(log, error.toJSON(), error);
};

test('a pool without a free connection is no fault: try again', async () => {
  // The driver's own words, by its own pool: a server that takes connections and never speaks.
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const pool = new pg.Pool({ host: '127.0.0.1', port, connectionTimeoutMillis: 50, max: 1 });
  const failure = () =>
    pool.connect().then(
      () => new Error('connected'),
      (error: Error) => error,
    );
  // The first opens a connection, the second waits for one.
  const driver = await Promise.all([failure(), failure()]);
  await pool.end();
  silent.close();
  expect(new Set(driver.map(({ message }) => message)).size).toBe(2);
  for (const cause of [
    ...driver,
    Object.assign(new Error('Unable to start a transaction'), { code: 'P2028' }),
  ])
    expect(shown(cause)).toMatchObject({
      extensions: { code: 'UNAVAILABLE' },
      message: expect.stringMatching(/try again/),
    });
});

test('what Postgres rolls back or refuses for the moment is no fault either; what it finds wrong is', () => {
  const said = (code: string) => Object.assign(new Error('deadlock detected'), { code });
  // As Prisma wraps it.
  const wrapped = (originalCode: string) =>
    Object.assign(said('P2010'), { meta: { driverAdapterError: { cause: { originalCode } } } });
  for (const state of ['40001', '40P01', '53300', '55P03', '57014', '57P03'])
    for (const cause of [said(state), wrapped(state)])
      expect([state, shown(cause).extensions]).toMatchObject([state, { code: 'UNAVAILABLE' }]);
  expect(shown(said('P2034')).extensions).toMatchObject({ code: 'UNAVAILABLE' });
  for (const cause of [said('23505'), wrapped('42P01')])
    expect(shown(cause).extensions).toMatchObject({ code: 'INTERNAL' });
});

test('what is refused keeps its words and field; anything else shows an id and nothing of its text', () => {
  expect(shown(new AppError('BAD_INPUT', 'too small', { field: 'width' }))).toMatchObject({
    message: 'too small',
    extensions: { code: 'BAD_INPUT', field: 'width' },
  });
  const fault = shown(new Error('password=secret'));
  expect(fault.extensions).toMatchObject({ code: 'INTERNAL', errorId: expect.any(String) });
  expect(JSON.stringify(fault)).not.toContain('secret');
});
