// docker-compose.yml and Dockerfile against what they name: scripts, settings, volumes, files.

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config.js';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck: { readonly test?: readonly string[]; readonly disable?: boolean };
}

const text = readFileSync('docker-compose.yml', 'utf8');
const compose = parse(text, { merge: true }) as {
  services: Record<'postgres' | 'server' | 'worker', Service>;
  volumes: object;
};
const { postgres, server, worker } = compose.services;
const dockerfile = readFileSync('Dockerfile', 'utf8');
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

/** What compose makes of ${NAME:-value} and ${NAME:?...} when only the secrets are given. */
const filled = (environment: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+:([-?])([^}]*)\}/g, (_, kind, rest) =>
        kind === '-' ? rest : 'a-secret-of-more-than-32-characters',
      ),
    ]),
  );

test('server and worker are one image, and their commands are scripts', () => {
  expect(Object.keys(compose.services)).toEqual(['postgres', 'server', 'worker']);
  expect([server.image, server.build]).toEqual([worker.image, worker.build]);
  for (const [service, name] of [
    [server, 'server'],
    [worker, 'worker'],
  ] as const) {
    expect(service.command).toEqual(['npm', 'run', name]);
    expect(scripts).toHaveProperty(name);
    expect(service.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
  }
  for (const [, script] of dockerfile.matchAll(/npm run (\w+)|"run", "(\w+)"/g)) {
    if (script) expect(scripts).toHaveProperty(script);
  }
});

test('every setting is one that config.ts reads, and together they are right', () => {
  const source = readFileSync('src/config.ts', 'utf8');
  const known = [...source.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1]!);
  expect(known).toContain('DATABASE_URL');
  const inDockerfile = [...dockerfile.matchAll(/(\w+)=\S+/g)]
    .map((m) => m[1]!)
    .filter((n) => n !== 'NODE_ENV');
  const names = [...Object.keys(server.environment), ...Object.keys(worker.environment), ...inDockerfile];
  expect(names.filter((name) => /^[A-Z]/.test(name) && !known.includes(name))).toEqual([]);

  for (const service of [server, worker]) {
    const config = loadConfig(filled(service.environment));
    const url = new URL(config.databaseUrl!);
    const database = filled(postgres.environment);
    expect([url.hostname, url.username, url.password, url.pathname]).toEqual([
      'postgres',
      database.POSTGRES_USER,
      database.POSTGRES_PASSWORD,
      `/${database.POSTGRES_DB}`,
    ]);
    expect(service.volumes).toContain(`data:${config.dataDir}`);
    for (const folder of config.modelFolders) expect(existsSync(folder)).toBe(true);
  }
  const { port, host } = loadConfig(filled(server.environment));
  expect([host, port]).toEqual(['0.0.0.0', 4000]);
  expect(server.ports![0]).toMatch(/:4000$/);
});

test('volumes are declared; the database and the server say how they are', () => {
  const used = [postgres, server, worker].flatMap((s) => s.volumes.map((volume) => volume.split(':')[0]));
  expect([...new Set(used)].sort()).toEqual(Object.keys(compose.volumes).sort());
  expect(postgres.healthcheck.test![1]).toContain('pg_isready');
  const program = server.healthcheck.test!.at(-1)!;
  expect(program).toContain('127.0.0.1:4000/health');
  expect(() => new Function(program)).not.toThrow();
});

test('what the image copies exists, and what is ignored is not needed', () => {
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
  expect(copied.length).toBeGreaterThan(3);
  // sharp and tsx keep their programs in optional packages.
  expect(dockerfile).not.toMatch(/--omit|--production/);
  for (const name of copied) expect(existsSync(name)).toBe(true);
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n');
  for (const needed of [
    'src',
    'prisma',
    'scripts',
    'models',
    'schema.graphql',
    'codegen.ts',
    'prisma.config.ts',
  ]) {
    expect(ignored).not.toContain(needed);
  }
});
