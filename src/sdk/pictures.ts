// Pictures to paint on, masks, and the models that paint.

import {
  CreateMaskDocument,
  type CreateMaskInput,
  type ImageFieldsFragment,
  ImagesDocument,
  type MaskFieldsFragment,
  type ModelFieldsFragment,
  ModelsDocument,
  UploadImageDocument,
  UploadMaskDocument,
} from '../generated/operations.js';
import { MindPainterError } from './errors.js';
import { entries } from './pages.js';
import type { CallOptions, Transport } from './transport.js';
import { type FileSource, toFile } from './uploads.js';

export type Image = ImageFieldsFragment;
export type Mask = MaskFieldsFragment;
export type Model = ModelFieldsFragment;

export type Images = ReturnType<typeof createImages>;
export type Masks = ReturnType<typeof createMasks>;
export type Models = ReturnType<typeof createModels>;

export function createImages(transport: Transport) {
  return {
    /** All pictures, the newest first. */
    list: (options: CallOptions = {}): AsyncGenerator<Image, void> =>
      entries(async (page) => (await transport.query(ImagesDocument, page, options)).sourceImages),

    /** Stores a PNG, JPEG or WebP; the same file again gives the same picture. */
    async upload(source: FileSource, options: CallOptions = {}): Promise<Image> {
      const variables = { input: { file: await toFile(source, 'picture') } };
      return transport.mutate(UploadImageDocument, variables, 'sourceImage', {
        ...options,
        repeatable: true,
      });
    },
  };
}

export function createMasks(transport: Transport) {
  return {
    /** Makes a mask from a shape; lengths are fractions of the picture's width and height. */
    create: (input: CreateMaskInput, options: CallOptions = {}): Promise<Mask> =>
      transport.mutate(CreateMaskDocument, { input }, 'mask', { ...options, repeatable: true }),

    /** Stores a drawn mask of a picture: white is painted, black is kept. */
    async upload(imageId: string, source: FileSource, options: CallOptions = {}): Promise<Mask> {
      const variables = { input: { imageId, file: await toFile(source, 'mask') } };
      return transport.mutate(UploadMaskDocument, variables, 'mask', { ...options, repeatable: true });
    },
  };
}

export function createModels(transport: Transport) {
  const list = (options: CallOptions = {}): AsyncGenerator<Model, void> =>
    entries(async (page) => (await transport.query(ModelsDocument, page, options)).models);
  return {
    /** All models, the newest first. */
    list,

    /** The model of a name or id. Throws NOT_FOUND with the names that there are, or CONFLICT where a name fits several. */
    async find(nameOrId: string, options: CallOptions = {}): Promise<Model> {
      const names = new Set<string>();
      const fitting: Model[] = [];
      for await (const model of list(options)) {
        names.add(model.name);
        if (model.id === nameOrId || model.name === nameOrId) fitting.push(model);
      }
      const [found, another] = fitting;
      if (!found)
        throw new MindPainterError(
          'NOT_FOUND',
          `no model is named ${nameOrId}; there are: ${[...names].join(', ') || 'none'}`,
          { field: 'model' },
        );
      if (another)
        throw new MindPainterError(
          'CONFLICT',
          `${fitting.length} models are named ${nameOrId}; give an id: ${fitting.map(({ id }) => id).join(', ')}`,
          { field: 'model' },
        );
      return found;
    },
  };
}
