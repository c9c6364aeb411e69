// A small client for documents that the SDK does not have, such as those of studies: plain GraphQL over HTTP, by token or cookie.

/** What every payload carries when an action was refused. */
interface UserError {
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
}

export interface Client {
  /** Sends a document; throws on any error that the API reports, user errors included. */
  send<T>(document: string, variables?: Record<string, unknown>): Promise<T>;
  download(url: string): Promise<Uint8Array>;
}

interface Answer<T> {
  readonly data?: T;
  readonly errors?: readonly { readonly message: string }[];
}

/** Without token or cookie, requests are the local user's. */
export function createClient(baseUrl: string, by?: string | { readonly cookie: string }): Client {
  const endpoint = new URL('/graphql', baseUrl);
  const identity: Record<string, string> =
    typeof by === 'object'
      ? { cookie: by.cookie }
      : by === undefined
        ? {}
        : { authorization: `Bearer ${by}` };
  return {
    async send<T>(query: string, variables: Record<string, unknown> = {}) {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { ...identity, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const answer = (await response.json()) as Answer<T>;
      if (answer.errors?.length || !answer.data)
        throw new Error(answer.errors?.map((e) => e.message).join('; ') ?? `HTTP ${response.status}`);
      for (const payload of Object.values(
        answer.data as Record<string, { userErrors?: UserError[] } | null>,
      )) {
        const [first] = payload?.userErrors ?? [];
        if (first) throw new Error(`${first.field ?? 'request'}: ${first.message}`);
      }
      return answer.data;
    },
    async download(url) {
      const response = await fetch(new URL(url, baseUrl), { headers: identity });
      if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}
