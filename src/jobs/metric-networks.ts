// Networks that pictures are compared by: folders with model.onnx and metric_network.json, brought by the lab, or the image encoder
// of the model that painted. What they are is declared in each result, with the hash of the file that was run.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, isAppError } from '../errors.js';
import { resizeRgb } from '../imaging/decode.js';
import { scaleColours, writePlanar } from '../imaging/tensor.js';
import type { MaskImage, RgbImage } from '../imaging/types.js';
import { loadBundle } from '../painter/bundle.js';
import { embedRegion } from '../painter/components.js';
import { conventionsSchema } from '../painter/manifest.js';
import { floats, openSession, type Session } from '../runtime/session.js';
import type { MeasureMessage, UsedNetwork } from './measuring-messages.js';

const FIELD = 'MINDPAINTER_METRIC_NETWORKS';

/**
 * embedding: a picture [n, 3, side, side] to a vector. lpips: two pictures [1, 3, y, x] to their distance. Colours are
 * (x - mean) / std of values in [0, 1]; absent: values in [-1, 1].
 */
const schema = z.strictObject({
  kind: z.enum(['embedding', 'lpips']),
  name: z.string().min(1).max(100),
  /** Where it is from, and its licence. */
  about: z.string().max(1000).default(''),
  /** Name of the output that counts; absent: the first. */
  output: z.string().optional(),
  colours: conventionsSchema.shape.imageEncoderColours,
});
type Description = z.infer<typeof schema>;

/** LPIPS sees both pictures so large. */
export const LPIPS_SIDE_PX = 256;

export interface MetricNetworks {
  readonly used: readonly UsedNetwork[];
  /** A picture as a vector, or its masked part alone (the square around the mask, the rest mid grey); or why there is none. */
  readonly embed: ((picture: RgbImage, mask?: MaskImage) => Promise<Float32Array>) | string;
  /** Learned perceptual distance (Zhang et al. 2018) of two pictures, both resampled to 256 x 256; or why there is none. */
  readonly lpips: ((a: RgbImage, b: RgbImage) => Promise<number>) | string;
  close(): Promise<void>;
}

function fail(code: 'BAD_INPUT' | 'NOT_FOUND' | 'CORRUPT', message: string, cause?: unknown): never {
  throw new AppError(code, message, { field: FIELD, cause });
}

async function readNetwork(folder: string): Promise<{ description: Description; model: Buffer }> {
  const read = (name: string) =>
    readFile(join(folder, name)).catch((cause) =>
      fail('NOT_FOUND', `the metric network ${folder} has no ${name}`, cause),
    );
  const [text, model] = [await read('metric_network.json'), await read('model.onnx')];
  let json: unknown;
  try {
    json = JSON.parse(text.toString());
  } catch (cause) {
    fail('CORRUPT', `metric_network.json of ${folder} is not JSON`, cause);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { description: parsed.data, model };
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return fail('BAD_INPUT', `metric_network.json of ${folder}: ${issues}`);
}

/** Opens a network whose inputs are what its kind takes. */
async function open({ kind, name, output }: Description, model: Buffer): Promise<Session> {
  const session = await openSession(model, { seldom: true }).catch((cause) =>
    fail(
      'CORRUPT',
      `the metric network ${name} cannot be read: its weights must lie in model.onnx itself`,
      cause,
    ),
  );
  const [first] = session.inputs;
  const side = first?.shape[2];
  const outputs = session.outputs.filter((one) => output === undefined || one.name === output).slice(0, 1);
  const fault =
    outputs.length === 0
      ? `it has no output ${output}`
      : session.inputs.length !== (kind === 'lpips' ? 2 : 1)
        ? `an ${kind} network takes ${kind === 'lpips' ? 'two pictures' : 'one picture'}`
        : kind === 'embedding' && (typeof side !== 'number' || side !== first!.shape[3])
          ? 'an embedding network takes squares of a fixed side'
          : undefined;
  if (fault === undefined) return { ...session, outputs };
  await session.close();
  return fail('BAD_INPUT', `the metric network ${name} does not fit: ${fault}`);
}

function makeLpips(session: Session, colours: Description['colours']) {
  const side = LPIPS_SIDE_PX;
  const planar = async (picture: RgbImage) => {
    const pixels = new Float32Array(3 * side * side);
    writePlanar(pixels, 0, await resizeRgb(picture, side, side));
    scaleColours(pixels, side * side, colours);
    return floats(pixels, [1, 3, side, side]);
  };
  return async (a: RgbImage, b: RgbImage): Promise<number> => {
    const [first, second] = session.inputs;
    const result = await session.run({ [first!.name]: await planar(a), [second!.name]: await planar(b) });
    return Number(result[session.outputs[0]!.name]!.data[0]);
  };
}

/** The painter's own image encoder, or why it cannot be had. */
async function openOwnEncoder({ name, hash, folder }: MeasureMessage['model']) {
  const bundle = await loadBundle(folder).catch((cause) => {
    if (!isAppError(cause)) throw cause;
    return undefined;
  });
  const path = bundle?.components.image_encoder;
  const advice = `name an embedding network in ${FIELD}`;
  if (!bundle || bundle.hash !== hash) return `the model ${name} is not there as it painted; ${advice}`;
  if (!path) return `the model ${name} has no image encoder; ${advice}`;
  const session = await openSession(path, { seldom: true });
  const used: UsedNetwork = {
    kind: 'EMBEDDING',
    name: `image encoder of ${name}`,
    sha256: bundle.conventions.files['image_encoder/model.onnx']!,
    about:
      'Of the model that painted, which may choose its paintings by it: figures by it favour that model.',
    ofPainter: true,
  };
  return { used, session, colours: bundle.conventions.imageEncoderColours };
}

/** Opens the networks of some folders, one of a kind. Throws AppError on field MINDPAINTER_METRIC_NETWORKS. */
export async function openMetricNetworks({
  networks,
  model,
}: Pick<MeasureMessage, 'networks' | 'model'>): Promise<MetricNetworks> {
  const sessions: Session[] = [];
  const used: UsedNetwork[] = [];
  const close = async () => {
    for (const session of sessions) await session.close();
  };
  let embed: MetricNetworks['embed'] | undefined;
  let lpips: MetricNetworks['lpips'] = `no LPIPS network is at hand; name one in ${FIELD}`;
  const embedBy =
    (session: Session, imageEncoderColours: Description['colours']) =>
    (picture: RgbImage, mask?: MaskImage) =>
      embedRegion({ imageEncoderColours }, session, picture, mask);
  try {
    for (const folder of networks) {
      const { description, model: bytes } = await readNetwork(folder);
      const kind = description.kind === 'lpips' ? 'LPIPS' : 'EMBEDDING';
      if (used.some((one) => one.kind === kind))
        fail('BAD_INPUT', `two networks are of the kind ${description.kind}`);
      const session = await open(description, bytes);
      sessions.push(session);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      used.push({ kind, name: description.name, sha256, about: description.about, ofPainter: false });
      if (kind === 'LPIPS') lpips = makeLpips(session, description.colours);
      else embed = embedBy(session, description.colours);
    }
    if (!embed) {
      const own = await openOwnEncoder(model);
      if (typeof own === 'string') embed = own;
      else {
        sessions.push(own.session);
        used.unshift(own.used);
        embed = embedBy(own.session, own.colours);
      }
    }
    return { used, embed, lpips, close };
  } catch (error) {
    await close();
    throw error;
  }
}
