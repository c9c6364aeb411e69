// The two pixel containers that everything in this product paints on.

/** 8-bit sRGB, row-major, three bytes a pixel. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** One byte a pixel: 255 where the picture may be edited, 0 where it is kept. */
export interface MaskImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where random choices come from; a seed makes them repeatable. */
export interface RandomSource {
  uniform(): number;
  normal(): number;
  int(n: number): number;
}
