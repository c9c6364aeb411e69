// What the worker and its inference child say to each other about painting.

import type { MaskImage, RgbImage } from '../imaging/types.js';

export interface PaintMessage {
  readonly bundleFolder: string;
  readonly bundleHash: string;
  readonly source: RgbImage;
  readonly mask: MaskImage;
  /** Absent: the control without a brain. */
  readonly signal: Float32Array | undefined;
  /** True: the signal is first decoded to a picture, which is then painted in (the two-stage baseline). */
  readonly twoStage: boolean;
  readonly seed: number;
  readonly paintings: number;
  readonly steps: number;
  readonly guidanceScale: number;
}

export type PaintEvent =
  | { readonly type: 'step'; readonly done: number; readonly total: number }
  /** What becomes of the crop, after so many steps. */
  | { readonly type: 'preview'; readonly done: number; readonly image: RgbImage }
  | {
      readonly type: 'painting';
      readonly index: number;
      readonly image: RgbImage;
      readonly outsideMaskDifferentPixels: number;
    };
