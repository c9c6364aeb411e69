// How much one operation may ask for: measured before anything runs, over every transport. docs/guides/limits.md says it for people.

import {
  type DocumentNode,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  parse,
  type SelectionSetNode,
  specifiedRules,
  validate,
} from 'graphql';

export interface Limits {
  /** Lexical tokens of a document; the parser stops there. */
  readonly tokens: number;
  /** Fields within fields. */
  readonly depth: number;
  /** Fields at the root, after fragments are put in. */
  readonly rootFields: number;
  readonly aliases: number;
  readonly directives: number;
  /** Objects that may have to be fetched, by the cost model below. */
  readonly cost: number;
}

export const LIMITS: Limits = {
  tokens: 2000,
  depth: 12,
  rootFields: 20,
  aliases: 50,
  directives: 50,
  cost: 20_000,
};

/** A list without `first` and `last` is taken to hold so many. */
const LIST_SIZE = 10;
const MUTATION_COST = 10;

type Measure = { -readonly [K in Exclude<keyof Limits, 'tokens'>]: number };

/** A name without the wrappers of lists and non-null. */
const nameOf = (type: { toString(): string }) => String(type).replace(/[[\]!]/g, '');
const isList = (type: { toString(): string }) => String(type).includes('[');

/** What `first` or `last` says; a variable without a value counts as the most that any list gives. */
function pageSize(
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  variables: Readonly<Record<string, unknown>>,
): number | undefined {
  const sizes = field.args.flatMap(({ name, defaultValue }) => {
    if (name !== 'first' && name !== 'last') return [];
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value;
    if (!value) return typeof defaultValue === 'number' ? [defaultValue] : [];
    if (value.kind === 'IntValue') return [Number(value.value)];
    if (value.kind !== 'Variable') return [];
    const given = variables[value.name.value];
    return given === null ? [] : [typeof given === 'number' ? given : 100];
  });
  return sizes.length > 0 ? Math.max(...sizes) : undefined;
}

/**
 * Measures a validated operation. Cost: a field that gives objects costs 1 (a mutation 10) and what is selected of it, times
 * the size of its list: `first` or `last`, or 10 where it takes neither. Scalars are free. Each fragment is measured once, so that
 * fragments within fragments cost us nothing; introspection has a limit of its own in the validation.
 */
function measureOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Readonly<Record<string, unknown>>,
): Measure | undefined {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!operation || !root) return undefined;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions)
    if (node.kind === 'FragmentDefinition') fragments.set(node.name.value, node);
  const known = new Map<string, Measure>();

  const sum = (set: SelectionSetNode, parent: string): Measure => {
    const total: Measure = { depth: 0, rootFields: 0, aliases: 0, directives: 0, cost: 0 };
    const add = (part: Measure) => {
      total.depth = Math.max(total.depth, part.depth);
      for (const key of ['rootFields', 'aliases', 'directives', 'cost'] as const) total[key] += part[key];
    };
    for (const node of set.selections) {
      total.directives += node.directives?.length ?? 0;
      if (node.kind === 'Field') add(ofField(node, parent));
      else if (node.kind === 'InlineFragment') {
        add(sum(node.selectionSet, node.typeCondition?.name.value ?? parent));
      } else {
        const { name, typeCondition, selectionSet } = fragments.get(node.name.value)!;
        const part = known.get(name.value) ?? sum(selectionSet, typeCondition.name.value);
        known.set(name.value, part);
        add(part);
      }
    }
    return total;
  };

  const ofField = (node: FieldNode, parent: string): Measure => {
    const own: Measure = { depth: 1, rootFields: 1, aliases: node.alias ? 1 : 0, directives: 0, cost: 0 };
    const field = (schema.getType(parent) as Partial<GraphQLObjectType>).getFields?.()[node.name.value];
    if (!field || !node.selectionSet) {
      if (parent === root.name && operation.operation === 'mutation') own.cost = MUTATION_COST;
      return own;
    }
    const inner = sum(node.selectionSet, nameOf(field.type));
    // A connection's size is said once, at the field that gives the connection.
    const assumed = isList(field.type) && !parent.endsWith('Connection') ? LIST_SIZE : 1;
    const size = pageSize(node, field, variables) ?? assumed;
    own.depth += inner.depth;
    own.aliases += inner.aliases;
    own.directives += inner.directives;
    own.cost =
      (parent === root.name && operation.operation === 'mutation' ? MUTATION_COST : 1) + size * inner.cost;
    if (isList(field.type)) own.cost += size;
    return own;
  };

  const total = sum(operation.selectionSet, root.name);
  total.directives += operation.directives?.length ?? 0;
  return total;
}

/** By document, where no variable has a say: documents are kept parsed, and asked again and again. */
const withoutVariables = new WeakMap<DocumentNode, Measure>();

function measure(...[schema, document, operationName, variables]: Parameters<typeof measureOperation>) {
  const [definition, ...more] = document.definitions;
  const alone = definition?.kind === 'OperationDefinition' && more.length === 0;
  if (!alone || definition.variableDefinitions?.length)
    return measureOperation(schema, document, operationName, variables);
  const known =
    withoutVariables.get(document) ?? measureOperation(schema, document, operationName, variables);
  if (known) withoutVariables.set(document, known);
  return known;
}

const SAYS: Readonly<Record<keyof Measure, string>> = {
  depth: 'levels of fields',
  rootFields: 'fields at the root',
  aliases: 'aliases',
  directives: 'directives',
  cost: 'for its cost (see docs/guides/limits.md)',
};

/** The limits that a validated operation goes over, as errors TOO_LARGE; empty where it may run. */
export function checkLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Readonly<Record<string, unknown>> | null | undefined,
  limits: Limits = LIMITS,
): GraphQLError[] {
  const measured = measure(schema, document, operationName, variables ?? {});
  if (!measured) return [];
  return (Object.keys(SAYS) as (keyof Measure)[])
    .filter((key) => measured[key] > limits[key])
    .map(
      (key) =>
        new GraphQLError(
          `the operation has ${measured[key]} ${SAYS[key]}; at most ${limits[key]} are taken`,
          {
            extensions: { code: 'TOO_LARGE', http: { status: 400 } },
          },
        ),
    );
}

export interface OperationRequest {
  readonly query?: unknown;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Parses, validates and measures an operation that did not come through Apollo: what to execute, or why not. */
export function prepareOperation(
  schema: GraphQLSchema,
  { query, operationName, variables }: OperationRequest,
  options: { readonly limits?: Limits; readonly introspection?: boolean } = {},
): Omit<ExecutionArgs, 'contextValue'> | GraphQLError[] {
  const { limits = LIMITS, introspection = true } = options;
  if (typeof query !== 'string') return [new GraphQLError('query must be a text')];
  let document: DocumentNode;
  try {
    document = parse(query, { maxTokens: limits.tokens });
  } catch (error) {
    return [error as GraphQLError];
  }
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const errors = validate(schema, document, rules);
  if (errors.length > 0) return [...errors];
  const over = checkLimits(schema, document, operationName, variables, limits);
  if (over.length > 0) return over;
  return {
    schema,
    document,
    operationName: operationName ?? null,
    variableValues: variables ?? null,
  };
}
