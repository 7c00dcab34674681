// MatMul, Gemm, MatMulInteger and QLinearMatMul.
import { elementCount, type GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { type PanelSource, splitColumns } from '../kernels/pack-panels.ts'
import { binaryPost, roundToCentred, scaleBy, toFloat } from '../kernels/post-operation.ts'
import { type View, storageBytes } from '../program/program.ts'
import { isUnaryElementwise } from './elementwise.ts'
import { absorbEpilogue, columnOperand, type Epilogue, type PlacedOperand, placeOperands } from './epilogue.ts'
import type { GraphState } from './graph-state.ts'
import { numberAt } from './number-at.ts'
import { centred, integerWeights, quantizedBounds } from './integer-operands.ts'
import { chooseTile, type RightOperand } from './product-call.ts'
import { emitProduct, packConstant } from './product-step.ts'
import { broadcast, denseView, transposed } from './views.ts'

/** A matrix product with a shared constant right side, or one per batch. */
type Product = {
  readonly node: GraphNode
  readonly a: View
  readonly depth: number
  readonly epilogue: Epilogue
  readonly storage: 'f32' | 'i32' | 'i16'
  readonly zeroPoint?: number
}

function newEpilogue(node: GraphNode, isFloat: boolean): Epilogue {
  return { post: [], operands: [], result: node.outputs[0] ?? '', needsDense: false, isFloat }
}

export function lowerMatMul(node: GraphNode, state: GraphState): void {
  const [aId = '', bId = ''] = node.inputs
  const shape = state.shape(node.outputs[0] ?? '')
  const aView = withRank2(state.view(aId, node), 'left')
  const constant = state.constant(bId)
  const bShape = state.shape(bId)
  const columns = bShape.length === 1 ? 1 : (bShape.at(-1) ?? 1)
  const depth = aView.shape.at(-1) ?? 1
  const epilogue =
    bShape.length === 1 || state.shape(aId).length === 1
      ? newEpilogue(node, true)
      : absorbEpilogue(node, state, { columns, start: newEpilogue(node, true) })
  const product: Product = { node, a: state.out.withDenseRows(aView), depth, epilogue, storage: 'f32' }
  if (constant !== undefined && elementCount(bShape) === depth * columns) {
    const rows = elementCount(aView.shape.slice(0, -1))
    constantProduct(
      product,
      { arithmetic: 'f32', rows, source: { depth, columns, at: (k, n) => numberAt(constant.data, k * columns + n) } },
      state,
    )
    return
  }
  batchedProduct(product, withRank2(state.view(bId, node), 'right'), { shape, state })
}

export function lowerGemm(node: GraphNode, state: GraphState): void {
  if (node.operation.operator !== 'Gemm') return
  const { alpha, beta, transA, transB } = node.operation
  const [aId = '', bId = '', cId] = node.inputs
  const [, columns = 1] = state.shape(node.outputs[0] ?? '')
  const aView = transA ? transposed(state.view(aId, node), [1, 0]) : state.view(aId, node)
  const depth = aView.shape.at(-1) ?? 1
  const epilogue = newEpilogue(node, true)
  if (alpha !== 1) epilogue.post.push(scaleBy(Math.fround(alpha)))
  const c = state.constant(cId)
  if (
    cId !== undefined &&
    !(c !== undefined && (c.data.length === 1 || c.data.length === columns) && (c.shape.at(-1) ?? 1) === c.data.length)
  ) {
    throw new UnsupportedNodeError(node.name, 'Gemm', 'its C is not a constant with one value per column')
  }
  if (c !== undefined) {
    const values = Float32Array.from(c.data as Float32Array, (value) => (beta === 1 ? value : Math.fround(value * Math.fround(beta))))
    epilogue.post.push(binaryPost('f32x4.add', 'column'))
    epilogue.operands.push(columnOperand(values, columns))
  }
  absorbEpilogue(node, state, { columns, start: epilogue })
  const product: Product = { node, a: state.out.withDenseRows(aView), depth, epilogue, storage: 'f32' }
  const constant = state.constant(bId)
  if (constant === undefined) {
    const bView = transB ? transposed(state.view(bId, node), [1, 0]) : state.view(bId, node)
    batchedProduct(product, bView, { shape: state.shape(node.outputs[0] ?? ''), state })
    return
  }
  const at = transB
    ? (k: number, n: number) => numberAt(constant.data, n * depth + k)
    : (k: number, n: number) => numberAt(constant.data, k * columns + n)
  const rows = aView.shape[0] ?? 1
  constantProduct(product, { arithmetic: 'f32', rows, source: { depth, columns, at } }, state)
}

/** MatMulInteger, with the Cast, scales, bias and activation that usually follow it. */
export function lowerMatMulInteger(node: GraphNode, state: GraphState): void {
  const [aId = '', bId = '', aZero = '', bZero = ''] = node.inputs
  const columns = state.shape(bId).at(-1) ?? 1
  const epilogue = absorbEpilogue(node, state, { columns, start: newEpilogue(node, false) })
  const a = integerRows(aId, [bId, aZero], { node, state })
  const storage = epilogue.isFloat ? 'f32' : 'i32'
  integerProduct({ node, a, depth: a.shape.at(-1) ?? 1, epilogue, storage }, [bId, bZero], state)
}

/** a, a scale, a zero, b, b scale, b zero, y scale, y zero; scales and zero points constant. */
export function lowerQLinearMatMul(node: GraphNode, state: GraphState): void {
  const [aId = '', aScale, aZero = '', bId = '', bScale, bZero = '', yScale, yZero] = node.inputs
  const columns = state.shape(bId).at(-1) ?? 1
  const a = integerRows(aId, [bId, aZero], { node, state })
  const epilogue = newEpilogue(node, false)
  const zeroPoint = requantizeEpilogue({ node, state, columns, epilogue, scales: [aScale, bScale, yScale], yZero })
  integerProduct({ node, a, depth: a.shape.at(-1) ?? 1, epilogue, storage: 'i16', zeroPoint }, [bId, bZero], state)
}

/** The left side of an integer product; its units may stay permuted only where constant weights can follow them. */
function integerRows(
  aId: string,
  [bId, aZero]: readonly [string, string],
  context: { readonly node: GraphNode; readonly state: GraphState },
): View {
  const { state } = context
  const view = withRank2(centred(aId, aZero, context), 'left')
  return state.out.withDenseRows(state.constant(bId) === undefined ? state.out.restored(view) : view)
}

export type RequantizeRequest = {
  readonly node: GraphNode
  readonly state: GraphState
  readonly columns: number
  /** The first output channel, where scales are per channel. */
  readonly channel?: number
  readonly epilogue: Epilogue
  readonly scales: readonly [string | undefined, string | undefined, string | undefined]
  readonly yZero: string | undefined
}

/** ONNX's rescaling: float32(acc) * ((s_a s_b) / s_y), rounded and clamped around the output's zero point, which it returns. */
export function requantizeEpilogue({ node, state, columns, channel = 0, epilogue, scales, yZero }: RequantizeRequest): number {
  const [a, b, y] = scales.map((id) => state.constant(id))
  const zero = state.constant(yZero)
  if (a === undefined || b === undefined || y === undefined || zero === undefined)
    throw new UnsupportedNodeError(node.name, node.operation.operator, 'its scales and zero points are not constants')
  const [scaleA, scaleY] = [numberAt(a.data, 0), numberAt(y.data, 0)]
  const factors = Float32Array.from(b.data as Float32Array, (scale) => Math.fround(Math.fround(scaleA * scale) / scaleY))
  const zeroPoint = numberAt(zero.data, 0)
  const [low, high] = quantizedBounds(zero.elementType)
  epilogue.post.push(toFloat)
  if (factors.length === 1) epilogue.post.push(scaleBy(factors[0] ?? 1))
  else {
    epilogue.post.push(binaryPost('f32x4.mul', 'column'))
    epilogue.operands.push(columnOperand(factors.slice(channel, channel + columns), columns))
  }
  epilogue.post.push(roundToCentred(low - zeroPoint, high - zeroPoint))
  return zeroPoint
}

function integerProduct(product: Product, [bId, bZero]: readonly [string, string], state: GraphState): void {
  const { node, depth } = product
  const bShape = state.shape(bId)
  const columns = bShape.at(-1) ?? 1
  if (state.constant(bId) === undefined || elementCount(bShape) !== depth * columns) {
    const b = state.out.restored(centred(bId, bZero, { node, state }))
    batchedProduct(product, withRank2(b, 'right'), { shape: state.shape(node.outputs[0] ?? ''), state })
    return
  }
  const weights = integerWeights(bId, bZero, { node, state })
  const rows = elementCount(product.a.shape.slice(0, -1))
  constantProduct(
    product,
    { arithmetic: weights.arithmetic, rows, source: { depth, columns, at: (k, n) => weights.at(k * columns + n, n) } },
    state,
  )
}

type ConstantRight = { readonly arithmetic: RightOperand['arithmetic']; readonly rows: number; readonly source: PanelSource }

// In an obfuscated build columns are permuted where the next readers can take them so, and depth follows the input's units.
function constantProduct(product: Product, { arithmetic, rows, source }: ConstantRight, state: GraphState): void {
  const { columns } = source
  const places = canPermute(product.epilogue, state) ? state.out.obfuscator?.units(columns) : undefined
  const unitAt = places === undefined ? undefined : inverse(places)
  const inputAt = product.a.permutation === undefined ? undefined : inverse(product.a.permutation.places)
  const at = (k: number, n: number): number => source.at(inputAt?.[k] ?? k, unitAt?.[n] ?? n)
  sharedProduct(
    product,
    packConstant(state.out, arithmetic, { ...source, at }, chooseTile(rows, columns, arithmetic).vectors),
    state,
    places,
  )
}

function canPermute(epilogue: Epilogue, state: GraphState): boolean {
  if (epilogue.needsDense) return false
  let value = epilogue.result
  for (;;) {
    const reader = state.soleConsumer(value)
    if (reader === undefined || reader.inputs[0] !== value) return false
    const { operator } = reader.operation
    const constantRight = (node: GraphNode, place: number): boolean => state.constant(node.inputs[place]) !== undefined
    if (operator === 'DynamicQuantizeLinear')
      return state.consumers(reader.outputs[0] ?? '').every((next) => next.operation.operator === 'MatMulInteger' && constantRight(next, 1))
    if (operator === 'QLinearMatMul') return constantRight(reader, 3)
    if (operator === 'MatMul' || operator === 'Gemm') return constantRight(reader, 1)
    if (!isUnaryElementwise(reader, state)) return false
    value = reader.outputs[0] ?? ''
  }
}

/** The unit at each place. */
export function inverse(places: Int32Array): Int32Array {
  const units = new Int32Array(places.length)
  for (let unit = 0; unit < places.length; unit++) units[places[unit] ?? 0] = unit
  return units
}

function sharedProduct(product: Product, b: RightOperand, state: GraphState, places?: Int32Array): void {
  const { node, a, epilogue } = product
  const rowAxes = a.shape.length - 1
  const rows = allocateRows(product, b.columns, state)
  const output = places === undefined ? rows : { ...rows, permutation: { axis: rowAxes, places } }
  emitProduct(state.out, {
    name: node.operation.operator,
    rowShape: a.shape.slice(0, rowAxes),
    a: { view: a, offsetBytes: a.offsetBytes, rowStrides: a.strides.slice(0, rowAxes) },
    c: { view: output, offsetBytes: output.offsetBytes, rowStrides: output.strides.slice(0, rowAxes) },
    b,
    depth: { segments: [], run: depthUnits(product, b) },
    post: epilogue.post,
    operands: placeOperands(state.out, epilogue.operands, places),
  })
  state.finishValue(epilogue.result, restoreShape(output, state.shape(epilogue.result)), node.operation.operator)
}

function depthUnits({ depth }: Product, b: RightOperand): number {
  return b.arithmetic === 'f32' ? depth : Math.ceil(depth / 2)
}

type BatchContext = { readonly shape: readonly number[]; readonly state: GraphState }

function batchedProduct(product: Product, bView: View, { shape, state }: BatchContext): void {
  const { node, depth, epilogue } = product
  const columns = bView.shape.at(-1) ?? 1
  const rank = Math.max(product.a.shape.length, bView.shape.length)
  const batchShape = Array.from({ length: rank - 2 }, (_, axis) => {
    const at = (view: View): number => view.shape[axis - (rank - view.shape.length)] ?? 1
    return Math.max(at(product.a), at(bView))
  })
  const rows = product.a.shape.at(-2) ?? 1
  const a = broadcast(product.a, [...batchShape, rows, depth])
  const b = broadcast(bView, [...batchShape, depth, columns])
  const output = allocateRows({ ...product, a }, columns, state)
  const { vectors } = chooseTile(rows, columns)
  const batches = elementCount(batchShape)
  const operands = placeOperands(state.out, epilogue.operands)
  if (batches > 4096) throw new UnsupportedNodeError(node.name, node.operation.operator, `it has ${batches} batches`)
  let packed: RightOperand | undefined
  for (let batch = 0; batch < batches; batch++) {
    const [aOffset, bOffset, cOffset] = [a, b, output].map(
      (view) => view.offsetBytes + batchOffset(view, batchShape, batch) * storageBytes[view.storage],
    )
    const sameB = packed !== undefined && b.strides.slice(0, -2).every((stride) => stride === 0)
    const place = { offsetBytes: bOffset ?? 0, depth, columns, vectors }
    if (!sameB) packed = b.storage === 'i16' ? dynamicPairs(state, b, place) : dynamicRight(state, b, place)
    if (packed === undefined) continue
    emitProduct(state.out, {
      name: node.operation.operator,
      rowShape: [rows],
      a: { view: a, offsetBytes: aOffset ?? 0, rowStrides: [a.strides.at(-2) ?? 0] },
      c: { view: output, offsetBytes: cOffset ?? 0, rowStrides: [output.strides.at(-2) ?? 0] },
      b: packed,
      depth: { segments: [], run: depthUnits(product, packed) },
      post: epilogue.post,
      operands: batches === 1 ? operands : operands.map((operand) => batchOperand(operand, (cOffset ?? 0) - output.offsetBytes)),
    })
  }
  state.finishValue(
    epilogue.result,
    restoreShape(output, shape.length === state.shape(epilogue.result).length ? state.shape(epilogue.result) : shape),
    node.operation.operator,
  )
}

function batchOperand(operand: PlacedOperand, skipped: number): PlacedOperand {
  return operand.kind === 'distance' ? { ...operand, offsetBytes: operand.offsetBytes + skipped } : operand
}

function batchOffset(view: View, batchShape: readonly number[], batch: number): number {
  let rest = batch
  let offset = 0
  for (let axis = batchShape.length - 1; axis >= 0; axis--) {
    const size = batchShape[axis] ?? 1
    offset += (rest % size) * (view.strides[axis] ?? 0)
    rest = Math.floor(rest / size)
  }
  return offset
}

// Rows of a row-major matrix are read in place; anything else is packed first.
function dynamicRight(
  state: GraphState,
  b: View,
  options: { offsetBytes: number; depth: number; columns: number; vectors: number },
): RightOperand {
  const { offsetBytes, depth, columns, vectors } = options
  const [rowStride = 0, columnStride = 0] = b.strides.slice(-2)
  if (columnStride === 1 && rowStride >= 0 && columns % 4 === 0)
    return { region: b.region, offsetBytes, arithmetic: 'f32', columns, vectors, layout: { layout: 'rows', rowBytes: 4 * rowStride } }
  const { panels, restVectors } = splitColumns(columns, vectors)
  const region = state.out.region('transient', Math.ceil(columns / 4) * 16 * depth)
  const width = 4 * vectors
  const source = { ...b, offsetBytes }
  if (panels > 0) {
    const from = { ...source, shape: [panels, depth, Math.min(width, columns)], strides: [width * columnStride, rowStride, columnStride] }
    state.out.copy(from, { ...denseView(region, 'f32', [panels, depth, width]), shape: from.shape })
  }
  if (restVectors > 0) {
    const left = columns - panels * width
    const from = {
      ...source,
      offsetBytes: offsetBytes + 4 * panels * width * columnStride,
      shape: [depth, left],
      strides: [rowStride, columnStride],
    }
    const to = { ...denseView(region, 'f32', [depth, left]), offsetBytes: 4 * panels * width * depth, strides: [4 * restVectors, 1] }
    state.out.copy(from, to)
  }
  return { region, offsetBytes: 0, arithmetic: 'f32', columns, vectors, layout: { layout: 'packed' } }
}

// Integers in pairs of depth, as the kernel wants them: [panel][depth / 2][column][2], the last half pair of an odd depth zero.
function dynamicPairs(
  state: GraphState,
  b: View,
  options: { offsetBytes: number; depth: number; columns: number; vectors: number },
): RightOperand {
  const { offsetBytes, depth, columns, vectors } = options
  const [rowStride = 0, columnStride = 0] = b.strides.slice(-2)
  const { panels, restVectors } = splitColumns(columns, vectors)
  const [pairs, whole] = [Math.ceil(depth / 2), Math.floor(depth / 2)]
  const region = state.out.region('transient', Math.ceil(columns / 4) * 16 * pairs)
  if (depth % 2 !== 0) state.out.fill(region, new Uint8Array(16))
  const copyPanels = (count: number, width: number, first: number): void => {
    const used = Math.min(width, columns - first)
    const pair = [2 * rowStride, columnStride, rowStride]
    const source = { ...b, offsetBytes: offsetBytes + 2 * first * columnStride }
    const target = { ...denseView(region, 'i16', []), offsetBytes: 4 * first * pairs }
    const panelSteps = { from: width * columnStride, to: 2 * width * pairs }
    const copy = (from: { skip: number; shape: readonly number[] }): void =>
      state.out.copy(
        {
          ...source,
          offsetBytes: source.offsetBytes + 2 * from.skip * 2 * rowStride,
          shape: from.shape,
          strides: [panelSteps.from, ...pair],
        },
        {
          ...target,
          offsetBytes: target.offsetBytes + from.skip * 4 * width,
          shape: from.shape,
          strides: [panelSteps.to, 2 * width, 2, 1],
        },
      )
    if (whole > 0) copy({ skip: 0, shape: [count, whole, used, 2] })
    if (depth % 2 !== 0) copy({ skip: whole, shape: [count, 1, used, 1] })
  }
  if (panels > 0) copyPanels(panels, 4 * vectors, 0)
  if (restVectors > 0) copyPanels(1, 4 * restVectors, panels * 4 * vectors)
  return { region, offsetBytes: 0, arithmetic: 'int16', columns, vectors, layout: { layout: 'packed' } }
}

/**
 * Room for rows x columns results, rows padded to whole vectors. Where the only reader transposes all but the last axis, the
 * memory is laid out in its order, so that the transposition costs nothing.
 */
function allocateRows(product: Product, columns: number, state: GraphState): View {
  const { a, epilogue, storage } = product
  const shape = [...a.shape.slice(0, -1), columns]
  const padded = Math.ceil(columns / 4) * 4
  const next = epilogue.needsDense ? undefined : state.soleConsumer(epilogue.result)
  const perm = next?.operation.operator === 'Transpose' ? next.operation.perm : undefined
  const order = perm !== undefined && perm.length === shape.length && perm.at(-1) === shape.length - 1 ? perm : shape.map((_, axis) => axis)
  const strides = new Array<number>(shape.length).fill(1)
  let stride = 1
  for (const axis of [...order].reverse()) {
    strides[axis] = stride
    stride *= axis === shape.length - 1 ? padded : (shape[axis] ?? 1)
  }
  const region = state.out.region('transient', stride * storageBytes[storage])
  return { region, offsetBytes: 0, storage, zeroPoint: product.zeroPoint ?? 0, shape, strides }
}

/** Views of rank-1 operands as matrices. */
function withRank2(view: View, side: 'left' | 'right'): View {
  if (view.shape.length > 1) return view
  const [size = 1] = view.shape
  const [stride = 1] = view.strides
  return side === 'left' ? { ...view, shape: [1, size], strides: [0, stride] } : { ...view, shape: [size, 1], strides: [stride, 0] }
}

/** Drops the axes that rank-1 operands do not have, and adds those that an absorbed Add broadcast. */
function restoreShape(view: View, shape: readonly number[]): View {
  if (shape.length === view.shape.length) return view
  const kept = view.shape.map((size, axis) => ({ size, stride: view.strides[axis] ?? 0 }))
  const strides: number[] = []
  let at = 0
  for (const size of shape) {
    while (at < kept.length && kept[at]?.size === 1 && size !== 1) at++
    strides.push(kept[at++]?.stride ?? 0)
  }
  const { permutation } = view
  // The columns stay the last axis.
  return { ...view, shape, strides, ...(permutation === undefined ? {} : { permutation: { ...permutation, axis: shape.length - 1 } }) }
}
