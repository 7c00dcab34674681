import type { ValueId } from '../../graph.ts'
import type { TensorType } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'

const float = (shape: readonly number[]): TensorType => ({ elementType: 'float32', shape })

/** A projection in the form [batch, heads, length, size]. */
type Heads = { readonly id: ValueId; readonly batch: number; readonly heads: number; readonly length: number; readonly size: number }

function reshape(node: NodeReader, id: ValueId, shape: readonly number[]): ValueId {
  return node.emitInner({ operator: 'Reshape' }, [id], float(shape))
}

function transpose(node: NodeReader, id: ValueId, perm: readonly number[]): ValueId {
  const { shape } = node.typeOf(id)
  return node.emitInner({ operator: 'Transpose', perm }, [id], float(perm.map((axis) => shape[axis] ?? 1)))
}

/** Splits [batch, length, heads * size] into heads, or takes [batch, heads, length, size] as it is. */
function splitHeads(node: NodeReader, id: ValueId, attribute: string): Heads {
  const { shape } = node.typeOf(id)
  if (shape.length === 4) {
    const [batch = 1, heads = 1, length = 1, size = 1] = shape
    return { id, batch, heads, length, size }
  }
  const [batch = 1, length = 1, hidden = 1] = shape
  const heads = node.integer(attribute)
  if (shape.length !== 3 || heads < 1 || hidden % heads !== 0) throw node.invalid(`${hidden} values do not split into ${heads} heads`)
  const split = reshape(node, id, [batch, length, heads, hidden / heads])
  return { id: transpose(node, split, [0, 2, 1, 3]), batch, heads, length, size: hidden / heads }
}

/** Earlier keys or values in front of the new ones. */
function withPast(node: NodeReader, heads: Heads, past: ValueId | undefined): Heads {
  if (past === undefined) return heads
  const length = (node.shapeOf(past)[2] ?? 0) + heads.length
  const id = node.emitInner({ operator: 'Concat', axis: 2 }, [past, heads.id], float([heads.batch, heads.heads, length, heads.size]))
  return { ...heads, id, length }
}

/** Each key or value head serves `times` query heads in a row (grouped-query attention). */
function repeatHeads(node: NodeReader, { id, batch, heads, length, size }: Heads, times: number): Heads {
  if (times === 1) return { id, batch, heads, length, size }
  const single = reshape(node, id, [batch, heads, 1, length, size])
  const repeated = node.emitInner({ operator: 'Expand' }, [single], float([batch, heads, times, length, size]))
  return { id: reshape(node, repeated, [batch, heads * times, length, size]), batch, heads: heads * times, length, size }
}

/**
 * Scaled dot-product attention as the ONNX operator defines it: softmax(soft cap(q k^T) + mask) v, with the square root of
 * the scale on both operands.
 */
