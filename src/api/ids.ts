// Opaque ids of the API: the type's name and the row's key, so that an id of one type is never taken for another's.

import { AppError } from '../errors.js';
import { NODE_TYPES, type NodeType } from './loaders.js';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

export function encodeId(type: NodeType, key: string): string {
  return `${type}_${key}`;
}

/** The type and key in an id, or undefined if it is none of ours. */
export function parseId(id: string): { type: NodeType; key: string } | undefined {
  const at = id.indexOf('_');
  const type = NODE_TYPES.find((name) => name === id.slice(0, at));
  const key = id.slice(at + 1);
  return type && UUID.test(key) ? { type, key } : undefined;
}

/** The key in an id of one type. Throws AppError NOT_FOUND on `field`. */
export function decodeId(type: NodeType, id: string, field: string): string {
  const parsed = parseId(id);
  if (parsed?.type === type) return parsed.key;
  throw new AppError('NOT_FOUND', `no ${type} has this id`, { field });
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
