// ArgMax, TopK, Scatter, and reductions of integers.
import { elementCount, type GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { buildArgExtreme, buildIntegerReduction, buildScatter, buildTopK, type IntegerReduction } from '../kernels/selection.ts'
import { storageBytes, type View } from '../program/program.ts'
import type { GraphState } from './graph-state.ts'
import { denseView, transposed } from './views.ts'

/** Elements as they are, without a zero point taken off. */
function assertPlain(view: View, node: GraphNode): View {
  if (view.storage === 'i16') throw new UnsupportedNodeError(node.name, node.operation.operator, 'its input is a quantised activation')
  return view
}

/** The axis last, rows dense. */
function rowsAlong(x: View, axis: number, state: GraphState): View {
  const order = [...x.shape.keys()].filter((other) => other !== axis).concat(axis)
  return state.out.asDense(transposed(x, order))
}

export function lowerArgExtreme(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'ArgMax' && operation.operator !== 'ArgMin') return
  const { operator: kind, axis } = operation
  // The order of centred values is the order of the values.
  const x = state.view(node.inputs[0] ?? '', node)
  const rows = rowsAlong(x, axis, state)
  const size = x.shape[axis] ?? 1
  const form = { rows: elementCount(x.shape) / Math.max(size, 1), size, storage: x.storage }
  const result = node.outputs[0] ?? ''
  const output = state.out.dense('i64', state.shape(result))
  state.out.call({
    name: kind,
    key: `${kind} ${JSON.stringify(form)}`,
    build: () => buildArgExtreme(kind, form),
    arguments: [rows, output],
    reads: [rows],
    writes: [output],
  })
  state.finishValue(result, output, kind)
}

export function lowerTopK(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'TopK') return
  const { axis, k, largest } = operation
  const x = assertPlain(state.view(node.inputs[0] ?? '', node), node)
  const rows = rowsAlong(x, axis, state)
  const size = x.shape[axis] ?? 1
  const form = { rows: elementCount(x.shape) / Math.max(size, 1), size, storage: x.storage, k, largest }
  const order = [...x.shape.keys()].filter((other) => other !== axis).concat(axis)
  const [values, indices] = [x.storage, 'i64' as const].map((storage) =>
    state.out.dense(
      storage,
      order.map((other) => (other === axis ? k : (x.shape[other] ?? 1))),
    ),
  )
  if (values === undefined || indices === undefined) return
  const flags = state.out.region('transient', size)
  state.out.call({
    name: 'TopK',
    key: `top ${JSON.stringify(form)}`,
    build: () => buildTopK(form),
    arguments: [rows, values, indices, { region: flags, offsetBytes: 0 }],
    reads: [rows],
    writes: [values, indices],
    writesRegions: [flags],
  })
  const back = [...x.shape.keys()].map((other) => order.indexOf(other))
  const [valuesId, indicesId] = node.outputs
  if (indicesId !== undefined) state.define(indicesId, transposed(indices, back))
  if (valuesId !== undefined) state.finishValue(valuesId, transposed(values, back), 'TopK')
}

export function lowerScatter(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'Scatter') return
  const [data, indices, updates] = node.inputs.map((id) => assertPlain(state.view(id, node), node))
  if (data === undefined || indices === undefined || updates === undefined) return
  const [rows = 0, width = 1] = data.shape
  const count = elementCount(indices.shape)
  const output = state.out.dense(data.storage, data.shape)
  state.out.copy(data, output)
  const [places, values] = [state.out.asDense(indices), state.out.asDense(updates)]
  const form = { rows, width, count, storage: data.storage, reduction: operation.reduction }
  if (count > 0 && rows > 0)
    state.out.call({
      name: 'Scatter',
      key: `scatter ${JSON.stringify(form)}`,
      build: () => buildScatter(form),
      arguments: [output, places, values],
      reads: [places, values, output],
      writes: [output],
    })
  state.finishValue(node.outputs[0] ?? '', output, 'Scatter')
}

export function lowerIntegerReduction(node: GraphNode, state: GraphState, x: View): void {
  const { operation } = node
  if (!('axes' in operation)) return
  if (operation.operator === 'ReduceL2') throw new UnsupportedNodeError(node.name, operation.operator, 'its input is not float32')
  const plain = assertPlain(x, node)
  const kept = [...x.shape.keys()].filter((axis) => !operation.axes.includes(axis))
  const rows = state.out.asDense(transposed(plain, [...kept, ...operation.axes]))
  const size = elementCount(operation.axes.map((axis) => x.shape[axis] ?? 1))
  const kind: IntegerReduction = operation.operator
  const form = { rows: elementCount(kept.map((axis) => x.shape[axis] ?? 1)), size, storage: x.storage }
  const result = node.outputs[0] ?? ''
  const output = denseView(
    state.out.region('transient', elementCount(state.shape(result)) * storageBytes[x.storage]),
    x.storage,
    state.shape(result),
  )
  state.out.call({
    name: kind,
    key: `integer ${kind} ${JSON.stringify(form)}`,
    build: () => buildIntegerReduction(kind, form),
    arguments: [rows, output],
    reads: [rows],
    writes: [output],
  })
  state.finishValue(result, output, kind)
}
