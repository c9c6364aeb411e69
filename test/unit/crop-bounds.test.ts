// Crops of pictures that are far longer than wide, whose square around the mask is mostly mirror; and that what is computed
// of an enlarged painting alone is what all of it would hold there.

import sharp from 'sharp';
import { expect, test } from 'vitest';
import { extractCrop, pasteBack, planBlend, planCrop } from '../../src/imaging/crop.js';
import { maskBounds, presetMask } from '../../src/imaging/mask-shapes.js';
import { noisyPicture } from '../support/tiny-bundle.js';

test.each([
  [12_000, 16],
  [16, 12_000],
])('a picture of %i x %i under a full mask takes memory as its pixels do, not as its longer side squared', async (width, height) => {
  const source = noisyPicture(width, height);
  const mask = presetMask({ shape: 'full' }, width, height);
  const box = maskBounds(mask)!;
  const before = process.resourceUsage().maxRSS;
  const plan = planCrop(source, box, 1.5, 128);
  expect(plan.side).toBe(12_000);
  const crop = await extractCrop(source, mask, plan);
  const edited = crop.mask.data.every((value) => value === 255);
  expect(edited).toBe(true);
  // Of mirrored noise nothing but grey is left.
  const mean = crop.image.data.reduce((sum, value) => sum + value, 0) / crop.image.data.length;
  expect(Math.abs(mean - 127.5)).toBeLessThan(6);
  const painted = noisyPicture(128, 128);
  const pasted = await pasteBack(source, painted, plan, planBlend(mask, box, 0));
  expect(Buffer.compare(pasted.data, source.data)).not.toBe(0);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(200_000);
});

test.each([
  [300, 210, { shape: 'ellipse', left: 0.3, top: 0.2, width: 0.4, height: 0.5 }],
  [64, 200, { shape: 'full' }],
  [90, 90, { shape: 'rectangle', left: 0, top: 0.5, width: 0.4, height: 0.4 }],
  [32, 32, { shape: 'rectangle', left: 0.25, top: 0.25, width: 0.5, height: 0.5 }],
] as const)('a painting pasted into %i x %i is the whole enlarged square, blended', async (width, height, preset) => {
  const source = noisyPicture(width, height);
  const mask = presetMask(preset, width, height);
  const box = maskBounds(mask)!;
  const plan = planCrop(source, box, 1.2, 32);
  const painted = noisyPicture(32, 32);
  const pasted = await pasteBack(source, painted, plan, planBlend(mask, box, 0));
  const large = await sharp(painted.data, { raw: { width: 32, height: 32, channels: 3 } })
    .resize({
      width: plan.side,
      height: plan.side,
      fit: 'fill',
      kernel: plan.side > 32 ? 'cubic' : 'lanczos3',
    })
    .raw()
    .toBuffer();
  const expected = Uint8Array.from(source.data);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (mask.data[y * width + x] !== 255) continue;
      const from = ((y - plan.top) * plan.side + x - plan.left) * 3;
      expected.set(large.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  expect(Buffer.compare(pasted.data, expected)).toBe(0);
});
