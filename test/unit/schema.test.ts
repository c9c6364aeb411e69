// What every part of the schema must have: a description, and lists of unbounded length as pages.

import { readFileSync } from 'node:fs';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
} from 'graphql';
import { expect, test } from 'vitest';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const types = Object.values(schema.getTypeMap()).filter(
  (type) => !type.name.startsWith('__') && !(isScalarType(type) && !type.astNode),
);
/** Arguments of every page; PageInfo and Query describe them once. */
const PAGE = ['first', 'after', 'last', 'before'];
/** Read with what they belong to, never by themselves: what raters see of a study, and they of it, has no other address. */
const PARTS = ['StudyRater', 'RaterStudy', 'RaterScreen', 'RaterPicture'];

test('every type, field, argument, input field and enum value has a description', () => {
  const bare: string[] = [];
  const look = (place: string, description: string | null | undefined) => {
    if (!description?.trim()) bare.push(place);
  };
  for (const type of types) {
    look(type.name, type.description);
    if (isEnumType(type))
      for (const value of type.getValues()) look(`${type.name}.${value.name}`, value.description);
    if (isInputObjectType(type))
      for (const field of Object.values(type.getFields()))
        look(`${type.name}.${field.name}`, field.description);
    if (isObjectType(type) || isInterfaceType(type))
      for (const field of Object.values(type.getFields())) {
        look(`${type.name}.${field.name}`, field.description);
        const isPage = String(field.type).endsWith('Connection!');
        // What a mutation's `input` is, its type says.
        for (const arg of field.args)
          if (arg.name !== 'input' && !(isPage && PAGE.includes(arg.name)))
            look(`${type.name}.${field.name}(${arg.name})`, arg.description);
      }
  }
  expect(bare).toEqual([]);
});

test('pages take first, after, last and before; what has an id is a Node', () => {
  for (const type of types) {
    if (!isObjectType(type)) continue;
    const fields = Object.values(type.getFields());
    for (const field of fields.filter((one) => String(one.type).endsWith('Connection!')))
      expect(
        PAGE.every((name) => field.args.some((arg) => arg.name === name)),
        `${type.name}.${field.name}`,
      ).toBe(true);
    if (fields.some(({ name }) => name === 'id') && !PARTS.includes(type.name))
      expect(type.getInterfaces().map(String), type.name).toContain('Node');
  }
});

test('numbers of a unit name it', () => {
  const vague = /^(width|height|size|duration|timeout|delay|age)$/i;
  const found = types.flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields())
          .filter((field) => vague.test(field.name) && /^(Int|Float)/.test(String(field.type)))
          .map((field) => `${type.name}.${field.name}`)
      : [],
  );
  expect(found).toEqual([]);
});
