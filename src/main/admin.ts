// `npm run admin -- --name NAME [--days N]`: makes an admin, or gives an admin another token, and prints the token once.

import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { AppError, isAppError } from '../errors.js';
import { createLog } from '../log.js';
import { ALL_SCOPES } from '../services/access.js';
import type { Services } from '../services/context.js';
import { createApiToken } from '../services/credentials.js';
import { createUser, LOCAL_USER } from '../services/users.js';
import { openServices } from './platform.js';

/** The id of the admin of this name, made where there is none. Throws AppError for a user of another role. */
async function findOrMakeAdmin(services: Services, name: string): Promise<string> {
  const user = await services.store.prisma.user.findUnique({ where: { name } });
  if (!user) return (await createUser(services, { name, role: 'ADMIN' })).id;
  if (user.role !== 'ADMIN' || name === LOCAL_USER)
    throw new AppError('CONFLICT', `${name} is taken by a user of another kind; choose another name`);
  return user.id;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { name: { type: 'string' }, days: { type: 'string' } } });
  if (!values.name) throw new AppError('BAD_INPUT', 'say who: npm run admin -- --name YOURS');
  const config = loadConfig();
  const log = createLog(config.logLevel);
  if (!config.secret)
    log.warn('MINDPAINTER_SECRET is not set; the token will be unknown to a server on which it is set');
  const { services, stop } = await openServices(config, log, { join: true });
  try {
    const { secret, credential } = await createApiToken(services, {
      userId: await findOrMakeAdmin(services, values.name.trim()),
      name: 'npm run admin',
      scopes: ALL_SCOPES,
      expiresInDays: Number(values.days ?? 90),
    });
    const until = credential.expiresAt.toISOString().slice(0, 10);
    process.stderr.write(`The token of ${values.name}, good until ${until}; it is shown this once:\n`);
    process.stdout.write(`${secret}\n`);
  } finally {
    await stop();
  }
}

try {
  await main();
} catch (error) {
  const known = isAppError(error) || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  if (!known) throw error;
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