function attention(node: NodeReader): void {
  const [mask, pastKey, pastValue] = [node.optional(3), node.optional(4), node.optional(5)]
  const precision = node.integer('softmax_precision', 1)
  if (precision !== 1) throw node.unsupported(`its softmax precision is element type ${precision}`, 'float32')
  const query = splitHeads(node, node.input(0), 'q_num_heads')
  const newKey = splitHeads(node, node.input(1), 'kv_num_heads')
  const newValue = splitHeads(node, node.input(2), 'kv_num_heads')
  node.expectTypes([query.id, newKey.id, newValue.id], ['float32'])
  const presentKey = withPast(node, newKey, pastKey)
  const presentValue = withPast(node, newValue, pastValue)
  if (
    query.heads % presentKey.heads !== 0 ||
    presentKey.heads !== presentValue.heads ||
    presentKey.length !== presentValue.length ||
    query.size !== presentKey.size
  )
    throw node.invalid('queries, keys and values do not fit together')
  const times = query.heads / presentKey.heads
  const [key, value] = [repeatHeads(node, presentKey, times), repeatHeads(node, presentValue, times)]

  const scale = node.scalar('float32', Math.fround(Math.sqrt(node.float('scale', 1 / Math.sqrt(query.size)))))
  const scaled = (heads: Heads) => node.emitInner({ operator: 'Mul' }, [heads.id, scale], node.typeOf(heads.id))
  const scores = float([query.batch, query.heads, query.length, key.length])
  const products = node.emitInner({ operator: 'MatMul' }, [scaled(query), transpose(node, scaled(key), [0, 1, 3, 2])], scores)
  const capped = softCap(node, products, scores)
  const bias = scoreBias(node, scores, mask, pastKey)
  const biased = bias === undefined ? capped : node.emitInner({ operator: 'Add' }, [capped, bias], scores)
  const softmax = node.emitInner({ operator: 'Softmax', axis: 3 }, [biased], scores)
  const weights = bias === undefined ? softmax : zeroMaskedRows(node, bias, softmax, scores)
  const stages = [capped, capped, biased, weights]

  const result = node.emitInner({ operator: 'MatMul' }, [weights, value.id], float([query.batch, query.heads, query.length, value.size]))
  const merged = node.shapeOf(node.input(0)).length === 3
  const output = merged
    ? reshape(node, transpose(node, result, [0, 2, 1, 3]), [query.batch, query.length, query.heads * value.size])
    : result
  for (const [index, id] of [output, presentKey.id, presentValue.id, stages[node.integer('qk_matmul_output_mode', 0)] ?? capped].entries())
    node.emitAlias(index, id)
}

function softCap(node: NodeReader, scores: ValueId, type: TensorType): ValueId {
  const cap = node.float('softcap', 0)
  if (cap === 0) return scores
  const limit = node.scalar('float32', cap)
  const divided = node.emitInner({ operator: 'Div' }, [scores, limit], type)
  return node.emitInner({ operator: 'Mul' }, [node.emitInner({ operator: 'Tanh' }, [divided], type), limit], type)
}

/** What is added to the scores: the mask, and minus infinity where causality, window or padding forbid a key. */
function scoreBias(node: NodeReader, scores: TensorType, mask: ValueId | undefined, past: ValueId | undefined): ValueId | undefined {
  const [, , queries = 1, keys = 1] = scores.shape
  const added = mask === undefined ? undefined : maskBias(node, paddedMask(node, mask, keys), scores)
  const allowed = allowedKeys(node, queries, keys, past)
  if (allowed === undefined) return added
  const { shape } = node.typeOf(allowed)
  const zero = node.scalar('float32', 0)
  const forbidden = node.emitInner({ operator: 'Where' }, [allowed, zero, node.scalar('float32', Number.NEGATIVE_INFINITY)], float(shape))
  if (added === undefined) return forbidden
  return node.emitInner({ operator: 'Add' }, [added, forbidden], float(broadcastShapes(node, node.shapeOf(added), shape)))
}

/** A mask narrower than the keys forbids the rest. */
function paddedMask(node: NodeReader, mask: ValueId, keys: number): ValueId {
  node.expectTypes([mask], ['float32', 'bool'])
  const { elementType, shape } = node.typeOf(mask)
  const missing = keys - (shape.at(-1) ?? keys)
  if (missing <= 0 || shape.at(-1) === 1) return mask
  const pads = [...shape.map(() => 0), ...shape.map((_, axis) => (axis === shape.length - 1 ? missing : 0))]
  const value = elementType === 'bool' ? 0 : Number.NEGATIVE_INFINITY
  return node.emitInner({ operator: 'Pad', pads, mode: 'constant', value }, [mask], { elementType, shape: shape.with(-1, keys) })
}

/** A float mask is added; a boolean one adds 0 where true and minus infinity elsewhere. */
function maskBias(node: NodeReader, mask: ValueId, scores: TensorType): ValueId {
  const { elementType, shape } = node.typeOf(mask)
  if (broadcastShapes(node, shape, scores.shape).some((size, axis) => size !== scores.shape[axis]))
    throw node.invalid('the mask does not fit the scores')
  if (elementType === 'float32') return mask
  return node.emitInner(
    { operator: 'Where' },
    [mask, node.scalar('float32', 0), node.scalar('float32', Number.NEGATIVE_INFINITY)],
    float(shape),
  )
}

