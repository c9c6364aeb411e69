// `login` and `logout`: an API token, kept for one server in a file that only its owner can read.

import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { MindPainter, MindPainterError, type Viewer } from '../../sdk/client.js';
import { UsageError } from '../failures.js';
import { type Cli, leaf, run } from '../run.js';
import { keepToken } from '../settings.js';

/** Reads a line from the terminal without showing it. */
async function askHidden(question: string, signal: AbortSignal): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  // In this mode the terminal hands Ctrl-C to the prompt.
  prompt.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await prompt.question('', { signal });
  } finally {
    prompt.close();
    process.stderr.write('\n');
  }
}

const describe = ({ user, role, scopes }: Viewer) =>
  `${user.name}, ${role.toLowerCase()} (${scopes.map((scope) => scope.toLowerCase()).join(', ')})`;

async function login({ server, out, signal }: Cli): Promise<void> {
  const given = process.stdin.isTTY
    ? await askHidden(`API token for ${server}: `, signal)
    : await text(process.stdin);
  const token = given.trim();
  if (!/^\S+$/.test(token)) throw new UsageError('give an API token, on the terminal or on standard input');
  const mp = new MindPainter({ url: server, token });
  try {
    const viewer = await mp.viewer({ signal });
    if (!viewer) throw new MindPainterError('UNAUTHENTICATED', 'the token is not known');
    const path = await keepToken(server, token);
    out.note(`the token is kept in ${path}`);
    out.data({ server, ...viewer }, `signed in at ${server} as ${describe(viewer)}`);
  } finally {
    await mp.close();
  }
}

export function addLogin(program: Command): void {
  leaf(
    program.command('login'),
    'keeps an API token for a server; it is asked for, or read from standard input',
    [
      'mindpainter login --server https://lab.example.org',
      'npm run --silent admin -- --name ada | mindpainter login',
    ],
  ).action(run(login));
  leaf(
    program.command('logout'),
    'forgets the token of a server; revoke it there if it may be known to others',
    ['mindpainter logout'],
  ).action(
    run(async ({ server, out }) => {
      await keepToken(server, undefined);
      out.data({ server }, `signed out of ${server}`);
    }),
  );
  leaf(program.command('whoami'), 'says who the server takes you for', ['mindpainter whoami']).action(
    run(async ({ mp, server, out, signal }) => {
      const viewer = await mp.viewer({ signal });
      if (!viewer) throw new MindPainterError('UNAUTHENTICATED', `nobody is signed in at ${server}`);
      out.data({ server, ...viewer }, `${describe(viewer)} at ${server}`);
    }),
  );
}
