// The task `measure`: one attempt at a measurement, from its rows to its results. What was measured before is not measured again.

import { AppError, isAppError } from '../errors.js';
import { InferenceFailedError, type InferenceProcess } from '../runtime/inference-process.js';
import type { Services } from '../services/context.js';
import {
  type BenchmarkMeasurement,
  claimMeasurement,
  failMeasurement,
  type MeasuredCell,
  type MeasuringInputs,
  noteNetworks,
  noteValues,
  readMeasuringInputs,
  readValues,
  succeedMeasurement,
} from '../services/measurement-attempts.js';
import { BAND_SHARE, COMPARED_SIDE_PX } from './measure-cells.js';
import type { Measured, MeasureEvent, MeasurementResults, MeasureRequest } from './measuring-messages.js';
import { LPIPS_SIDE_PX } from './metric-networks.js';

export interface MeasuringDeps {
  readonly blobFolder: string;
  /** Folders of metric networks. */
  readonly networks: readonly string[];
  /** Starts a child of its own for one attempt: what it held is free when it ends. */
  readonly openChild: () => InferenceProcess<MeasureRequest, MeasureEvent>;
  readonly codeVersion: () => Promise<object>;
}

/** What was measured is written so often. */
const WRITE_MS = 500;

const keyOf = ({ itemId, armId }: { readonly itemId: string; readonly armId: string }) =>
  `${itemId} ${armId}`;

/** Collects what the child tells and writes it now and then, in order; a refused or failed write stops the attempt. */
function startNotes(services: Services, measurement: BenchmarkMeasurement, stop: () => void) {
  let cells: MeasuredCell[] = [];
  let writing: Promise<unknown> = Promise.resolve();
  const then = (work: () => Promise<unknown>) => {
    writing = writing.then(work);
    writing.catch(stop);
  };
  const write = () => {
    const batch = cells;
    cells = [];
    then(async () => {
      if (!(await noteValues(services, measurement, batch))) stop();
    });
  };
  const timer = setInterval(() => cells.length > 0 && write(), WRITE_MS);
  return {
    add(event: MeasureEvent) {
      if (event.type === 'networks') then(() => noteNetworks(services, measurement, event.networks));
      if (event.type === 'cell') {
        const { itemId, armId, measured } = event;
        cells.push({ itemId, armId, measured });
      }
    },
    /** Writes what is left; rejects when a write has failed. */
    async end() {
      clearInterval(timer);
      write();
      await writing;
    },
  };
}

/** The paintings that are not measured yet, as the child takes them. */
function toMessage(
  inputs: MeasuringInputs,
  deps: MeasuringDeps,
  stimulusOf: Readonly<Record<string, string>>,
  done: ReadonlySet<string>,
): MeasureRequest {
  const stimuli = [...new Set(inputs.cells.flatMap(({ stimulus }) => stimulusOf[stimulus ?? ''] ?? []))];
  const seen = (stimulus: string | null) => {
    if (stimulus === null) return 'the signal is the mean of several stimuli';
    const sha256 = stimulusOf[stimulus];
    return sha256
      ? stimuli.indexOf(sha256)
      : 'no picture is linked to the stimulus; link it with linkStimuli and measure again';
  };
  return {
    task: 'measure',
    blobFolder: deps.blobFolder,
    networks: deps.networks,
    model: inputs.model,
    stimuli,
    cells: inputs.cells
      .filter((cell) => !done.has(keyOf(cell)))
      .map(({ itemId, armId, sourceSha256, maskSha256, paintingSha256, coverage, stimulus }) => ({
        itemId,
        armId,
        sourceSha256,
        maskSha256,
        paintingSha256,
        whole: coverage === 1,
        stimulus: seen(stimulus),
      })),
  };
}

/**
 * Runs one attempt; `movedOn` hears that paintings were measured. Throws only for what is worth another attempt: a lost child, a
 * lost database, a fault of ours.
 */
export async function runMeasurement(
  services: Services,
  deps: MeasuringDeps,
  measurementId: string,
  shutdown: AbortSignal,
  movedOn: () => Promise<void>,
): Promise<void> {
  const measurement = await claimMeasurement(services, measurementId);
  if (!measurement) return;
  const abort = new AbortController();
  const stop = () => abort.abort();
  shutdown.addEventListener('abort', stop, { once: true });
  const child = deps.openChild();
  const notes = startNotes(services, measurement, stop);
  try {
    const inputs = await readMeasuringInputs(services, measurement.benchmarkId);
    const stimuli = measurement.stimuli as Record<string, string>;
    const done = new Set((await readValues(services, measurementId)).map(keyOf));
    const onEvent = (event: MeasureEvent) => {
      notes.add(event);
      // Attempts are not counted anew when it cannot be written; the measurement itself goes on.
      if (event.type === 'cell') movedOn().catch(() => {});
    };
    await child.run(toMessage(inputs, deps, stimuli, done), onEvent, abort.signal);
    await notes.end();
    const measuredOf = new Map(
      (await readValues(services, measurementId)).map((cell) => [keyOf(cell), cell.measured as Measured]),
    );
    let results: MeasurementResults | undefined;
    await child.run(
      {
        task: 'summarise',
        pairing: inputs.pairing,
        arms: inputs.arms,
        seed: Number(measurement.seed),
        withdrawnItems: inputs.withdrawnItems,
        cells: inputs.cells.map((cell) => ({
          itemId: cell.itemId,
          arm: cell.arm,
          picture: cell.imageId,
          signal: cell.trialIds.join(),
          measured: measuredOf.get(keyOf(cell))!,
        })),
      },
      (event) => {
        if (event.type === 'results') results = event.results;
      },
      abort.signal,
    );
    const provenance = {
      itemsSha256: inputs.itemsSha256,
      stimuli,
      settings: { comparedSidePx: COMPARED_SIDE_PX, lpipsSidePx: LPIPS_SIDE_PX, bandShare: BAND_SHARE },
      code: await deps.codeVersion(),
    };
    await succeedMeasurement(services, measurement, { results: results!, provenance });
  } catch (error) {
    // What was measured stays, also of an attempt that ends here; and what failed first is told.
    const written = await notes.end().then(
      () => undefined,
      (failure) => failure,
    );
    if (shutdown.aborted)
      throw new AppError('UNAVAILABLE', 'the worker is shutting down; the measurement goes on elsewhere');
    const cause = written ?? error;
    const known = isAppError(cause) || (cause instanceof InferenceFailedError && cause.code !== undefined);
    if (!known) throw cause;
    // A write that was refused: another attempt has taken over.
    if (cause.code === 'CANCELLED') return;
    await failMeasurement(services, measurement, { code: cause.code!, message: cause.message });
  } finally {
    shutdown.removeEventListener('abort', stop);
    await child.close();
  }
}
