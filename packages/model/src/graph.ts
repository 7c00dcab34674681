import type { Tensor, TensorType } from './tensor.ts'

/** The name of one value of a graph. Every value is assigned exactly once (static single assignment). */
export type ValueId = string

/**
 * A network with every shape known: nodes in an order in which each input comes before its use, one type per value.
 *
 * The reader has already normalised the operator-set versions away: optional inputs that have a default are present,
 * axes are non-negative, shapes and slices are attributes, `auto_pad` is pads, and what needs no arithmetic at run time
 * (Constant, Shape, Identity, Dropout) is gone. Composite operators (Attention, RotaryEmbedding) are primitives.
 */
export type Graph = {
  readonly name: string
  readonly inputs: readonly ValueId[]
  readonly outputs: readonly ValueId[]
  readonly nodes: readonly GraphNode[]
  /** Values known at import: weights, and whatever constant folding computed (all but DequantizeLinear of weights). */
  readonly constants: ReadonlyMap<ValueId, Tensor>
  /** The type of every value: inputs, constants and node outputs. */
  readonly types: ReadonlyMap<ValueId, TensorType>
}

/** One operation of a graph, applied to named values. */
export type GraphNode = {
  /** Unique in the graph; the name in the file where it has one. For people and error messages only. */
  readonly name: string
  readonly operation: Operation
  readonly inputs: readonly ValueId[]
  readonly outputs: readonly ValueId[]
}

/** Elementwise functions of one input without parameters. */
export type UnaryOperator =
  | 'Abs'
  | 'Neg'
  | 'Sign'
  | 'Floor'
  | 'Ceil'
  | 'Round'
  | 'Reciprocal'
  | 'Sqrt'
  | 'Exp'
  | 'Log'
  | 'Erf'
  | 'Relu'
  | 'Sigmoid'
  | 'Tanh'
  | 'HardSwish'
  | 'Softplus'
  | 'Not'

/** Elementwise functions of two inputs; shapes broadcast as in NumPy. */
export type BinaryOperator =
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
  | 'Pow'
  | 'Min'
  | 'Max'
  | 'And'
  | 'Or'
  | 'Xor'
  | 'Equal'
  | 'Less'
  | 'LessOrEqual'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'BitwiseAnd'
  | 'BitwiseOr'
  | 'BitwiseXor'
  /** Negative counts, and those from the width on, leave 0, or -1 of a negative number shifted right. */
  | 'ShiftLeft'
  | 'ShiftRight'

/** Reductions over a set of axes. */
export type ReduceOperator = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceSumSquare' | 'ReduceL2'

/** The window of a convolution or pooling over the trailing (spatial) axes of an [N, C, ...] tensor. */
export type Window = {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** All beginnings, then all ends: [y0, x0, y1, x1]. With `ceil_mode` the output shape may reach past the end pad. */
  readonly pads: readonly number[]
}

