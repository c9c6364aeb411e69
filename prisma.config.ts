// Prisma's command line is used to generate the client only; migrations are applied by store/migrate.ts.

import { defineConfig } from 'prisma/config';

// The command line insists on a schema engine before `generate`, which never runs it; any executable will do.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;
process.env.CHECKPOINT_DISABLE ??= '1';

export default defineConfig({ schema: 'prisma/schema.prisma' });
