// Lists of the API as iterations: pages of 100 are fetched as they are needed.

/** A page of any list. */
export interface Page<T> {
  readonly nodes: readonly T[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const PAGE_SIZE = 100;

/** All entries of a list, in its order. */
export async function* entries<T>(
  fetchPage: (page: { first: number; after: string | null }) => Promise<Page<T>>,
): AsyncGenerator<T, void> {
  for (let after: string | null = null; ; ) {
    const { nodes, pageInfo }: Page<T> = await fetchPage({ first: PAGE_SIZE, after });
    yield* nodes;
    if (!pageInfo.hasNextPage) return;
    after = pageInfo.endCursor;
  }
}
