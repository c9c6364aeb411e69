// Which server, and by which token: from options, the environment, and a file that only its owner can read. The only reader
// of the environment among clients.

import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { MindPainterError } from '../sdk/client.js';

/** What `login` keeps: the server of the last login, and a token for each server. */
interface Kept {
  readonly server?: string;
  readonly tokens: Readonly<Record<string, string>>;
}

export interface Settings {
  readonly server: string;
  readonly token: string | undefined;
  /** Whether colours may be used where the output is a terminal. */
  readonly colour: boolean;
}

const DEFAULT_SERVER = 'http://127.0.0.1:4000';

/** Where the user called `npm run mindpainter` from; undefined when it was not called so. */
export const callerFolder = (environment: NodeJS.ProcessEnv = process.env): string | undefined =>
  environment.npm_lifecycle_event === 'mindpainter' ? environment.INIT_CWD : undefined;

/** Where `login` keeps what it was given. */
export function configPath(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_CONFIG_HOME || environment.APPDATA || join(homedir(), '.config');
  return join(base, 'mindpainter', 'config.json');
}

/** One spelling for one server: tokens are looked up by it, so that none goes to another. */
const keyOf = (server: string) => (URL.canParse(server) ? new URL(server).origin : server);

async function readKept(path: string): Promise<Kept> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { tokens: {} };
    throw new MindPainterError('LOCAL_FILE', `cannot read ${path}: ${message}`, { cause });
  }
  try {
    const { server, tokens } = JSON.parse(text) as Kept;
    return { ...(server ? { server } : {}), tokens: tokens ?? {} };
  } catch (cause) {
    throw new MindPainterError('LOCAL_FILE', `${path} is damaged; remove it and sign in again`, { cause });
  }
}

/** The settings of a command. A kept token is used for the server that it was kept for, and for no other. */
export async function loadSettings(
  options: { server?: string | undefined },
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Settings> {
  const kept = await readKept(configPath(environment));
  const server = options.server || environment.MINDPAINTER_URL || kept.server || DEFAULT_SERVER;
  return {
    server,
    token: environment.MINDPAINTER_TOKEN || kept.tokens[keyOf(server)],
    colour: !environment.NO_COLOR && environment.TERM !== 'dumb',
  };
}

/** Keeps a server and its token, or with undefined forgets the token, in a file that only its owner can read. */
export async function keepToken(server: string, token: string | undefined): Promise<string> {
  const path = configPath();
  const kept = await readKept(path);
  const { [keyOf(server)]: _, ...others } = kept.tokens;
  const next: Kept = { server, tokens: token === undefined ? others : { ...others, [keyOf(server)]: token } };
  const part = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(part, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {});
    throw new MindPainterError('LOCAL_FILE', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  return path;
}

/** True if others on this machine can read the kept tokens. */
export async function isExposed(path = configPath()): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (found.mode & 0o077) !== 0;
}
