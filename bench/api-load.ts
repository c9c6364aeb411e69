// A small load generator: so many clients on connections of their own, each sending its next request when the last is answered.

import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export type NextBody = () => object;

export interface Load {
  readonly clients: number;
  readonly seconds: number;
  readonly next: NextBody;
  /** Pause of a client between two requests, drawn from 0 to twice this; absent: none. */
  readonly thinkMs?: number;
}

/** Sends one body and gives the answer's text. Throws on any status but 200. */
export function post(url: string, body: object, agent: Agent): Promise<string> {
  const text = JSON.stringify(body);
  return new Promise((done, fail) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    request(url, { method: 'POST', agent, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        answer += chunk;
      });
      response.on('end', () =>
        response.statusCode === 200 ? done(answer) : fail(new Error(`${response.statusCode} ${answer}`)),
      );
    })
      .on('error', fail)
      .end(text);
  });
}

/** The milliseconds of each request of a load. */
export async function run(url: string, { clients, seconds, next, thinkMs = 0 }: Load): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const end = performance.now() + seconds * 1000;
  const times: number[] = [];
  const client = async () => {
    while (performance.now() < end) {
      if (thinkMs > 0) await sleep(Math.random() * 2 * thinkMs);
      const start = performance.now();
      const answer = await post(url, next(), agent);
      times.push(performance.now() - start);
      if (answer.startsWith('{"errors"') || answer.includes('"errors":[{'))
        throw new Error(answer.slice(0, 500));
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
  } finally {
    agent.destroy();
  }
  return times;
}

/** The value below which a share of the numbers lies. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);
