// What no text may hold: PostgreSQL stores neither NUL nor half a surrogate pair. Asked once, for all arguments of all fields.

import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { AppError } from '../errors.js';
import { toUserError } from './errors.js';

const UNSTORABLE = /\0|\p{Surrogate}/u;

/** The path of the first text that cannot be stored, without list indices: 'reason', 'stimuli.name'. */
function findUnstorable(value: unknown, path: readonly string[]): string | undefined {
  if (typeof value === 'string') return UNSTORABLE.test(value) ? path.join('.') : undefined;
  if (Array.isArray(value)) return first(value, (item) => findUnstorable(item, path));
  // An upload is read by its service; everything else that is no plain object holds no text.
  if (typeof value !== 'object' || value === null || value instanceof Promise) return undefined;
  return first(Object.entries(value), ([key, item]) => findUnstorable(item, [...path, key]));
}

function first<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function refusalOf(args: Readonly<Record<string, unknown>>): AppError | undefined {
  const { input, ...others } = args;
  const field = findUnstorable(input, []) ?? findUnstorable(others, []);
  if (field === undefined) return undefined;
  const message = 'this text holds a character that cannot be stored (NUL, or half of a surrogate pair)';
  return new AppError('BAD_INPUT', message, { field });
}

type Resolver = GraphQLFieldResolver<unknown, unknown>;

/** Makes every field refuse such text: mutations in their payload's userErrors, others by throwing. Changes the schema in place. */
export function refuseUnstorableText(schema: GraphQLSchema): GraphQLSchema {
  const guard =
    (inner: Resolver, refuse: (error: AppError) => unknown): Resolver =>
    (source, args, context, info) => {
      const error = refusalOf(args);
      return error ? refuse(error) : inner(source, args, context, info);
    };
  const throwIt = (error: AppError): never => {
    throw error;
  };
  for (const type of Object.values(schema.getTypeMap())) {
    // By shape, not by class: GraphQL libraries may carry a copy of the class of their own.
    if (!('getFields' in type)) continue;
    // Every field of a payload may be absent, and then userErrors say why.
    const refuse =
      type === schema.getMutationType()
        ? (error: AppError) => ({ userErrors: [toUserError(error)] })
        : throwIt;
    for (const field of Object.values(type.getFields())) {
      if (!('args' in field) || field.args.length === 0) continue;
      if (field.resolve) field.resolve = guard(field.resolve, refuse);
      if (field.subscribe) field.subscribe = guard(field.subscribe, throwIt);
    }
  }
  return schema;
}
