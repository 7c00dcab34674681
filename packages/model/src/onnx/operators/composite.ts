import type { ValueId } from '../../graph.ts'
import { type ElementType, elementCount, type TensorType } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'

const integers: readonly ElementType[] = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64']

/** a - trunc(a / b) * b, and for the default form moved by b where its sign differs from b's. */
function mod(node: NodeReader): void {
  const [a, b] = [node.input(0), node.input(1)]
  node.expectTypes([a, b], integers)
  const { elementType } = node.typeOf(a)
  const shape = broadcastShapes(node, node.shapeOf(a), node.shapeOf(b))
  const type: TensorType = { elementType, shape }
  const bool: TensorType = { elementType: 'bool', shape }
  const quotient = node.emitInner({ operator: 'Div' }, [a, b], type)
  const product = node.emitInner({ operator: 'Mul' }, [quotient, b], type)
  const remainder = node.emitInner({ operator: 'Sub' }, [a, product], type)
  if (node.integer('fmod', 0) !== 0 || elementType.startsWith('uint')) {
    node.emitAlias(0, remainder)
    return
  }
  const zero = node.scalar(elementType, 0)
  const signOf = (id: ValueId) => node.emitInner({ operator: 'Less' }, [id, zero], { elementType: 'bool', shape: node.shapeOf(id) })
  const differs = node.emitInner({ operator: 'Xor' }, [signOf(remainder), signOf(b)], bool)
  const none = node.emitInner({ operator: 'Equal' }, [remainder, zero], bool)
  const moved = node.emitInner({ operator: 'And' }, [differs, node.emitInner({ operator: 'Not' }, [none], bool)], bool)
  node.emit({ operator: 'Where' }, [moved, node.emitInner({ operator: 'Add' }, [remainder, b], type), remainder], type)
}

/** 0, 1, 2, ... along one axis. */
function positionsAlong(node: NodeReader, rank: number, axis: number, size: number): ValueId {
  const shape = Array.from({ length: rank }, (_, index) => (index === axis ? size : 1))
  return node.innerConstant(node.generated('int64', shape, (i) => i))
}

/** 1 at the first largest element along an axis, 0 elsewhere. */
function hardmax(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const { shape } = node.typeOf(x)
  if (node.version < 13) throw node.unsupported(`it is of operator set ${node.version}`, 'operator set 13 and later')
  const axis = node.axis(node.integer('axis', -1), shape.length)
  const winner = node.emitInner({ operator: 'ArgMax', axis, keepDims: true }, [x], { elementType: 'int64', shape: shape.with(axis, 1) })
  const chosen = node.emitInner({ operator: 'Equal' }, [winner, positionsAlong(node, shape.length, axis, shape[axis] ?? 1)], {
    elementType: 'bool',
    shape,
  })
  node.emit({ operator: 'Cast' }, [chosen], { elementType: 'float32', shape })
}

/** `on` where the new axis equals the index, `off` elsewhere; negative indices count from the end. */
function oneHot(node: NodeReader): void {
  const [indices, values] = [node.input(0), node.input(2)]
  node.expectTypes([indices], ['int64', 'int32', 'float32'])
  const depth = Number(node.constant(1, 'depth').data[0] ?? 0)
  const from = node.shapeOf(indices)
  const axis = node.axis(node.integer('axis', -1), from.length + 1)
  if (!(Number.isSafeInteger(depth) && depth >= 1) || node.shapeOf(values)[0] !== 2) throw node.invalid('its depth or values do not fit')
  const shape = from.toSpliced(axis, 0, depth)
  const wide: TensorType = { elementType: 'int64', shape: from.toSpliced(axis, 0, 1) }
  const whole =
    node.typeOf(indices).elementType === 'int64'
      ? indices
      : node.emitInner({ operator: 'Cast' }, [indices], { elementType: 'int64', shape: from })
  const column = node.emitInner({ operator: 'Reshape' }, [whole], wide)
  const negative = node.emitInner({ operator: 'Less' }, [column, node.scalar('int64', 0)], { elementType: 'bool', shape: wide.shape })
  const moved = node.emitInner({ operator: 'Add' }, [column, node.scalar('int64', depth)], wide)
  const index = node.emitInner({ operator: 'Where' }, [negative, moved, column], wide)
  const hit = node.emitInner({ operator: 'Equal' }, [index, positionsAlong(node, shape.length, axis, depth)], {
    elementType: 'bool',
    shape,
  })
  const { elementType } = node.typeOf(values)
  const value = (at: number) => node.emitInner({ operator: 'Slice', starts: [at], steps: [1] }, [values], { elementType, shape: [1] })
  node.emit({ operator: 'Where' }, [hit, value(1), value(0)], { elementType, shape })
}

