// `npm run toy:sessions`: files as a lab would bring them, of the simulated subject: sessions, trial tables with labels, and stimuli.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeNpy } from '../fmri/npy.js';
import { encodePng } from '../imaging/decode.js';
import { createRng } from '../random.js';
import { drawScene, sampleScene } from '../toy/scene.js';
import { simulateSessions } from '../toy/subject.js';
import { toySubject } from './toy/brain-data.js';
import { TOY } from './toy/settings.js';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'out/toy-sessions' },
    /** Different pictures; each is shown once a session. */
    stimuli: { type: 'string', default: '300' },
    sessions: { type: 'string', default: '3' },
    seed: { type: 'string', default: '7' },
  },
});
const rng = createRng(Number(values.seed));
const specs = Array.from({ length: Number(values.stimuli) }, () => sampleScene(rng));
const names = specs.map(
  ({ objects }, i) => `${String(i + 1).padStart(4, '0')}-${objects[0]!.colour}-${objects[0]!.kind}`,
);
const pictures = join(values.out, 'stimuli');
await mkdir(pictures, { recursive: true });
for (const [i, spec] of specs.entries())
  await writeFile(join(pictures, `${names[i]}.png`), await encodePng(drawScene(spec, TOY.imageSizePx)));
for (const { label, trials, betas } of simulateSessions(toySubject(), specs, Number(values.sessions), rng)) {
  const rows = trials.map(
    ({ stimulus, repetition }) => `${names[stimulus]},${repetition},${specs[stimulus]!.objects[0]!.kind}`,
  );
  const table = ['stimulus,repetition,label', ...rows].join('\n');
  await writeFile(join(values.out, `ses-${label}.csv`), `${table}\n`);
  await writeFile(join(values.out, `ses-${label}.npy`), writeNpy(betas, [trials.length, TOY.voxels]));
}
process.stdout.write(
  `${values.out}: ${specs.length} stimuli, ${values.sessions} sessions x ${TOY.voxels} voxels\n`,
);
