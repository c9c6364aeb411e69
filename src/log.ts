// Structured logs on standard error, so that commands can print results on standard output: a JSON line an event, or a line
// for people where they read it in a terminal. Lines carry what they belong to (a request, a job), and no secrets.

import { AsyncLocalStorage } from 'node:async_hooks';
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type Log = Logger;

interface Event {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly err?: { readonly stack?: string; readonly message?: string };
  readonly [key: string]: unknown;
}

/** One event as a line for people: time, level, message, then the rest as key=value; an error's stack follows. */
export function formatForPeople(json: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(json) as Event;
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const head = `${new Date(time).toISOString().slice(11, 19)} ${pino.levels.labels[level] ?? level}`;
  const line = [head, msg ?? err?.message ?? '', ...facts].join(' ').trim();
  return err ? `${line}\n${err.stack ?? err.message ?? ''}\n` : `${line}\n`;
}

const fields = new AsyncLocalStorage<Readonly<Record<string, unknown>>>();

/** Does work of which every line that is logged meanwhile, by whoever it calls, carries some more fields. */
export function withLogFields<T>(more: Readonly<Record<string, unknown>>, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...more }, work);
}

/** Secrets of ours, tokens of any kind, and passwords in addresses, wherever a library's message has put them. */
const SECRETS =
  /\b(?:mp[tls]_[0-9a-f]{32}_|whsec_)[\w+/=-]+|(?<=\bBearer +)[^\s"',]+|(?<=:\/\/[^\s:@/"]*:)[^\s@/"]+(?=@)/gi;

/** A line without the secrets that it holds. */
export const withoutSecrets = (line: string) => line.replace(SECRETS, '[secret]');

/** A log of events at `level` and above. */
export function createLog(level: string, forPeople = process.stderr.isTTY === true): Log {
  const stderr = destination({ fd: 2, sync: true });
  const out: DestinationStream = forPeople
    ? { write: (json) => void process.stderr.write(withoutSecrets(formatForPeople(json))) }
    : { write: (json) => void stderr.write(withoutSecrets(json)) };
  return pino({ level, base: {}, mixin: () => ({ ...fields.getStore() }) }, out);
}
