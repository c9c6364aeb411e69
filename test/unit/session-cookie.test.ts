// The one cookie that the SDK keeps: set, replaced, taken away.

import { expect, test } from 'vitest';
import { createSession } from '../../src/sdk/session.js';

const answer = (...lines: string[]) => new Headers(lines.map((line) => ['set-cookie', line]));

test('a cookie is kept without its attributes until another comes or it is taken away', () => {
  const session = createSession();
  expect(session.cookie).toBeUndefined();
  expect(session.read(answer())).toBe(false);
  const later = new Date(Date.now() + 60_000).toUTCString();
  expect(session.read(answer(`s=abc=; Path=/; Expires=${later}; HttpOnly; SameSite=Lax`))).toBe(true);
  expect(session.cookie).toBe('s=abc=');
  expect(session.read(answer())).toBe(false);
  expect(session.read(answer(`s=abc=; Path=/`))).toBe(false);
  expect(session.read(answer('s=def; Max-Age=60'))).toBe(true);
  expect(session.cookie).toBe('s=def');
  for (const gone of ['s=', 's=; Path=/', 's=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 's=x; max-age=0']) {
    session.read(answer('s=def'));
    expect([gone, session.read(answer(gone)), session.cookie]).toEqual([gone, true, undefined]);
  }
});
