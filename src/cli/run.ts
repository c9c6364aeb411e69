// What every command shares: its options, a client, an output, and what happens on Ctrl-C.

import type { Command } from 'commander';
import { MindPainter } from '../sdk/client.js';
import { EXIT, report } from './failures.js';
import { createOutput, type Output } from './output.js';
import { configPath, isExposed, loadSettings } from './settings.js';

export interface Cli {
  readonly mp: MindPainter;
  /** The server as it was given. */
  readonly server: string;
  readonly out: Output;
  readonly json: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** What goes on without this command, and how to come back to it; said when it is interrupted. */
  goesOn(...lines: readonly string[]): void;
}

export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** A command's body; a number that it gives is the exit code. */
export type Body<O> = (cli: Cli, options: O, ...args: never[]) => Promise<unknown>;

/** The options that every command has, and its examples below its help. */
export function leaf(command: Command, description: string, examples: readonly string[]): Command {
  return command
    .description(description)
    .option('--server <url>', 'address of the server (MINDPAINTER_URL; else that of the last login)')
    .option('--json', 'print the result as JSON on one line')
    .option('--quiet', 'say nothing but the result and what went wrong')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}

/** Waits for Ctrl-C; the second one ends the process at once. */
function onInterrupt(action: () => void): () => void {
  let count = 0;
  const listen = () => {
    count += 1;
    if (count > 1) process.exit(EXIT.interrupted);
    action();
  };
  process.on('SIGINT', listen).on('SIGTERM', listen);
  return () => void process.off('SIGINT', listen).off('SIGTERM', listen);
}

/** A command's action: runs its body and sets the process's exit code. */
export function run<O extends object = Options>(body: Body<O>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const options = command.opts<O & { server?: string; json?: boolean; quiet?: boolean }>();
    const json = options.json ?? false;
    const quiet = options.quiet ?? false;
    let out = createOutput({ json, quiet, colour: false });
    const stop = new AbortController();
    let left: readonly string[] = [];
    const release = onInterrupt(() => stop.abort());
    let mp: MindPainter | undefined;
    try {
      const settings = await loadSettings(options);
      out = createOutput({ json, quiet, colour: settings.colour });
      if (await isExposed()) out.note(`others can read ${configPath()}; chmod 600 it`);
      mp = new MindPainter({ url: settings.server, token: settings.token });
      const goesOn = (...lines: readonly string[]) => {
        left = lines;
      };
      const args = given.slice(0, -2) as never[];
      const code = await body(
        { mp, server: settings.server, out, json, signal: stop.signal, goesOn },
        options,
        ...args,
      );
      process.exitCode = typeof code === 'number' ? code : EXIT.ok;
    } catch (error) {
      if (stop.signal.aborted) {
        out.fault('interrupted');
        for (const line of left) out.fault(line);
        process.exitCode = EXIT.interrupted;
      } else process.exitCode = report(error, out, json);
    } finally {
      out.endProgress();
      release();
      await mp?.close();
    }
  };
}
