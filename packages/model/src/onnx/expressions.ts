import type { BinaryOperator, ReduceOperator, UnaryOperator, ValueId } from '../graph.ts'
import { type ElementType, elementCount, float32, type Tensor, tensor, toNumbers } from '../tensor.ts'
import type { NodeReader } from './node-reader.ts'
import { broadcastShapes, matMulShape } from './shapes.ts'

const comparisons: ReadonlySet<string> = new Set(['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or', 'Xor'])

/**
 * Intermediate results of one ONNX node with their types inferred, for operators that are defined as combinations of others.
 * Numbers stand for scalar constants of the other operand's type.
 */
export class Expressions {
  readonly #node: NodeReader

  constructor(node: NodeReader) {
    this.#node = node
  }

  shape(x: ValueId): readonly number[] {
    return this.#node.shapeOf(x)
  }

  elementType(x: ValueId): ElementType {
    return this.#node.typeOf(x).elementType
  }

  unary(operator: UnaryOperator, x: ValueId): ValueId {
    return this.#node.emitInner({ operator }, [x], this.#node.typeOf(x))
  }

  binary(operator: BinaryOperator, a: ValueId, b: ValueId | number): ValueId {
    const other = typeof b === 'number' ? this.#node.scalar(this.elementType(a), b) : b
    return this.#node.emitInner({ operator }, [a, other], {
      elementType: comparisons.has(operator) ? 'bool' : this.elementType(a),
      shape: broadcastShapes(this.#node, this.shape(a), this.shape(other)),
    })
  }

  add(a: ValueId, b: ValueId | number): ValueId {
    return this.binary('Add', a, b)
  }

  subtract(a: ValueId, b: ValueId | number): ValueId {
    return this.binary('Sub', a, b)
  }

  multiply(a: ValueId, b: ValueId | number): ValueId {
    return this.binary('Mul', a, b)
  }

  divide(a: ValueId, b: ValueId | number): ValueId {
    return this.binary('Div', a, b)
  }

  where(condition: ValueId, then: ValueId | number, otherwise: ValueId | number): ValueId {
    const elementType =
      typeof then !== 'number' ? this.elementType(then) : typeof otherwise !== 'number' ? this.elementType(otherwise) : 'float32'
    const id = (value: ValueId | number) => (typeof value === 'number' ? this.#node.scalar(elementType, value) : value)
    const [a, b] = [id(then), id(otherwise)]
    const shape = broadcastShapes(this.#node, this.shape(condition), this.shape(a), this.shape(b))
    return this.#node.emitInner({ operator: 'Where' }, [condition, a, b], { elementType, shape })
  }

  cast(x: ValueId, elementType: ElementType): ValueId {
    if (this.elementType(x) === elementType) return x
    return this.#node.emitInner({ operator: 'Cast' }, [x], { elementType, shape: this.shape(x) })
  }

  reshape(x: ValueId, shape: readonly number[]): ValueId {
    if (elementCount(shape) !== elementCount(this.shape(x))) throw this.#node.invalid(`[${this.shape(x)}] does not reshape to [${shape}]`)
    return this.#node.emitInner({ operator: 'Reshape' }, [x], { elementType: this.elementType(x), shape })
  }

  transpose(x: ValueId, perm: readonly number[]): ValueId {
    if (perm.every((axis, index) => axis === index)) return x
    const from = this.shape(x)
    return this.#node.emitInner({ operator: 'Transpose', perm }, [x], {
      elementType: this.elementType(x),
      shape: perm.map((axis) => from[axis] ?? 1),
    })
  }

  expand(x: ValueId, shape: readonly number[]): ValueId {
    return this.#node.emitInner({ operator: 'Expand' }, [x], { elementType: this.elementType(x), shape })
  }

  concat(parts: readonly ValueId[], axis: number): ValueId {
    const kept = parts.filter((id) => elementCount(this.shape(id)) > 0)
    const [first = parts[0] ?? ''] = kept
    if (kept.length < 2) return first
    const size = kept.reduce((sum, id) => sum + (this.shape(id)[axis] ?? 0), 0)
    return this.#node.emitInner({ operator: 'Concat', axis }, kept, {
      elementType: this.elementType(first),
      shape: this.shape(first).with(axis, size),
    })
  }

  /** `count` elements of one axis from `start` on, `step` apart. */
  slice(x: ValueId, axis: number, range: { readonly start: number; readonly count: number; readonly step?: number }): ValueId {
    const { start, count, step = 1 } = range
    const shape = this.shape(x)
    const of = (value: number, fallback: number) => shape.map((_, other) => (other === axis ? value : fallback))
    return this.#node.emitInner({ operator: 'Slice', starts: of(start, 0), steps: of(step, 1) }, [x], {
      elementType: this.elementType(x),
      shape: shape.with(axis, count),
    })
  }

  /** One axis backwards. */
  reverse(x: ValueId, axis: number): ValueId {
    const count = this.shape(x)[axis] ?? 0
    return this.slice(x, axis, { start: Math.max(count - 1, 0), count, step: -1 })
  }

  /** Beginnings of all axes, then ends; negative values crop. */
  pad(x: ValueId, pads: readonly number[], value = 0): ValueId {
    const from = this.shape(x)
    return this.#node.emitInner({ operator: 'Pad', pads, mode: 'constant', value }, [x], {
      elementType: this.elementType(x),
      shape: from.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + from.length] ?? 0)),
    })
  }

  gather(data: ValueId, indices: ValueId, axis: number): ValueId {
    const from = this.shape(data)
    return this.#node.emitInner({ operator: 'Gather', axis }, [data, indices], {
      elementType: this.elementType(data),
      shape: [...from.slice(0, axis), ...this.shape(indices), ...from.slice(axis + 1)],
    })
  }

  matMul(a: ValueId, b: ValueId): ValueId {
    return this.#node.emitInner({ operator: 'MatMul' }, [a, b], {
      elementType: 'float32',
      shape: matMulShape(this.#node, this.shape(a), this.shape(b)),
    })
  }

  reduce(operator: ReduceOperator, x: ValueId, axes: readonly number[], keepDims = false): ValueId {
    const from = this.shape(x)
    if (axes.length === 0) return x
    return this.#node.emitInner({ operator, axes: [...axes].sort((p, q) => p - q), keepDims }, [x], {
      elementType: this.elementType(x),
      shape: keepDims ? from.map((size, axis) => (axes.includes(axis) ? 1 : size)) : from.filter((_, axis) => !axes.includes(axis)),
    })
  }

  constant(elementType: ElementType, shape: readonly number[], values: Iterable<number>): ValueId {
    return this.#node.innerConstant(tensor(elementType, shape, values))
  }

  floats(shape: readonly number[], values: ArrayLike<number>): ValueId {
    return this.#node.innerConstant(float32(shape, values))
  }

  /** A tensor whose elements are all the same. */
  filled(elementType: ElementType, shape: readonly number[], value: number): ValueId {
    return this.#node.innerConstant(this.#node.generated(elementType, shape, () => value))
  }

  /** Positions along one axis of a tensor of `rank` axes. */
  positions(elementType: ElementType, rank: number, axis: number, size: number): ValueId {
    const shape = Array.from({ length: rank }, (_, other) => (other === axis ? size : 1))
    return this.#node.innerConstant(this.#node.generated(elementType, shape, (i) => i))
  }

  /** The numbers of a value that is known at import. */
  known(id: ValueId): number[] | undefined {
    const found: Tensor | undefined = this.#node.constantOf(id)
    return found === undefined ? undefined : toNumbers(found.data)
  }
}
