// QuantizeLinear, DynamicQuantizeLinear, DequantizeLinear: floats to centred int16 and back.
import { elementCount, type GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { buildDequantize, buildDynamicQuantize, buildQuantize } from '../kernels/quantize.ts'
import type { View } from '../program/program.ts'
import { denseRows, rowCuts } from './cuts.ts'
import { dynamicZeroPoint, type GraphState } from './graph-state.ts'
import { centred, quantizedBounds } from './integer-operands.ts'
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
