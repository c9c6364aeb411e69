// The data of a training run, from blobs to matrices: betas without dead voxels, and embeddings, which are kept in a file.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import { decodeRgb } from '../imaging/decode.js';
import type { ColourScale } from '../imaging/tensor.js';
import { openSession } from '../runtime/session.js';
import type { Blobs } from '../store/blobs.js';
import { type BrainData, createBrainData } from '../train/brain-data.js';
import { bytesOf, writeParts } from '../train/parts-file.js';
import { embedPictures } from '../train/pictures.js';
import type { TrainMessage } from './training-messages.js';

export interface TrainingData extends BrainData {
  /** [voxels], 1 where a voxel never changes in one of the sessions; its betas are 0. */
  readonly excluded: Uint8Array;
  readonly excludedCount: number;
  /** Rows of `embeddings`: the two sides of the split. */
  readonly training: readonly number[];
  readonly heldOut: readonly number[];
  /** Trials of training stimuli. */
  readonly trainingTrials: readonly number[];
}

/** Betas of all sessions, [trials, voxels]. Throws AppError BAD_INPUT when a value is not finite or no voxel is left. */
async function readBetas({ sessions, voxels }: TrainMessage, blobs: Blobs) {
  const trials = sessions.reduce((sum, session) => sum + session.stimulusOfTrial.length, 0);
  const betas = new Float32Array(trials * voxels);
  const excluded = new Uint8Array(voxels);
  let start = 0;
  for (const { label, betasSha256, stimulusOfTrial } of sessions) {
    const bytes = await blobs.get(betasSha256);
    const part = betas.subarray(start * voxels, (start + stimulusOfTrial.length) * voxels);
    if (bytes.length !== part.byteLength)
      throw new AppError('CORRUPT', `session ${label} has another size than its trials`, {
        field: 'sessionIds',
      });
    bytes.copy(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
    const changes = new Uint8Array(voxels);
    part.forEach((value, i) => {
      if (value !== 0) changes[i % voxels] = 1;
    });
    for (let v = 0; v < voxels; v++) if (!changes[v]) excluded[v] = 1;
    const wrong = part.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      const where = `trial ${Math.floor(wrong / voxels)}, voxel ${wrong % voxels}`;
      throw new AppError('BAD_INPUT', `session ${label}: ${where} is ${part[wrong]}, not a finite number`, {
        field: 'sessionIds',
      });
    }
    start += stimulusOfTrial.length;
  }
  const excludedCount = excluded.reduce((sum, x) => sum + x, 0);
  if (excludedCount === voxels) {
    throw new AppError('BAD_INPUT', 'every voxel is constant in one of the sessions; choose other sessions', {
      field: 'sessionIds',
    });
  }
  for (let i = 0; i < betas.length; i++) if (excluded[i % voxels]) betas[i] = 0;
  return { betas, excluded, excludedCount };
}

/** Z of all stimuli; read from the run's folder where an earlier attempt has left it. */
async function readEmbeddings(
  message: TrainMessage,
  blobs: Blobs,
  base: { encoderPath: string; colours?: ColourScale | undefined },
  options: { abort: AbortSignal; onProgress: (done: number) => void },
): Promise<Float32Array> {
  const { stimuli, workFolder, threads } = message;
  const hashes = stimuli.map((stimulus) => stimulus.pngSha256);
  const key = createHash('sha256')
    .update([message.base.hash, ...hashes].join())
    .digest('hex')
    .slice(0, 16);
  const path = join(workFolder, `embeddings-${key}.bin`);
  if (existsSync(path)) return new Float32Array(new Uint8Array(await readFile(path)).buffer);
  const encoder = await openSession(base.encoderPath, threads ? { threads } : {});
  const parts: Float32Array[] = [];
  try {
    for (let i = 0; i < hashes.length; i += 32) {
      options.abort.throwIfAborted();
      const some = hashes.slice(i, i + 32);
      parts.push(
        await embedPictures(
          encoder,
          some.length,
          async (k) => decodeRgb(await blobs.get(some[k]!), 'stimuli'),
          base.colours,
        ),
      );
      options.onProgress(i + some.length);
    }
  } finally {
    await encoder.close();
  }
  const embeddings = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    embeddings.set(part, at);
    at += part.length;
  }
  await writeParts(path, [bytesOf(embeddings)]);
  return embeddings;
}

/** Reads everything that the brain networks learn from and are measured on. */
export async function readTrainingData(
  message: TrainMessage,
  blobs: Blobs,
  base: { encoderPath: string; embeddingSize: number; colours?: ColourScale | undefined },
  options: { abort: AbortSignal; onProgress: (done: number) => void },
): Promise<TrainingData> {
  const { stimuli, sessions, voxels } = message;
  const { betas, excluded, excludedCount } = await readBetas(message, blobs);
  const embeddings = await readEmbeddings(message, blobs, base, options);
  const embeddingSize = embeddings.length / stimuli.length;
  if (embeddingSize !== base.embeddingSize) {
    throw new AppError(
      'UNSUPPORTED',
      `the base's image encoder gives ${embeddingSize} numbers, its UNet or mapper takes ${base.embeddingSize}`,
      { field: 'baseModelId' },
    );
  }
  const stimulusOfTrial = Int32Array.from(sessions.flatMap((session) => [...session.stimulusOfTrial]));
  const rows = stimuli.map((_, i) => i);
  const training = rows.filter((i) => !stimuli[i]!.heldOut);
  const data = createBrainData({ voxels, embeddingSize, betas, stimulusOfTrial, embeddings });
  return {
    ...data,
    excluded,
    excludedCount,
    training,
    heldOut: rows.filter((i) => stimuli[i]!.heldOut),
    trainingTrials: training.flatMap((i) => data.trialsOf[i]!),
  };
}
