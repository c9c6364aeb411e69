// A mask's input fields as a preset: each shape has its own lengths.

import { AppError } from '../errors.js';
import type { CreateMaskInput } from '../generated/graphql.js';
import type { MaskPresetInput } from '../services/images.js';

type MaskShapeFields = Omit<CreateMaskInput, 'imageId'>;

/** Throws AppError BAD_INPUT on the first length that the shape needs and the input lacks. */
export function toMaskPreset(input: MaskShapeFields): MaskPresetInput {
  const need = (field: 'left' | 'top' | 'width' | 'height' | 'border'): number => {
    const value = input[field];
    if (value != null) return value;
    throw new AppError('BAD_INPUT', `the shape ${input.shape} needs ${field}`, { field });
  };
  switch (input.shape) {
    case 'FULL':
      return { shape: 'full' };
    case 'BORDER':
      return { shape: 'border', border: need('border') };
    default: {
      const shape = input.shape === 'RECTANGLE' ? 'rectangle' : 'ellipse';
      return { shape, left: need('left'), top: need('top'), width: need('width'), height: need('height') };
    }
  }
}
