// Unique keys under concurrency: two callers may pass the same check at once, and Postgres lets one of them through.

interface DriverCause {
  readonly originalCode?: string;
  readonly constraint?: { readonly index?: string };
}

/** The name of the unique constraint that a write broke, or undefined for any other error. */
function brokenConstraint(error: unknown): string | undefined {
  // Prisma's P2002 has no name of its own for it; what Postgres said stands in the adapter's error.
  const meta = (error as { meta?: { driverAdapterError?: { cause?: DriverCause } } } | null)?.meta;
  const cause = meta?.driverAdapterError?.cause;
  return cause?.originalCode === '23505' ? cause.constraint?.index : undefined;
}

/**
 * Runs a write; when another row has its unique key, gives what `taken` makes of that row (or throws, as CONFLICT).
 * Prisma's upsert does not do this: without anything to update it is two statements, and the loser gets P2002.
 */
export async function createUnlessTaken<T>(
  constraint: string,
  write: () => Promise<T>,
  taken: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (brokenConstraint(error) !== constraint) throw error;
    return taken();
  }
}
