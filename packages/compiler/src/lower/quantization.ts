// QuantizeLinear, DynamicQuantizeLinear, DequantizeLinear: floats to centred int16 and back.
import { elementCount, type ElementType, type GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import type { MapProgram } from '../kernels/map.ts'
import { splatF32 } from '../kernels/post-operation.ts'
import { buildDequantize, buildDynamicQuantize, buildQuantize } from '../kernels/quantize.ts'
import { binaryFunctions, type VectorFunction } from '../kernels/vector-math.ts'
import type { Region, View } from '../program/program.ts'
import { denseRows, rowCuts } from './cuts.ts'
import { allocateLike, mapCall } from './elementwise.ts'
import { dynamicZeroPoint, type GraphState } from './graph-state.ts'
import { centred, quantizedBounds } from './integer-operands.ts'
import { isRoundTrip } from './round-trip.ts'
import type { Call } from './kernel-call.ts'
import { numberAt } from './number-at.ts'
import { denseView } from './views.ts'

/** y keeps its zero point as an unknown: only what takes the same zero point again can read it. */
export function lowerDynamicQuantize(node: GraphNode, state: GraphState): void {
  const [yId = '', scaleId = '', zeroId = ''] = node.outputs
  const x = state.out.asDense(state.viewAsIs(node.inputs[0] ?? '', node))
  const count = elementCount(x.shape)
  const allowed = new Set(['MatMulInteger', 'ConvInteger'])
  const readers = state.consumers(yId)
  const zeroReaders = state.consumers(zeroId)
  if (
    readers.some((reader) => !allowed.has(reader.operation.operator) || reader.inputs[2] !== zeroId) ||
    zeroReaders.some((reader) => !readers.includes(reader))
  )
    throw new UnsupportedNodeError(
      node.name,
      'DynamicQuantizeLinear',
      'its result is read by something other than MatMulInteger or ConvInteger',
    )
  if ([yId, zeroId].some((id) => state.graph.outputs.includes(id)))
    throw new UnsupportedNodeError(node.name, 'DynamicQuantizeLinear', 'its result is an output of the graph')
  const output = {
    ...state.out.dense('i16', x.shape, dynamicZeroPoint),
    ...(x.permutation === undefined ? {} : { permutation: x.permutation }),
  }
  const parameters = state.out.region('transient', 16)
  state.out.call({
    name: 'DynamicQuantizeLinear',
    key: `dynamic quantize ${count}`,
    build: () => buildDynamicQuantize(count),
    arguments: [x, output, { region: parameters, offsetBytes: 0 }],
    reads: [x],
    writes: [output],
    writesRegions: [parameters],
  })
  state.define(yId, output)
  state.define(scaleId, denseView(parameters, 'f32', []))
  state.define(zeroId, { ...denseView(parameters, 'i32', []), offsetBytes: 4 })
}

export function lowerQuantize(node: GraphNode, state: GraphState): void {
  if (isRoundTrip(node, state.graph)) {
    lowerRoundTrip(node, state)
    return
  }
  const [xId = '', scaleId, zeroId] = node.inputs
  const [scale, zero] = [state.constant(scaleId), state.constant(zeroId)]
  const result = node.outputs[0] ?? ''
  const bounds = state.type(result).elementType
  if (scale?.data.length !== 1 || zero?.data.length !== 1 || (bounds !== 'uint8' && bounds !== 'int8'))
    throw new UnsupportedNodeError(node.name, 'QuantizeLinear', 'it is not to int8 or uint8 with one constant scale and zero point')
  const source = state.view(xId, node)
  if (source.storage !== 'f32') throw new UnsupportedNodeError(node.name, 'QuantizeLinear', `its input is ${source.storage}`)
  const zeroPoint = numberAt(zero.data, 0)
  const [low, high] = quantizedBounds(bounds)
  const constant = { scale: numberAt(scale.data, 0), lo: low - zeroPoint, hi: high - zeroPoint }
  const x = state.out.asDense(source)
  const output = state.out.dense('i16', x.shape, zeroPoint)
  emitElementwise(state, { x, output }, (count) => ({
    name: 'QuantizeLinear',
    key: `quantize ${JSON.stringify(constant)} ${count}`,
    build: () => buildQuantize(constant, count),
  }))
  state.finishValue(result, output, 'QuantizeLinear')
}

export function lowerDequantize(node: GraphNode, state: GraphState): void {
  const [xId = '', scaleId, zeroId = ''] = node.inputs
  const [scale, zero] = [state.constant(scaleId), state.constant(zeroId)]
  const result = node.outputs[0] ?? ''
  if (scale?.data.length !== 1 || zero?.data.length !== 1)
    throw new UnsupportedNodeError(node.name, 'DequantizeLinear', 'it has more than one scale, or one that is not constant')
  const x = state.out.asDense(state.out.restored(centred(xId, zeroId, { node, state })))
  const output = state.out.dense('f32', x.shape)
  const factor = numberAt(scale.data, 0)
  emitElementwise(state, { x, output }, (count) => ({
    name: 'DequantizeLinear',
    key: `dequantize ${factor} ${count}`,
    build: () => buildDequantize(factor, count),
  }))
  state.finishValue(result, output, 'DequantizeLinear')
}

/** The bounds of a quantised type, 16 bits included. */
function wideBounds(elementType: ElementType): readonly [number, number] {
  if (elementType === 'int16') return [-32768, 32767]
  return elementType === 'uint16' ? [0, 65535] : quantizedBounds(elementType)
}

/** A quantised value that is only ever dequantised again: nearest(x / scale) within bounds, times scale, in one pass over floats. */
function lowerRoundTrip(node: GraphNode, state: GraphState): void {
  const { operation } = node
  const [xId = '', scaleId, zeroId] = node.inputs
  const [scale, zero] = [state.constant(scaleId), state.constant(zeroId)]
  const [divide, multiply] = [binaryFunctions['Div'], binaryFunctions['Mul']]
  if (operation.operator !== 'QuantizeLinear' || scale === undefined || zero === undefined || !divide || !multiply) return
  const x = state.view(xId, node)
  const quantized = node.outputs[0] ?? ''
  const zeroPoint = numberAt(zero.data, 0)
  const [low, high] = wideBounds(state.type(quantized).elementType)
  const scales = along(state.out.constant(Float32Array.from(scale.data as Float32Array)), {
    axis: operation.axis,
    shape: x.shape,
    count: scale.data.length,
  })
  const program: MapProgram = {
    operands: 2,
    instructions: [
      { function: divide, inputs: [0, 1] },
      { function: roundWithin(low - zeroPoint, high - zeroPoint), inputs: [2] },
      { function: multiply, inputs: [3, 1] },
    ],
  }
  const output = allocateLike(state, [x], x.shape)
  state.out.call(mapCall('QuantizeLinear', program, { views: [x, scales], output }))
  const [first, ...rest] = state.consumers(quantized).map((reader) => {
    state.finish(reader)
    return reader.outputs[0] ?? ''
  })
  for (const id of rest) state.define(id, output)
  state.finishValue(first ?? '', output, 'QuantizeLinear')
}

/** One number for all, or one per index of an axis, spread over a shape. */
function along(region: Region, { axis, shape, count }: { axis: number; shape: readonly number[]; count: number }): View {
  const strides = shape.map((_, other) => (count > 1 && other === axis ? 1 : 0))
  return { region, offsetBytes: 0, storage: 'f32', zeroPoint: 0, shape, strides }
}

/** clamp(nearest(x), lo, hi) with NaN as 0 and no negative zero. */
function roundWithin(lo: number, hi: number): VectorFunction {
  return {
    key: `round within ${lo} ${hi}`,
    emit: (f, [x = 0]) => {
      const rounded = f.local('v128')
      f.get(x).op('f32x4.nearest').set(rounded)
      f.get(rounded).get(rounded).get(rounded).op('f32x4.eq', 'v128.and')
      f.v128(splatF32(lo)).op('f32x4.max').v128(splatF32(hi)).op('f32x4.min').v128(splatF32(0)).op('f32x4.add')
    },
  }
}

// Over dense views, any stretch of consecutive elements alone.
function emitElementwise(
  state: GraphState,
  { x, output }: { readonly x: View; readonly output: View },
  kernel: (count: number) => Pick<Call, 'name' | 'key' | 'build'>,
): void {
  const part = (source: View, target: View): Call => ({
    ...kernel(elementCount(source.shape)),
    arguments: [source, target],
    reads: [source],
    writes: [target],
  })
  const cuts = rowCuts(x.shape, (firstRow, rows) =>
    part(denseRows(x, { firstRow, rows, size: 1 }), denseRows(output, { firstRow, rows, size: 1 })),
  )
  state.out.call({ ...part(x, output), cuts })
}
