// Row operators: reductions, softmax, layer and batch normalisation.
import { elementCount, type GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import type { MapProgram } from '../kernels/map.ts'
import { buildNormalization, buildRowReduction, type RowReduction } from '../kernels/rows.ts'
import { buildSoftmax } from '../kernels/softmax.ts'
import { binaryFunctions } from '../kernels/vector-math.ts'
import type { View } from '../program/program.ts'
import { denseRows, rowCuts } from './cuts.ts'
import { mapCall } from './elementwise.ts'
import type { GraphState } from './graph-state.ts'
import type { Call } from './kernel-call.ts'
import { numberAt } from './number-at.ts'
import { lowerIntegerReduction } from './selection.ts'
import { broadcast, reshaped, transposed } from './views.ts'

function assertFloat(view: View, node: GraphNode): View {
  if (view.storage !== 'f32') throw new UnsupportedNodeError(node.name, node.operation.operator, `its input is ${view.storage}`)
  return view
}

export function lowerReduction(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (!('axes' in operation)) return
  const x = state.view(node.inputs[0] ?? '', node)
  if (x.storage !== 'f32') {
    lowerIntegerReduction(node, state, x)
    return
  }
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !operation.axes.includes(axis))
  const rows = state.out.asDense(transposed(x, [...kept, ...operation.axes]))
  const size = elementCount(operation.axes.map((axis) => x.shape[axis] ?? 1))
  const result = node.outputs[0] ?? ''
  const output = state.out.dense('f32', state.shape(result))
  const kind = operation.operator as RowReduction // the only operators with axes
  const part = (x: View, y: View): Call => {
    const shape = { rows: elementCount(y.shape), size }
    return {
      name: kind,
      key: `${kind} ${shape.rows} ${size}`,
      build: () => buildRowReduction(kind, shape),
      arguments: [x, y],
      reads: [x],
      writes: [y],
    }
  }
  const cuts = rowCuts(rows.shape.slice(0, kept.length), (firstRow, count) =>
    part(denseRows(rows, { firstRow, rows: count, size }), denseRows(output, { firstRow, rows: count, size: 1 })),
  )
  state.out.call({ ...part(rows, output), costNs: elementCount(rows.shape) * 0.3, cuts })
  state.finishValue(result, output, kind)
}

export function lowerSoftmax(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'Softmax' && operation.operator !== 'LogSoftmax') return
  const { operator: kind, axis } = operation
  const x = assertFloat(state.view(node.inputs[0] ?? '', node), node)
  const last = x.shape.length - 1
  const order = [...x.shape.keys()].filter((other) => other !== axis).concat(axis)
  const rows = state.out.asDense(axis === last ? x : transposed(x, order))
  const size = x.shape[axis] ?? 1
  const output = state.out.dense('f32', rows.shape)
  const part = (x: View, y: View): Call => {
    const shape = { rows: elementCount(x.shape) / Math.max(size, 1), size }
    return {
      name: kind,
      key: `${kind} ${shape.rows} ${size}`,
      build: () => buildSoftmax(kind, shape),
      arguments: [x, y],
      reads: [x],
      writes: [y],
    }
  }
  const cuts = rowCuts(rows.shape.slice(0, -1), (firstRow, count) =>
    part(denseRows(rows, { firstRow, rows: count, size }), denseRows(output, { firstRow, rows: count, size })),
  )
  state.out.call({ ...part(rows, output), costNs: elementCount(rows.shape) * 2.5, cuts })
  const restored =
    axis === last
      ? output
      : transposed(
          output,
          [...x.shape.keys()].map((other) => order.indexOf(other)),
        )
  state.finishValue(node.outputs[0] ?? '', restored, kind)
}

export function lowerNormalization(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'LayerNormalization' && operation.operator !== 'RMSNormalization') return
  const [xId = '', scaleId = '', biasId] = node.inputs
  const x = state.out.asDense(assertFloat(state.view(xId, node), node))
  const size = elementCount(x.shape.slice(operation.axis))
  const inner = x.shape.slice(operation.axis)
  const parameter = (id: string): View => state.out.asDense(broadcast(state.view(id, node), inner))
  const scale = parameter(scaleId)
  const bias = biasId === undefined ? undefined : parameter(biasId)
  const output = state.out.dense('f32', x.shape)
  const part = (source: View, target: View): Call => {
    const shape = {
      rows: elementCount(source.shape) / Math.max(size, 1),
      size,
      centred: operation.operator === 'LayerNormalization',
      bias: bias !== undefined,
      epsilon: Math.fround(operation.epsilon),
    }
    return {
      name: operation.operator,
      key: `normalization ${JSON.stringify(shape)}`,
      build: () => buildNormalization(shape),
      arguments: [source, target, scale, bias ?? scale],
      reads: [source, scale, ...(bias === undefined ? [] : [bias])],
      writes: [target],
    }
  }
  const cuts = rowCuts(x.shape.slice(0, operation.axis), (firstRow, count) =>
    part(denseRows(x, { firstRow, rows: count, size }), denseRows(output, { firstRow, rows: count, size })),
  )
  state.out.call({ ...part(x, output), costNs: elementCount(x.shape) * 0.3, cuts })
  state.finishValue(node.outputs[0] ?? '', output, operation.operator)
}

/** x * a + b per channel, with a = scale / sqrt(variance + epsilon) and b = bias - mean * a computed now. */
export function lowerBatchNormalization(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'BatchNormalization') return
  const [xId = '', ...parameters] = node.inputs
  const [scale, bias, mean, variance] = parameters.map((id) => state.constant(id)?.data)
  if (scale === undefined || bias === undefined || mean === undefined || variance === undefined)
    throw new UnsupportedNodeError(node.name, operation.operator, 'its parameters are not constants')
  const f32 = Math.fround
  const epsilon = f32(operation.epsilon)
  const a = Float32Array.from(scale as Float32Array, (value, c) => f32(value / f32(Math.sqrt(f32(numberAt(variance, c) + epsilon)))))
  const b = Float32Array.from(a, (value, c) => f32(numberAt(bias, c) - f32(numberAt(mean, c) * value)))
  const x = assertFloat(state.view(xId, node), node)
  const perChannel = (values: Float32Array): View => {
    const region = state.out.constant(values)
    const strides = x.shape.map((_, axis) => (axis === 1 || x.shape.length === 1 ? 1 : 0))
    return { region, offsetBytes: 0, storage: 'f32', zeroPoint: 0, shape: x.shape, strides }
  }
  const [multiply, add] = [binaryFunctions['Mul'], binaryFunctions['Add']]
  if (multiply === undefined || add === undefined) return
  const program: MapProgram = {
    operands: 3,
    instructions: [
      { function: multiply, inputs: [0, 1] },
      { function: add, inputs: [3, 2] },
    ],
  }
  const views = [x, perChannel(a), perChannel(b)]
  const output = state.out.dense('f32', x.shape)
  const target = sameOrder(x, output)
  state.out.call(mapCall('BatchNormalization', program, { views, output: target }))
  state.finishValue(node.outputs[0] ?? '', target, operation.operator)
}

/** `output` with its axes in memory as those of `model`. */
function sameOrder(model: View, output: View): View {
  const axes = [...output.shape.keys()].sort((p, q) => (model.strides[q] ?? 0) - (model.strides[p] ?? 0) || p - q)
  const physical = reshaped(
    output,
    axes.map((axis) => output.shape[axis] ?? 1),
  )
  return physical === undefined
    ? output
    : transposed(
        physical,
        [...output.shape.keys()].map((axis) => axes.indexOf(axis)),
      )
}