/**
 * Which keys a query may see. Query i stands at position i + offset, where the offset is the length of the past, or, with
 * `nonpad_kv_seqlen`, the number of valid keys minus the number of queries.
 */
function allowedKeys(node: NodeReader, queries: number, keys: number, past: ValueId | undefined): ValueId | undefined {
  const valid = node.optional(6)
  const [left, right] = [node.integer('left_window_size', -1), node.integer('right_window_size', -1)]
  if (node.integer('is_causal', 0) === 0 && left < 0 && right < 0 && valid === undefined) return undefined
  const counted = (shape: readonly number[]) => node.innerConstant(node.generated('int64', shape, (i) => i))
  const int64 = (id: ValueId, shape: readonly number[]) => node.emitInner({ operator: 'Reshape' }, [id], { elementType: 'int64', shape })
  const batch = valid === undefined ? 1 : (node.shapeOf(valid)[0] ?? 1)
  if (valid !== undefined) node.expectTypes([valid], ['int64'])
  const lengths = valid === undefined ? undefined : int64(valid, [batch, 1, 1, 1])
  const arithmetic = (operator: 'Add' | 'Sub', a: ValueId, b: ValueId) =>
    node.emitInner({ operator }, [a, b], { elementType: 'int64', shape: broadcastShapes(node, node.shapeOf(a), node.shapeOf(b)) })
  const compare = (operator: 'LessOrEqual' | 'Less', a: ValueId, b: ValueId) =>
    node.emitInner({ operator }, [a, b], { elementType: 'bool', shape: broadcastShapes(node, node.shapeOf(a), node.shapeOf(b)) })
  const key = counted([1, 1, 1, keys])
  const pastLength = past === undefined ? 0 : (node.shapeOf(past)[2] ?? 0)
  const offset =
    lengths === undefined || past !== undefined
      ? node.scalar('int64', pastLength)
      : arithmetic('Sub', lengths, node.scalar('int64', queries))
  const position = arithmetic('Add', counted([1, 1, queries, 1]), offset)
  const conditions: ValueId[] = []
  if (node.integer('is_causal', 0) !== 0) conditions.push(compare('LessOrEqual', key, position))
  if (left >= 0) conditions.push(compare('LessOrEqual', arithmetic('Sub', position, node.scalar('int64', left)), key))
  if (right >= 0) conditions.push(compare('LessOrEqual', key, arithmetic('Add', position, node.scalar('int64', right))))
  if (lengths !== undefined) conditions.push(compare('Less', key, lengths))
  return conditions.reduce<ValueId | undefined>((all, condition) => {
    if (all === undefined) return condition
    const shape = broadcastShapes(node, node.shapeOf(all), node.shapeOf(condition))
    return node.emitInner({ operator: 'And' }, [all, condition], { elementType: 'bool', shape })
  }, undefined)
}

/** A query that may see no key gets weights of zero instead of NaN. */
function zeroMaskedRows(node: NodeReader, bias: ValueId, weights: ValueId, scores: TensorType): ValueId {
  const shape = node.shapeOf(bias)
  const rows = shape.with(-1, 1)
  const largest = node.emitInner({ operator: 'ReduceMax', axes: [shape.length - 1], keepDims: true }, [bias], float(rows))
  const masked = node.emitInner({ operator: 'Equal' }, [largest, node.scalar('float32', Number.NEGATIVE_INFINITY)], {
    elementType: 'bool',
    shape: rows,
  })
  return node.emitInner({ operator: 'Where' }, [masked, node.scalar('float32', 0), weights], scores)
}

