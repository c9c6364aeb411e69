// Progress of a training stage as one line of text.

import type { StageProgress } from '../../train/stage.js';

export function progressLine(progress: StageProgress): string {
  const { stage, step, steps, loss, metrics, samplesPerSecond } = progress;
  const parts = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  return `${stage} ${step}/${steps} loss ${loss.toFixed(4)} ${parts.join(' ')} ${samplesPerSecond.toFixed(1)}/s`;
}
