// Notices between programs that share a database: LISTEN and NOTIFY. A notice may be lost; who waits looks again anyway.

import { EventEmitter } from 'node:events';
import type { Pool } from 'pg';

export interface Notices {
  /** Settles when a notice with this payload arrives, at the latest after `timeoutMs`. Never rejects. */
  wait(payload: string, timeoutMs: number): Promise<void>;
  close(): void;
}

/** Hears one channel; takes one connection of the pool from the first wait on, and another when that one is lost. */
export function openNotices(pool: Pool, channel: string): Notices {
  const heard = new EventEmitter().setMaxListeners(0);
  let listening: Promise<() => void> | undefined;

  /** Gives the function that ends it. */
  async function listen(): Promise<() => void> {
    const client = await pool.connect();
    let held = true;
    const stop = () => {
      if (!held) return;
      held = false;
      listening = undefined;
      client.release(true);
    };
    client.once('error', stop);
    client.on('notification', ({ payload }) => heard.emit(`notice ${payload}`));
    try {
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }
  return {
    wait(payload, timeoutMs) {
      if (!listening) {
        listening = listen();
        listening.catch(() => {
          listening = undefined;
        });
      }
      return new Promise((resolve) => {
        const event = `notice ${payload}`;
        const done = () => {
          clearTimeout(timer);
          heard.off(event, done);
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        heard.on(event, done);
      });
    },
    close() {
      listening?.then((stop) => stop()).catch(() => {});
    },
  };
}
