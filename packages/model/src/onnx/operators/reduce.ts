import type { ReduceOperator, UnaryOperator, ValueId } from '../../graph.ts'
import { type ElementType, tensor, type TensorType } from '../../tensor.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

const reducible: readonly ElementType[] = ['float32', 'int8', 'uint8', 'int32', 'uint32', 'int64', 'uint64']

/** The axes a node reduces; none where `noop_with_empty_axes` says so, all where it names none. */
function reducedAxes(node: NodeReader, shape: readonly number[]): number[] {
  const given = node.integersAt(1, 'axes') ?? []
  if (given.length === 0) return node.integer('noop_with_empty_axes', 0) !== 0 ? [] : shape.map((_, axis) => axis)
  return [...new Set(given.map((axis) => node.axis(axis, shape.length)))].sort((a, b) => a - b)
}

function reduced(type: TensorType, axes: readonly number[], keepDims: boolean): TensorType {
  const { elementType, shape } = type
  return {
    elementType,
    shape: keepDims ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : shape.filter((_, axis) => !axes.includes(axis)),
  }
}

/** A reduction, or nothing where there are no axes. */
function reduceInner(node: NodeReader, operator: ReduceOperator, x: ValueId, axes: readonly number[], keepDims: boolean): ValueId {
  const type = node.typeOf(x)
  if (axes.length === 0) return x
  const empty = axes.some((axis) => type.shape[axis] === 0)
  if (empty && (type.elementType !== 'float32' || operator === 'ReduceMean'))
    throw node.unsupported('it reduces an empty axis', 'axes with elements')
  return node.emitInner({ operator, axes, keepDims }, [x], reduced(type, axes, keepDims))
}

/** Any and all, as the extremes of 0 and 1. */
function reduceBooleans(node: NodeReader, operator: 'ReduceMax' | 'ReduceMin'): void {
  const e = new Expressions(node)
  const x = node.input(0)
  const axes = reducedAxes(node, e.shape(x))
  if (axes.some((axis) => e.shape(x)[axis] === 0)) throw node.unsupported('it reduces an empty axis', 'axes with elements')
  const bytes = e.reduce(operator, e.cast(x, 'uint8'), axes, node.integer('keepdims', 1) !== 0)
  node.emitAlias(0, e.cast(bytes, 'bool'))
}

/** after(reduce(before(x))), where `before` and `after` are elementwise and optional. */
function reduceReader(
  operator: ReduceOperator,
  around: { readonly before?: 'Abs' | 'Square'; readonly after?: UnaryOperator } = {},
): OperatorReader {
  return (node) => {
    const x = node.input(0)
    if (node.typeOf(x).elementType === 'bool' && (operator === 'ReduceMax' || operator === 'ReduceMin')) {
      reduceBooleans(node, operator)
      return
    }
    node.expectTypes([x], around.after === undefined ? reducible : ['float32'])
    const axes = reducedAxes(node, node.shapeOf(x))
    const keepDims = node.integer('keepdims', 1) !== 0
    if (around.before === undefined && around.after === undefined && axes.length > 0) {
      const type = node.typeOf(x)
      const empty = axes.some((axis) => type.shape[axis] === 0)
      if (empty && (type.elementType !== 'float32' || operator === 'ReduceMean'))
        throw node.unsupported('it reduces an empty axis', 'axes with elements')
      node.emit({ operator, axes, keepDims }, [x], reduced(type, axes, keepDims))
      return
    }
    const prepared =
      around.before === undefined
        ? x
        : around.before === 'Abs'
          ? node.emitInner({ operator: 'Abs' }, [x], node.typeOf(x))
          : node.emitInner({ operator: 'Mul' }, [x, x], node.typeOf(x))
    const sum = reduceInner(node, operator, prepared, axes, keepDims)
    node.emitAlias(0, around.after === undefined ? sum : node.emitInner({ operator: around.after }, [sum], node.typeOf(sum)))
  }
}

/** Sums of squares and norms reduce in one step where there is something to reduce. */
function squareReader(operator: 'ReduceSumSquare' | 'ReduceL2'): OperatorReader {
  const direct = reduceReader(operator)
  const alone = operator === 'ReduceL2' ? reduceReader('ReduceSum', { before: 'Abs' }) : reduceReader('ReduceSum', { before: 'Square' })
  return (node) => {
    if (operator === 'ReduceL2') node.expectTypes([node.input(0)], ['float32'])
    if (reducedAxes(node, node.shapeOf(node.input(0))).length > 0) direct(node)
    else alone(node)
  }
}

/** max + log(sum(exp(x - max))), which does not overflow. */
function reduceLogSumExp(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const type = node.typeOf(x)
  const axes = reducedAxes(node, type.shape)
  const keepDims = node.integer('keepdims', 1) !== 0
  if (axes.some((axis) => type.shape[axis] === 0)) {
    reduceReader('ReduceSum', { after: 'Log' })(node)
    return
  }
  const largest = reduceInner(node, 'ReduceMax', x, axes, true)
  const shifted = node.emitInner({ operator: 'Sub' }, [x, largest], type)
  const sum = reduceInner(node, 'ReduceSum', node.emitInner({ operator: 'Exp' }, [shifted], type), axes, true)
  const logarithm = node.emitInner({ operator: 'Log' }, [sum], node.typeOf(sum))
  const total = node.emitInner({ operator: 'Add' }, [largest, logarithm], node.typeOf(sum))
  if (keepDims || axes.length === 0) node.emitAlias(0, total)
  else node.emit({ operator: 'Reshape' }, [total], reduced(type, axes, false))
}

/** The first of equal elements; the last is the first of the reversed axis. */
function argExtreme(node: NodeReader, operator: 'ArgMax' | 'ArgMin'): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const axis = node.axis(node.integer('axis', 0), shape.length)
  const size = shape[axis] ?? 0
  if (size === 0) throw node.invalid('its axis is empty')
  const keepDims = node.integer('keepdims', 1) !== 0
  const type: TensorType = { elementType: 'int64', shape: keepDims ? shape.with(axis, 1) : shape.toSpliced(axis, 1) }
  if (node.integer('select_last_index', 0) === 0) {
    node.emit({ operator, axis, keepDims }, [x], type)
    return
  }
  const starts = shape.map((_, index) => (index === axis ? size - 1 : 0))
  const steps = shape.map((_, index) => (index === axis ? -1 : 1))
  const reversed = node.emitInner({ operator: 'Slice', starts, steps }, [x], { elementType, shape })
  const index = node.emitInner({ operator, axis, keepDims }, [reversed], type)
  node.emit({ operator: 'Sub' }, [node.innerConstant(tensor('int64', [], [size - 1])), index], type)
}

/** Reductions. */
export const reduceReaders: Readonly<Record<string, OperatorReader>> = {
  ReduceSum: reduceReader('ReduceSum'),
  ReduceMean: reduceReader('ReduceMean'),
  ReduceMax: reduceReader('ReduceMax'),
  ReduceMin: reduceReader('ReduceMin'),
  ReduceProd: reduceReader('ReduceProd'),
  ReduceL1: reduceReader('ReduceSum', { before: 'Abs' }),
  ReduceLogSum: reduceReader('ReduceSum', { after: 'Log' }),
  ReduceSumSquare: squareReader('ReduceSumSquare'),
  ReduceL2: squareReader('ReduceL2'),
  ReduceLogSumExp: reduceLogSumExp,
  ArgMax: (node) => argExtreme(node, 'ArgMax'),
  ArgMin: (node) => argExtreme(node, 'ArgMin'),
}
