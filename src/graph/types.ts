// ONNX graphs as plain frozen data: the vocabulary of the graph room. No behaviour lives here.

export type DType = 'float32' | 'int64' | 'bool';

/** A number, or the name of a dimension that is only known when the graph runs (such as 'batch'). */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** One tensor of a graph, known by its name. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An ONNX attribute; the key says its type. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an ONNX op. Inputs may be absent (undefined), as the standard allows. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

/** How a parameter starts. */
export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'normal'; readonly std: number };

/** A trainable tensor; `decay` says whether weight decay applies to it. */
export interface Parameter {
  readonly value: Value;
  readonly shape: readonly number[];
  readonly init: Initializer;
  readonly decay: boolean;
}

export interface Constant {
  readonly value: Value;
  readonly data: Float32Array | BigInt64Array;
}

/** A whole graph: nodes stand in the order in which they can run. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly parameters: readonly Parameter[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly GraphNode[];
}
