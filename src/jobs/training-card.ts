// The model card of a trained bundle: what it is, what it was trained on, what was measured. Text only.

import type { Bundle } from '../painter/bundle.js';
import type { HeldOutMetric, TrainMessage } from './training-messages.js';

const figure = (value: number | undefined) => (value === undefined ? '' : value.toFixed(3));

export function trainingCard(
  { name, subject, parts, sessions, stimuli, pictures, settings }: TrainMessage,
  base: Bundle,
  metrics: readonly HeldOutMetric[],
): string {
  const heldOut = stimuli.filter((stimulus) => stimulus.heldOut).length;
  const trials = sessions.reduce((sum, session) => sum + session.stimulusOfTrial.length, 0);
  const rows = metrics.map((metric) => {
    const signals = metric.signals?.toLowerCase().replaceAll('_', ' ') ?? '';
    const interval = metric.low === undefined ? '' : `${figure(metric.low)} to ${figure(metric.high)}`;
    const value = metric.value === undefined ? 'undefined' : figure(metric.value);
    const note = metric.undefinedReason ?? '';
    return `| ${metric.name} | ${signals} | ${value} | ${interval} | ${figure(metric.chance)} | ${figure(metric.ceiling)} | ${note} |`;
  });
  return `# ${name}

Paints by the signals of ${subject.simulated ? 'the **simulated** subject' : 'subject'} ${subject.label}. Trained on the base model ${base.conventions.name} (${base.hash.slice(0, 12)}).

- Trained: ${parts.join(', ').toLowerCase().replaceAll('_', ' ')}; the rest is the base's.
- Data: ${sessions.length} sessions, ${trials} trials of ${stimuli.length} stimuli, ${heldOut} of them held out; ${pictures.length} further pictures.
- Seed ${settings.seed}. provenance.json holds every setting and the hash of every file.

Figures on the held-out stimuli (sessions were z-scored over all their trials, held-out ones among them):

| figure | signals | value | 95 % interval | chance | ceiling | note |
|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}
