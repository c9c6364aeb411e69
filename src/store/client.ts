// One Prisma client over one shared pool.

import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { Prisma, PrismaClient } from '../generated/prisma/client.js';
import { type Notices, openNotices } from './notices.js';

export type Transaction = Prisma.TransactionClient;
export { Prisma };

/** The channel of `endings`. */
export const ENDINGS = 'paint_job_ended';
/** The channel of `changes`. */
export const CHANGES = 'paint_jobs_changed';

export interface Store {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  /** Says the id of a paint job when it has ended. */
  readonly endings: Notices;
  /** Says '' when any paint job has changed its state, or a device may take jobs again. */
  readonly changes: Notices;
  /** Runs statements in one transaction; it is rolled back when `work` throws. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Opens the database; the pool's idle clients may lose their server without ending the process. */
export function openStore(url: string, connections = 12): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    application_name: 'mindpainter',
    connectionTimeoutMillis: 30_000,
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  // Prisma's own limits (2 s to begin, 5 s in all) are too short for a busy machine and a large import.
  const transactionOptions = { maxWait: 10_000, timeout: 60_000 };
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions });
  const endings = openNotices(pool, ENDINGS);
  const changes = openNotices(pool, CHANGES);
  return {
    prisma,
    pool,
    endings,
    changes,
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const result = await work(client);
        await client.query('COMMIT');
        client.release();
        return result;
      } catch (error) {
        // A client that cannot even roll back is closed, which does it.
        const broken = await client.query('ROLLBACK').then(
          () => false,
          () => true,
        );
        client.release(broken);
        throw error;
      }
    },
    async close() {
      endings.close();
      changes.close();
      await prisma.$disconnect();
      await pool.end();
    },
  };
}
