// People for tests: each is a set of headers that says who sends a request.

import { randomUUID } from 'node:crypto';
import type { Scope } from '../../src/generated/prisma/client.js';
import { ALL_SCOPES } from '../../src/services/access.js';
import { createApiToken, createRaterLink } from '../../src/services/credentials.js';
import { createUser } from '../../src/services/users.js';
import type { Lab } from './lab.js';

export interface Person {
  readonly headers: Readonly<Record<string, string>>;
  readonly userId: string;
  /** Key of the token, or of the link that the session was started with. */
  readonly credentialId: string;
}

/** A new token of a user. */
export async function addToken(
  lab: Lab,
  userId: string,
  scopes: readonly Scope[] = ALL_SCOPES,
): Promise<Person> {
  const { secret, credential } = await createApiToken(lab.services, {
    userId,
    name: 'test',
    scopes,
    expiresInDays: 1,
  });
  return { headers: { authorization: `Bearer ${secret}` }, userId, credentialId: credential.id };
}

/** A new user with a token of all scopes. */
export async function addPerson(lab: Lab, role: 'ADMIN' | 'RESEARCHER' | 'RATER'): Promise<Person> {
  const { id } = await createUser(lab.services, { name: `${role.toLowerCase()} ${randomUUID()}`, role });
  return addToken(lab, id);
}

const SIGN_IN =
  'mutation($secret: String!) { signIn(input: { secret: $secret }) { viewer { role } userErrors { code } } }';

/** Signs in over HTTP and returns the cookie line that the answer sets; undefined where it sets none. */
export async function signIn(lab: Lab, secret: string): Promise<string | undefined> {
  const response = await fetch(`${lab.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: SIGN_IN, variables: { secret } }),
  });
  return response.headers.get('set-cookie') ?? undefined;
}

/** A new rater in a browser session that a link has started. */
export async function addRater(lab: Lab, name: string = randomUUID()): Promise<Person & { secret: string }> {
  const { secret, credential } = await createRaterLink(lab.services, { raterName: name, expiresInDays: 1 });
  const cookie = (await signIn(lab, secret))!.split(';')[0]!;
  return { headers: { cookie }, userId: credential.userId, credentialId: credential.id, secret };
}