/** What a node computes; `operator` names follow ONNX, inputs are listed in order. */
export type Operation =
  | { readonly operator: UnaryOperator }
  | { readonly operator: BinaryOperator }
  | { readonly operator: 'LeakyRelu' | 'Elu'; readonly alpha: number }
  | { readonly operator: 'HardSigmoid'; readonly alpha: number; readonly beta: number }
  | { readonly operator: 'Gelu'; readonly approximate: 'none' | 'tanh' }
  /** One input; the bounds are constants, ±Infinity where the file gave none. */
  | { readonly operator: 'Clip'; readonly min: number; readonly max: number }
  /** The target is the output's type. */
  | { readonly operator: 'Cast' }
  /** condition (bool), then, else. */
  | { readonly operator: 'Where' }
  /** a [..., m, k], b [..., k, n]; leading axes broadcast, rank-1 operands as in NumPy. */
  | { readonly operator: 'MatMul' }
  /** alpha * op(a) op(b) + beta * c; c is optional and broadcasts to [m, n]. */
  | {
      readonly operator: 'Gemm'
      readonly alpha: number
      readonly beta: number
      readonly transA: boolean
      readonly transB: boolean
    }
  /** x [N, C, ...], w [M, C/group, ...kernel], optional bias [M]. */
  | { readonly operator: 'Conv'; readonly window: Window; readonly group: number }
  | { readonly operator: 'MaxPool'; readonly window: Window }
  | { readonly operator: 'AveragePool'; readonly window: Window; readonly countIncludePad: boolean }
  /** x [N, C, ...], scale, bias, mean, variance, each [C]. */
  | { readonly operator: 'BatchNormalization'; readonly epsilon: number }
  /** x, scale, optional bias; over the axes from `axis` to the last. */
  | { readonly operator: 'LayerNormalization' | 'RMSNormalization'; readonly axis: number; readonly epsilon: number }
  | { readonly operator: 'Softmax' | 'LogSoftmax'; readonly axis: number }
  /** Same elements in row-major order under the output's shape: also Flatten, Squeeze, Unsqueeze. */
  | { readonly operator: 'Reshape' }
  | { readonly operator: 'Transpose'; readonly perm: readonly number[] }
  | { readonly operator: 'Concat'; readonly axis: number }
  | { readonly operator: 'Split'; readonly axis: number; readonly sizes: readonly number[] }
  /** One start and step per axis, starts in range, negative steps walk backwards; the counts are the output's shape. */
  | { readonly operator: 'Slice'; readonly starts: readonly number[]; readonly steps: readonly number[] }
  /** data, indices (integers; negative counts from the end). */
  | { readonly operator: 'Gather'; readonly axis: number }
  /**
   * data [n, w], indices [m, 1] (int64, not negative), updates [m, w]: row indices[i] of a copy of data is replaced by updates[i], or
   * combined with it, i ascending.
   */
  | { readonly operator: 'Scatter'; readonly reduction: 'none' | 'add' | 'mul' | 'min' | 'max' }
  /** The k extreme elements along an axis, in order, and their indices (int64); of equals the lowest index first. */
  | { readonly operator: 'TopK'; readonly axis: number; readonly k: number; readonly largest: boolean }
  /** Broadcast to the output's shape. */
  | { readonly operator: 'Expand' }
  /** Repeats per axis. */
  | { readonly operator: 'Tile'; readonly repeats: readonly number[] }
  /** Beginnings of all axes, then ends; negative values crop. `value` counts in mode `constant` only. */
  | {
      readonly operator: 'Pad'
      readonly pads: readonly number[]
      readonly mode: 'constant' | 'reflect' | 'edge' | 'wrap'
      readonly value: number
    }
  /** Axes ascending, never empty. */
  | { readonly operator: ReduceOperator; readonly axes: readonly number[]; readonly keepDims: boolean }
  /** Index (int64) of the largest or smallest element; ties give the lowest index. */
  | { readonly operator: 'ArgMax' | 'ArgMin'; readonly axis: number; readonly keepDims: boolean }
  /** x, scale, zero point (both scalars, or vectors along `axis`). */
  | { readonly operator: 'QuantizeLinear' | 'DequantizeLinear'; readonly axis: number }
  /** x -> y (uint8), scale, zero point. */
  | { readonly operator: 'DynamicQuantizeLinear' }
  /** a, b, a zero point, b zero point -> int32. */
  | { readonly operator: 'MatMulInteger' }
  /** x, w, x zero point, w zero point -> int32. */
  | { readonly operator: 'ConvInteger'; readonly window: Window; readonly group: number }
  /** a, a scale, a zero point, b, b scale, b zero point, y scale, y zero point. */
  | { readonly operator: 'QLinearMatMul' }
  /** x, x scale, x zero point, w, w scale, w zero point, y scale, y zero point, optional bias (int32). */
  | { readonly operator: 'QLinearConv'; readonly window: Window; readonly group: number }

/** The names a node's `operation.operator` can have. */
export type OperatorName = Operation['operator']
