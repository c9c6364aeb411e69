// The session of a client that has signed in: the one cookie that the server sets, which Node's fetch does not keep. It lives in
// memory only.

export interface Session {
  /** `name=value` as a request sends it; undefined while nobody has signed in. */
  readonly cookie: string | undefined;
  /** Reads what an answer sets or takes away; true where the cookie is another one after it. */
  read(headers: Headers): boolean;
}

/** What a Set-Cookie line leaves: `name=value`, or undefined where it takes the cookie away (empty, or ended by now). */
function parseCookie(line: string): string | undefined {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const attribute = (name: string) =>
    attributes.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const maxAge = attribute('max-age');
  const endsAt = maxAge === undefined ? Date.parse(attribute('expires') ?? '') : Number(maxAge) * 1000;
  const now = maxAge === undefined ? Date.now() : 0;
  const isEmpty = pair.indexOf('=') === pair.length - 1;
  return isEmpty || endsAt <= now ? undefined : pair;
}

export function createSession(): Session {
  let cookie: string | undefined;
  return {
    get cookie() {
      return cookie;
    },
    read(headers) {
      const line = headers.getSetCookie().at(-1);
      if (line === undefined) return false;
      const before = cookie;
      cookie = parseCookie(line);
      return cookie !== before;
    },
  };
}
