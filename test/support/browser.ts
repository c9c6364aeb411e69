// A real browser for tests, where the machine has one.

import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program to run: CHROMIUM, or what the system has; undefined where there is none. */
export function findBrowser(): string | undefined {
  const path = [process.env.CHROMIUM, ...NAMES.map((name) => `/usr/bin/${name}`)].find(
    (one) => one && isProgram(one),
  );
  if (!path)
    process.stderr.write(
      'browser tests are skipped: no chromium. apt-get install chromium, or name one by CHROMIUM=/path/to/it\n',
    );
  return path;
}

/** Starts it with a profile of its own, so that it speaks to nobody but the server under test. */
export const openBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    headless: true,
    timeout: 60_000,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
