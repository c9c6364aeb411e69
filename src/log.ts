// Structured logs: one JSON line an event, on standard error, so that commands can print results on standard output.

import { destination, type Logger, pino } from 'pino';

export type Log = Logger;

export function createLog(level: string): Log {
  return pino({ level, base: {} }, destination({ fd: 2, sync: true }));
}
