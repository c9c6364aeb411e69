// Structured logs on standard error, so that commands can print results on standard output: a JSON line an event, or a line
// for people where they read it in a terminal.

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

/** A log of events at `level` and above. */
export function createLog(level: string, forPeople = process.stderr.isTTY === true): Log {
  const out: DestinationStream = forPeople
    ? { write: (json) => void process.stderr.write(formatForPeople(json)) }
    : destination({ fd: 2, sync: true });
  return pino({ level, base: {} }, out);
}
