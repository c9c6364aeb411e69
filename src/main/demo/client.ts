// A small client for documents that the SDK does not have, such as those of studies: plain GraphQL over HTTP, by token or cookie.

/** What every payload carries when an action was refused. */
interface UserError {
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
}

export interface File {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface Client {
  /** Sends a document; throws on any error that the API reports, user errors included. */
  send<T>(
    document: string,
    variables?: Record<string, unknown>,
    files?: Readonly<Record<string, File>>,
  ): Promise<T>;
  download(url: string): Promise<Uint8Array>;
}

interface Answer<T> {
  readonly data?: T;
  readonly errors?: readonly { readonly message: string }[];
}

/** Files go under the path of their variable, such as `input.file`. Without token or cookie, requests are the local user's. */
export function createClient(baseUrl: string, by?: string | { readonly cookie: string }): Client {
  const endpoint = new URL('/graphql', baseUrl);
  const identity: Record<string, string> =
    typeof by === 'object'
      ? { cookie: by.cookie }
      : by === undefined
        ? {}
        : { authorization: `Bearer ${by}` };
  function request(query: string, variables: unknown, files: Readonly<Record<string, File>>): RequestInit {
    // The header tells the server that no cross-site form made this request.
    const headers: Record<string, string> = { 'apollo-require-preflight': 'true', ...identity };
    const operations = JSON.stringify({ query, variables });
    const entries = Object.entries(files);
    if (entries.length === 0)
      return {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: operations,
      };
    const form = new FormData();
    form.set('operations', operations);
    form.set(
      'map',
      JSON.stringify(Object.fromEntries(entries.map(([path], i) => [i, [`variables.${path}`]]))),
    );
    entries.forEach(([, file], i) => {
      form.set(String(i), new Blob([new Uint8Array(file.bytes)], { type: file.type }), file.name);
    });
    return { method: 'POST', headers, body: form };
  }
  return {
    async send<T>(
      document: string,
      variables: Record<string, unknown> = {},
      files: Readonly<Record<string, File>> = {},
    ) {
      const response = await fetch(endpoint, request(document, variables, files));
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
