// The line for people.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { formatForPeople, withoutSecrets } from '../../src/log.js';

test('time, level, message, facts; an error with its stack on the next lines', () => {
  const time = Date.UTC(2026, 0, 2, 3, 4, 5);
  const line = formatForPeople(JSON.stringify({ level: 40, time, port: 4000, msg: 'the port is taken' }));
  expect(line).toBe('03:04:05 warn the port is taken port=4000\n');
  const err = { message: 'no luck', stack: 'Error: no luck\n    at x' };
  expect(formatForPeople(JSON.stringify({ level: 50, time, err, msg: 'a task failed' }))).toBe(
    '03:04:05 error a task failed\nError: no luck\n    at x\n',
  );
});

test('every line carries what it belongs to, across awaits, and only that', () => {
  const program = `
    import { createLog, withLogFields } from './src/log.ts';
    const log = createLog('info', false);
    const wait = () => new Promise((done) => setTimeout(done, 5));
    await Promise.all(['a', 'b'].map((requestId) => withLogFields({ requestId }, async () => {
      await wait();
      await withLogFields({ jobId: requestId + 1 }, async () => { await wait(); log.info('inner'); });
      log.info('outer');
    })));
    log.info('Bearer abc.def');`;
  const { stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const facts = lines.map(({ level: _, time: __, ...rest }) => rest);
  expect(facts).toHaveLength(5);
  for (const id of ['a', 'b']) {
    expect(facts).toContainEqual({ requestId: id, jobId: `${id}1`, msg: 'inner' });
    expect(facts).toContainEqual({ requestId: id, msg: 'outer' });
  }
  expect(facts.at(-1)).toEqual({ msg: 'Bearer [secret]' });
});

test('secrets of ours, bearer tokens and passwords in addresses are cut out', () => {
  const secret = `mpt_${'0'.repeat(32)}_${'aB-_'.repeat(11).slice(0, 43)}`;
  for (const text of [secret, 'whsec_abc+/DEF=', 'Bearer eyJ.x-y_z', 'postgresql://me:hunter2@host/db']) {
    const cut = withoutSecrets(`{"msg":"${text}"}`);
    expect(cut).toContain('[secret]');
    expect(cut).not.toMatch(/aB-_|DEF|eyJ|hunter2/);
    expect(() => JSON.parse(cut)).not.toThrow();
  }
  expect(withoutSecrets('http://127.0.0.1:4000/graphql a whsec b')).toBe(
    'http://127.0.0.1:4000/graphql a whsec b',
  );
});
