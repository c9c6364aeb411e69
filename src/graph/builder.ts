// The builder: collects inputs, parameters, constants and nodes, then freezes them into a Graph.
// Which op infers which shape is written in ops.ts, not here.

import type {
  Attributes,
  Constant,
  DType,
  Graph,
  GraphNode,
  Initializer,
  Parameter,
  Shape,
  Value,
} from './types.js';

/** Raised when a graph would be illegal; names the op, the node and the shapes wanted and given. */
export class GraphError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'GraphError';
  }
}

export interface OutputSpec {
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Builder {
  input(name: string, dtype: DType, shape: Shape): Value;
  /** A trainable tensor under the current scope; `decay` defaults to true for rank >= 2. */
  parameter(name: string, shape: readonly number[], init: Initializer, options?: { decay?: boolean }): Value;
  /** A float32 constant; equal scalars and small vectors are stored once. */
  constant(data: number | readonly number[] | Float32Array, shape?: readonly number[]): Value;
  /** An int64 constant vector (shapes, axes, slice bounds). */
  integers(data: readonly number[]): Value;
  /** The numbers of a constant of this graph, or undefined for any other value. */
  constantData(value: Value): Float32Array | BigInt64Array | undefined;
  /** Runs `body` with `prefix.` before the names that it makes. */
  scope<T>(prefix: string, body: () => T): T;
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    outputs: readonly OutputSpec[],
  ): Value[];
  /** Gives the result of a node its public name as an output of the graph. */
  output(name: string, value: Value): void;
  /** Nodes so far, in running order: what the reverse walk of autodiff reads. */
  nodes(): readonly GraphNode[];
  parameters(): readonly Parameter[];
  /** The graph so far, without the nodes and constants that no output needs (gradients of plain inputs, mostly). */
  freeze(): Graph;
}

/** A new empty graph under construction. */
export function createBuilder(graphName: string): Builder {
  const inputs: Value[] = [];
  const outputs: { value: Value; name: string }[] = [];
  const parameters: Parameter[] = [];
  const constants: Constant[] = [];
  const constantByKey = new Map<string, Value>();
  const nodes: GraphNode[] = [];
  const names = new Set<string>();
  const prefixes: string[] = [];

  function claim(name: string): string {
    if (names.has(name)) throw new GraphError(`graph ${graphName}: the name '${name}' is taken`);
    names.add(name);
    return name;
  }
  function storeConstant(key: string, make: () => Constant): Value {
    const known = constantByKey.get(key);
    if (known) return known;
    const made = make();
    constants.push(made);
    constantByKey.set(key, made.value);
    return made.value;
  }

  return {
    input(name, dtype, shape) {
      const value: Value = { name: claim(name), dtype, shape };
      inputs.push(value);
      return value;
    },
    parameter(name, shape, init, options = {}) {
      const value: Value = { name: claim([...prefixes, name].join('.')), dtype: 'float32', shape };
      parameters.push({ value, shape, init, decay: options.decay ?? shape.length >= 2 });
      return value;
    },
    constant(data, shape) {
      const array = typeof data === 'number' ? Float32Array.of(data) : Float32Array.from(data);
      const dims = shape ?? (typeof data === 'number' ? [] : [array.length]);
      const key = array.length <= 64 ? `f${dims.join('x')}:${array.join(',')}` : `f#${constants.length}`;
      return storeConstant(key, () => ({
        value: { name: claim(`const_${constants.length}`), dtype: 'float32', shape: dims },
        data: array,
      }));
    },
    integers(data) {
      return storeConstant(`i${data.join(',')}`, () => ({
        value: { name: claim(`const_${constants.length}`), dtype: 'int64', shape: [data.length] },
        data: BigInt64Array.from(data.map(BigInt)),
      }));
    },
    constantData: (value) => constants.find((constant) => constant.value === value)?.data,
    scope(prefix, body) {
      prefixes.push(prefix);
      try {
        return body();
      } finally {
        prefixes.pop();
      }
    },
    node(op, nodeInputs, attributes, specs) {
      const name = `${[...prefixes, op].join('.')}_${nodes.length}`;
      const made = specs.map(
        (spec, i): Value => ({
          name: claim(specs.length === 1 ? `${name}:out` : `${name}:out${i}`),
          ...spec,
        }),
      );
      nodes.push({ name, op, inputs: nodeInputs, outputs: made, attributes });
      return made;
    },
    output(name, value) {
      claim(name);
      const earlier = outputs.find((output) => output.value.name === value.name);
      if (earlier)
        throw new Error(`${graphName}: output ${name} is the same value as output ${earlier.name}`);
      outputs.push({ value, name });
    },
    nodes: () => nodes,
    parameters: () => parameters,
    freeze() {
      // Outputs take their public names here. An Identity node would do it too, but the runtime's optimiser (1.30)
      // breaks a graph in which the tensor before such a node is read elsewhere as well.
      const publicName = new Map(outputs.map(({ value, name }) => [value.name, name]));
      const renamed = (value: Value): Value => {
        const name = publicName.get(value.name);
        return name === undefined ? value : { ...value, name };
      };
      const needed = new Set(outputs.map(({ value }) => value.name));
      const live = nodes.toReversed().filter((node) => {
        const used = node.outputs.some((value) => needed.has(value.name));
        if (used) for (const value of node.inputs) if (value) needed.add(value.name);
        return used;
      });
      return Object.freeze({
        name: graphName,
        inputs: [...inputs],
        outputs: outputs.map(({ value }) => renamed(value)),
        parameters: [...parameters],
        constants: constants.filter(({ value }) => needed.has(value.name)),
        nodes: live.toReversed().map((node) => ({
          ...node,
          inputs: node.inputs.map((value) => value && renamed(value)),
          outputs: node.outputs.map(renamed),
        })),
      });
    },
  };
}
