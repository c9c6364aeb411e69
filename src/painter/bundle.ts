// Bundles on disk: verified when read, written whole or not at all.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors.js';
import {
  COMPONENTS,
  type Component,
  type Conventions,
  manifestSchema,
  REQUIRED_COMPONENTS,
  type SchedulerConfig,
  schedulerSchema,
  UNCOND_VECTOR,
} from './manifest.js';

export interface Bundle {
  readonly folder: string;
  readonly conventions: Conventions;
  readonly scheduler: SchedulerConfig;
  readonly components: Readonly<Partial<Record<Component, string>>>;
  /** The learned condition of the unconditional half of guidance; absent: zeros. */
  readonly uncondVector?: Float32Array;
  /** sha256 over the sorted list of file hashes and the manifest's own bytes: names this exact model. */
  readonly hash: string;
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** The hash of a file of any size: weights kept beside a graph may be larger than what can be read at once. */
async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Files of a component's folder, however deep, by their names within the bundle. */
async function filesOf(folder: string, component: string): Promise<string[]> {
  const entries = await readdir(join(folder, component), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'));
}

async function readUncondVector(folder: string, conventions: Conventions): Promise<Float32Array> {
  const bytes = await readFile(join(folder, UNCOND_VECTOR)).catch((cause) => {
    throw new AppError('NOT_FOUND', `the bundle lacks ${UNCOND_VECTOR}`, { field: 'bundle', cause });
  });
  const { conditionSize } = conventions;
  const vector = new Float32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >> 2);
  if (bytes.length === 4 * conditionSize && vector.every(Number.isFinite)) return vector;
  const message = `${UNCOND_VECTOR} must hold ${conditionSize} finite float32 numbers; it has ${bytes.length} bytes`;
  throw new AppError('CORRUPT', message, { field: 'bundle' });
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new AppError('NOT_FOUND', `the bundle has no ${path}`, { field: 'bundle', cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('CORRUPT', `${path} is not JSON`, { field: 'bundle', cause });
  }
}

/** Reads and verifies a bundle: layout, manifest, and the hash of every file that a painting depends on. Throws AppError on field 'bundle'. */
export async function loadBundle(folder: string): Promise<Bundle> {
  const parsed = manifestSchema.safeParse(await readJson(join(folder, 'model_index.json')));
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new AppError('BAD_INPUT', `model_index.json of ${folder}: ${issues}`, { field: 'bundle' });
  }
  const conventions = parsed.data.mindpainter;
  for (const [name, expected] of Object.entries(conventions.files)) {
    const found = await sha256OfFile(join(folder, name)).catch((cause) => {
      throw new AppError('NOT_FOUND', `the bundle lacks ${name}`, { field: 'bundle', cause });
    });
    if (found !== expected) {
      throw new AppError('CORRUPT', `${name} is not the file that the manifest names; its hash differs`, {
        field: 'bundle',
      });
    }
  }
  const schedulerName = 'scheduler/scheduler_config.json';
  const scheduler = schedulerSchema.safeParse(await readJson(join(folder, schedulerName)));
  if (!scheduler.success) {
    const issues = scheduler.error.issues
      .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
      .join('; ');
    throw new AppError('BAD_INPUT', `${schedulerName} of ${folder}: ${issues}`, { field: 'bundle' });
  }
  const components: Partial<Record<Component, string>> = {};
  for (const component of COMPONENTS) {
    const path = join(folder, component, 'model.onnx');
    if (existsSync(path)) components[component] = path;
    else if (REQUIRED_COMPONENTS.includes(component)) {
      throw new AppError('NOT_FOUND', `the bundle lacks ${component}/model.onnx`, { field: 'bundle' });
    }
  }
  const learned = conventions.unconditional === 'learned';
  const uncondVector = learned ? await readUncondVector(folder, conventions) : undefined;
  const { files, ...rest } = conventions;
  const parts = [];
  for (const component of Object.keys(components)) parts.push(...(await filesOf(folder, component)));
  // What no hash covers would not be named by the bundle's hash, such as weights that a graph reads from beside it.
  for (const name of [schedulerName, ...(learned ? [UNCOND_VECTOR] : []), ...parts]) {
    if (!files[name]) {
      throw new AppError('CORRUPT', `the manifest gives no hash for ${name}; write the bundle again`, {
        field: 'bundle',
      });
    }
  }
  const { steps, candidates = 1 } = conventions.defaults;
  const trained = scheduler.data.num_train_timesteps;
  for (const [wrong, message] of [
    [steps > trained, `defaults.steps is ${steps}, over the ${trained} timesteps of the scheduler`],
    [
      candidates > 1 && !components.image_encoder,
      'defaults.candidates is over 1, and no image encoder can choose',
    ],
  ] as const)
    if (wrong)
      throw new AppError('BAD_INPUT', `model_index.json of ${folder}: ${message}`, { field: 'bundle' });
  const list = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    folder,
    conventions,
    scheduler: scheduler.data,
    components,
    ...(uncondVector ? { uncondVector } : {}),
    hash: sha256(JSON.stringify([list, rest])),
  };
}

/** A new network, or the files of another bundle's, copied as they are: weights may lie beside the graph. */
export type ComponentPart =
  | { readonly model: Uint8Array; readonly config: object }
  | { readonly from: Bundle };

export interface BundleParts {
  readonly conventions: Omit<Conventions, 'files'>;
  readonly scheduler: SchedulerConfig;
  readonly components: Readonly<Partial<Record<Component, ComponentPart>>>;
  /** Needed when, and only when, `unconditional` is learned. */
  readonly uncondVector?: Float32Array;
  /** Further files, such as README.md. */
  readonly extras?: Readonly<Record<string, string>>;
}

/** Writes a bundle: into a folder beside the target, which then takes its place. */
export async function writeBundle(folder: string, parts: BundleParts): Promise<void> {
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  const files: Record<string, string> = {};
  const put = async (name: string, content: Uint8Array | string) => {
    const path = join(fresh, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    files[name] = sha256(content);
  };
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  for (const [component, part] of Object.entries(parts.components)) {
    if ('from' in part) {
      await mkdir(join(fresh, component), { recursive: true });
      for (const [name, hash] of Object.entries(part.from.conventions.files)) {
        if (!name.startsWith(`${component}/`)) continue;
        await copyFile(join(part.from.folder, name), join(fresh, name));
        files[name] = hash;
      }
      continue;
    }
    await put(`${component}/model.onnx`, part.model);
    await put(`${component}/config.json`, json(part.config));
  }
  await put('scheduler/scheduler_config.json', json(parts.scheduler));
  if (parts.uncondVector)
    await put(UNCOND_VECTOR, new Uint8Array(Float32Array.from(parts.uncondVector).buffer));
  for (const [name, content] of Object.entries(parts.extras ?? {})) {
    await mkdir(dirname(join(fresh, name)), { recursive: true });
    await writeFile(join(fresh, name), content);
  }
  const index = {
    _class_name: 'MindPainterPipeline',
    _diffusers_version: '0.33.1',
    ...Object.fromEntries(
      Object.keys(parts.components).map((component) => [component, ['mindpainter', 'OnnxModel']]),
    ),
    scheduler: ['diffusers', parts.scheduler._class_name],
    mindpainter: { ...parts.conventions, files },
  };
  await writeFile(join(fresh, 'model_index.json'), json(index));
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
}
