// The line for people.

import { expect, test } from 'vitest';
import { formatForPeople } from '../../src/log.js';

test('time, level, message, facts; an error with its stack on the next lines', () => {
  const time = Date.UTC(2026, 0, 2, 3, 4, 5);
  const line = formatForPeople(JSON.stringify({ level: 40, time, port: 4000, msg: 'the port is taken' }));
  expect(line).toBe('03:04:05 warn the port is taken port=4000\n');
  const err = { message: 'no luck', stack: 'Error: no luck\n    at x' };
  expect(formatForPeople(JSON.stringify({ level: 50, time, err, msg: 'a task failed' }))).toBe(
    '03:04:05 error a task failed\nError: no luck\n    at x\n',
  );
});
