// Uploaded files of multipart requests as bytes.

import type { FileUpload } from 'graphql-upload/processRequest.mjs';
import { AppError } from '../errors.js';

/** Reads a file whole. Throws AppError TOO_LARGE, BAD_INPUT (empty) or CORRUPT (cut off) on `field`. */
export async function readUpload(
  upload: Promise<FileUpload>,
  field: string,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    const { createReadStream } = await upload;
    for await (const chunk of createReadStream()) chunks.push(chunk as Buffer);
  } catch (cause) {
    if ((cause as { status?: number }).status === 413) {
      throw new AppError('TOO_LARGE', `the file is over the limit of ${maxBytes} bytes`, { field, cause });
    }
    throw new AppError('CORRUPT', 'the upload was cut off; send it again', { field, cause });
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0) throw new AppError('BAD_INPUT', 'the file is empty', { field });
  return bytes;
}