/** x divided by its 1- or 2-norm along an axis; rows of zeros stay zeros. */
function lpNormalization(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const type = node.typeOf(x)
  const axis = node.axis(node.integer('axis', -1), type.shape.length)
  const rows: TensorType = { elementType: 'float32', shape: type.shape.with(axis, 1) }
  const norm =
    node.integer('p', 2) === 1
      ? node.emitInner({ operator: 'ReduceSum', axes: [axis], keepDims: true }, [node.emitInner({ operator: 'Abs' }, [x], type)], rows)
      : node.emitInner({ operator: 'ReduceL2', axes: [axis], keepDims: true }, [x], rows)
  const empty = node.emitInner({ operator: 'Equal' }, [norm, node.scalar('float32', 0)], { elementType: 'bool', shape: rows.shape })
  const divisor = node.emitInner({ operator: 'Where' }, [empty, node.scalar('float32', 1), norm], rows)
  node.emit({ operator: 'Div' }, [x, divisor], type)
}

/** Moves blocks between channels and space: reshape, transpose, reshape. */
function rearrange(
  node: NodeReader,
  split: (
    size: readonly number[],
    block: number,
  ) => { readonly shape: readonly number[]; readonly perm: readonly number[]; readonly result: readonly number[] },
): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const block = node.integer('blocksize')
  if (shape.length !== 4 || block < 1) throw node.invalid('it takes four axes and a positive block size')
  const parts = split(shape, block)
  if (parts.shape.some((size) => !Number.isInteger(size)) || elementCount(parts.shape) !== elementCount(shape))
    throw node.invalid('its block size does not divide the input')
  const blocks = node.emitInner({ operator: 'Reshape' }, [x], { elementType, shape: parts.shape })
  const moved = node.emitInner({ operator: 'Transpose', perm: parts.perm }, [blocks], {
    elementType,
    shape: parts.perm.map((axis) => parts.shape[axis] ?? 1),
  })
  node.emit({ operator: 'Reshape' }, [moved], { elementType, shape: parts.result })
}

function depthToSpace(node: NodeReader): void {
  const columnsFirst = node.text('mode', 'DCR') === 'CRD'
  rearrange(node, ([n = 1, c = 1, h = 1, w = 1], b) => {
    const depth = c / (b * b)
    const result = [n, depth, h * b, w * b]
    return columnsFirst
      ? { shape: [n, depth, b, b, h, w], perm: [0, 1, 4, 2, 5, 3], result }
      : { shape: [n, b, b, depth, h, w], perm: [0, 3, 4, 1, 5, 2], result }
  })
}

function spaceToDepth(node: NodeReader): void {
  const columnsFirst = node.text('mode', 'DCR') === 'CRD'
  rearrange(node, ([n = 1, c = 1, h = 1, w = 1], b) => ({
    shape: [n, c, h / b, b, w / b, b],
    perm: columnsFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4],
    result: [n, c * b * b, h / b, w / b],
  }))
}

/** Operators that are combinations of others. */
export const compositeReaders: Readonly<Record<string, OperatorReader>> = {
  Mod: mod,
  Hardmax: hardmax,
  OneHot: oneHot,
  LpNormalization: lpNormalization,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
}