/** Rotates pairs of each head's first values by cached angles; pairs are halves, or neighbours when interleaved. */
function rotaryEmbedding(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x, node.input(1), node.input(2)], ['float32'])
  const { shape } = node.typeOf(x)
  const merged = shape.length === 3
  // Everything is computed as [batch, length, heads, size]; four axes arrive with heads before length.
  const [batch = 1, length = 1, heads = 1, size = 1] = merged
    ? [shape[0], shape[1], node.integer('num_heads'), (shape[2] ?? 1) / node.integer('num_heads')]
    : [shape[0], shape[2], shape[1], shape[3]]
  if ((shape.length !== 3 && shape.length !== 4) || !Number.isInteger(size)) throw node.invalid('its input does not split into heads')
  const rotated = node.integer('rotary_embedding_dim', 0) || size
  if (rotated % 2 !== 0 || rotated > size) throw node.invalid(`it rotates ${rotated} of ${size} values`)
  const wide = merged ? reshape(node, x, [batch, length, heads, size]) : transpose(node, x, [0, 2, 1, 3])
  const half = rotated / 2
  const [cosine, sine] = [angles(node, 1, { batch, length, half }), angles(node, 2, { batch, length, half })]
  const part = (start: number, count: number, step = 1) =>
    node.emitInner({ operator: 'Slice', starts: [0, 0, 0, start], steps: [1, 1, 1, step] }, [wide], float([batch, length, heads, count]))
  const interleaved = node.integer('interleaved', 0) !== 0
  const [first, second] = interleaved ? [part(0, half, 2), part(1, half, 2)] : [part(0, half), part(half, half)]
  const halfType = float([batch, length, heads, half])
  const product = (a: ValueId, b: ValueId) => node.emitInner({ operator: 'Mul' }, [a, b], halfType)
  const real = node.emitInner({ operator: 'Sub' }, [product(cosine, first), product(sine, second)], halfType)
  const imaginary = node.emitInner({ operator: 'Add' }, [product(sine, first), product(cosine, second)], halfType)
  const turned = interleaved ? interleave(node, real, imaginary, halfType) : concatLast(node, [real, imaginary])
  const whole = rotated === size ? turned : concatLast(node, [turned, part(rotated, size - rotated)])
  if (merged) node.emit({ operator: 'Reshape' }, [whole], float(shape))
  else node.emit({ operator: 'Transpose', perm: [0, 2, 1, 3] }, [whole], float(shape))
}

/** Cached angles as [batch, length, 1, half], chosen by position ids where they are given. */
function angles(
  node: NodeReader,
  index: number,
  size: { readonly batch: number; readonly length: number; readonly half: number },
): ValueId {
  const cache = node.input(index)
  const positions = node.optional(3)
  let chosen = cache
  if (positions !== undefined) {
    node.expectTypes([positions], ['int64', 'int32'])
    const width = node.shapeOf(cache).at(-1) ?? 1
    chosen = node.emitInner({ operator: 'Gather', axis: 0 }, [cache, positions], float([...node.shapeOf(positions), width]))
  }
  const { shape } = node.typeOf(chosen)
  const { batch, length, half } = size
  if (shape.length !== 3 || shape[0] !== batch || shape[1] !== length || shape[2] !== half)
    throw node.invalid(`its angles have shape [${shape.join(', ')}]`)
  return reshape(node, chosen, [batch, length, 1, half])
}

function concatLast(node: NodeReader, ids: readonly ValueId[]): ValueId {
  const shapes = ids.map((id) => node.shapeOf(id))
  const first = shapes[0] ?? []
  const total = shapes.reduce((sum, shape) => sum + (shape.at(-1) ?? 0), 0)
  return node.emitInner({ operator: 'Concat', axis: first.length - 1 }, ids, float(first.with(-1, total)))
}

function interleave(node: NodeReader, real: ValueId, imaginary: ValueId, type: TensorType): ValueId {
  const pairs = [real, imaginary].map((id) => reshape(node, id, [...type.shape, 1]))
  return reshape(node, concatLast(node, pairs), type.shape.with(-1, 2 * (type.shape.at(-1) ?? 1)))
}

/** Attention and rotary embeddings, as the primitives that define them. */
export const attentionReaders: Readonly<Record<string, OperatorReader>> = { Attention: attention, RotaryEmbedding: rotaryEmbedding }
