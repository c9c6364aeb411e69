// One Prisma client over one shared pool.

import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { Prisma, PrismaClient } from '../generated/prisma/client.js';
import { type Notices, openNotices } from './notices.js';

export type Transaction = Prisma.TransactionClient;
export { Prisma };

/** The channel of `endings`. */
export const ENDINGS = 'paint_job_ended';

export interface Store {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  /** Says the id of a paint job when it has ended. */
  readonly endings: Notices;
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
  return {
    prisma,
    pool,
    endings,
    async close() {
      endings.close();
      await prisma.$disconnect();
      await pool.end();
    },
  };
}
