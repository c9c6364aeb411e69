// Reverse-mode differentiation: one walk back over the nodes, adding gradient nodes to the same builder.

import { type Builder, GraphError } from '../graph/builder.js';
import { add, expand } from '../graph/ops.js';
import { knownShape } from '../graph/shapes.js';
import type { Value } from '../graph/types.js';
import { RULES } from './rules.js';

/**
 * Gradients of a scalar loss with respect to `wrt`, as values of the same graph (Linnainmaa 1970).
 * Throws a GraphError for a loss that is no scalar, an op without a rule, or a value that the loss does not depend on.
 */
export function gradients(b: Builder, loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0)
    throw new GraphError(`gradients: the loss must be a scalar, it is [${loss.shape}]`);
  const forward = [...b.nodes()];
  const depends = new Set(wrt.map((value) => value.name));
  for (const node of forward) {
    if (node.inputs.some((input) => input && depends.has(input.name))) {
      for (const output of node.outputs) depends.add(output.name);
    }
  }
  const pending = new Map<string, Value>([[loss.name, b.constant(1)]]);
  for (const node of forward.reverse()) {
    const incoming = node.outputs.map((output) => pending.get(output.name));
    if (incoming.every((g) => g === undefined) || !node.outputs.some((o) => depends.has(o.name))) continue;
    const rule = RULES[node.op];
    if (!rule) throw new GraphError(`gradients: op ${node.op} (node ${node.name}) has no gradient rule`);
    const outgoing = rule(b, node, incoming);
    node.inputs.forEach((input, i) => {
      const g = outgoing[i];
      if (!input || !g || !depends.has(input.name)) return;
      const before = pending.get(input.name);
      pending.set(input.name, before ? add(b, before, g) : g);
    });
  }
  return wrt.map((value) => {
    const g = pending.get(value.name);
    if (!g) throw new GraphError(`gradients: the loss does not depend on '${value.name}' [${value.shape}]`);
    return g.shape.length === value.shape.length ? g : expand(b, g, knownShape(value.shape, 'gradient'));
  });
}
