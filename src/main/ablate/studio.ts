// Where paintings of an ablation are made and scored: held-out stimuli with their signals, the judge, and an embedding.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writeRegion } from '../../imaging/tensor.js';
import type { RgbImage } from '../../imaging/types.js';
import { cosineSimilarities, twoWayIdentification, wilsonInterval } from '../../metrics/brain.js';
import { type Bundle, loadBundle } from '../../painter/bundle.js';
import { type Painter, paint } from '../../painter/painter.js';
import { createRng } from '../../random.js';
import { openSession } from '../../runtime/session.js';
import { KINDS } from '../../toy/kinds.js';
import { mapRows } from '../../train/rows.js';
import { type SimulatedData, simulateBrainData, toySubject } from '../toy/brain-data.js';
import { judgeKinds } from '../toy/judge.js';
import { type Place, paintPairs } from '../toy/pairs.js';
import { readPhotographs } from '../toy/photographs.js';
import { TOY } from '../toy/settings.js';
import type { Figures, Options, Settings } from './experiment.js';

export interface PaintingTest {
  /** Begins the names of the test's figures. */
  readonly name: string;
  readonly painter: Painter;
  readonly placeOf: (pair: number) => Place;
  readonly signalOf: (pair: number) => Float32Array;
  readonly guidanceScale: number;
}

export interface Studio {
  readonly bundle: Bundle;
  readonly photographs: readonly RgbImage[];
  /** Stimuli that no training saw, one a pair. */
  readonly heldOut: SimulatedData;
  /**
   * Paints all pairs and scores them against what the subject saw: two-way identification by the bundle's own image
   * encoder (chance 0.5) and, where there is a judge, the share whose kind it names rightly (chance 1/12).
   */
  score(test: PaintingTest): Promise<Figures>;
  close(): Promise<void>;
}

/** Settings of every cell that paints: model, judge, and how much is painted. */
export async function studioSettings(options: Options): Promise<Settings> {
  const { judge, pairs, paintingSteps, photographs } = options;
  const hash = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
      .slice(0, 12);
  return {
    bundle: (await loadBundle(options.bundle)).hash.slice(0, 12),
    judge: existsSync(judge) ? await hash(judge) : 'none',
    pairs,
    paintingSteps,
    photographs: photographs.join(),
  };
}

export async function openStudio(options: Options): Promise<Studio> {
  const { pairs, paintingSteps, say } = options;
  const threads = options.threads ? { threads: options.threads } : {};
  const bundle = await loadBundle(options.bundle);
  const encoderPath = bundle.components.image_encoder!;
  const photographs = await readPhotographs(options.photographs, 500, createRng(TOY.seeds.test + 1));
  const encoder = await openSession(encoderPath, threads);
  const judge = existsSync(options.judge) ? await openSession(options.judge, threads) : undefined;
  if (!judge)
    say(`there is no judge at ${options.judge}: kinds are not judged (npm run train:judge makes one)`);
  const heldOut = await simulateBrainData(
    toySubject(),
    await readFile(encoderPath),
    pairs,
    TOY.seeds.test,
    photographs,
  );
  const seen = heldOut.specs.map((spec) => KINDS.indexOf(spec.objects[0]!.kind));

  return {
    bundle,
    photographs,
    heldOut,
    async score({ name, painter, placeOf, signalOf, guidanceScale }) {
      const paintings = await paintPairs(
        (request) => paint(painter, request),
        pairs,
        placeOf,
        signalOf,
        { steps: paintingSteps, guidanceScale, candidates: 1 },
        (done) => done % 20 === 0 && say(`${name}: painted ${done} of ${pairs}`),
      );
      const side = TOY.regionSizePx;
      const pixels = new Float32Array(pairs * 3 * side * side);
      paintings.forEach(({ image, box }, i) => {
        writeRegion(pixels, i * 3 * side * side, image, undefined, box, side);
      });
      const embedded = await mapRows(encoder, pixels, [3, side, side]);
      const similarity = cosineSimilarities(embedded, heldOut.embeddings, heldOut.embeddingSize);
      const figures = { [`${name}Identification`]: { mean: twoWayIdentification(similarity, pairs) } };
      if (!judge) return figures;
      const judged = await judgeKinds(judge, paintings);
      const share = judged.filter((kind, i) => kind === seen[i]).length / pairs;
      return { ...figures, [`${name}Accuracy`]: wilsonInterval(share, pairs) };
    },
    async close() {
      await encoder.close();
      await judge?.close();
    },
  };
}
