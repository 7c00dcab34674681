// Operators that only move elements: most become other views of the same memory.
import { elementCount, type GraphNode, stridesOf } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { storageBytes, type View } from '../program/program.ts'
import { buildGather } from '../kernels/gather.ts'
import { splatF32 } from '../kernels/post-operation.ts'
import type { GraphState } from './graph-state.ts'
import { numberAt } from './number-at.ts'
import { broadcast, reshaped, sliced, transposed } from './views.ts'

export function lowerMovement(node: GraphNode, state: GraphState): void {
  const { operation } = node
  const [xId = ''] = node.inputs
  const result = node.outputs[0] ?? ''
  const shape = state.shape(result)
  const finish = (view: View): void => state.finishValue(result, view, operation.operator)
  switch (operation.operator) {
    case 'Reshape': {
      const x = state.view(xId, node)
      return finish(reshaped(x, shape) ?? { ...state.out.asDense(x), shape, strides: stridesOf(shape) })
    }
    case 'Transpose':
      return finish(transposed(state.view(xId, node), operation.perm))
    case 'Expand':
      return finish(broadcast(state.view(xId, node), shape))
    case 'Slice':
      return finish(sliced(state.view(xId, node), { starts: operation.starts, steps: operation.steps, shape }))
    case 'Split':
      return lowerSplit(node, state, operation.axis)
    case 'Concat':
      return finish(concatenate(node, state, operation.axis))
    case 'Tile':
      return finish(tiled(node, state, operation.repeats))
    case 'Pad':
      return finish(padded(node, state))
    case 'Gather':
      return finish(gathered(node, state, operation.axis))
    default:
      throw new UnsupportedNodeError(node.name, operation.operator, 'it does not only move elements')
  }
}

function lowerSplit(node: GraphNode, state: GraphState, axis: number): void {
  const x = state.view(node.inputs[0] ?? '', node)
  let start = 0
  for (const output of node.outputs) {
    const shape = state.shape(output)
    const starts = shape.map((_, other) => (other === axis ? start : 0))
    state.define(output, sliced(x, { starts, steps: shape.map(() => 1), shape }))
    start += shape[axis] ?? 0
  }
}

/** A dense output of the type and storage that the inputs have. */
function sameStorage(state: GraphState, x: View, shape: readonly number[]): View {
  return state.out.dense(x.storage, shape, x.zeroPoint)
}

function concatenate(node: GraphNode, state: GraphState, axis: number): View {
  const views = node.inputs.map((id) => state.view(id, node))
  const [first] = views
  if (first === undefined || views.some((view) => view.storage !== first.storage || !Object.is(view.zeroPoint, first.zeroPoint)))
    throw new UnsupportedNodeError(node.name, 'Concat', 'its inputs are quantised differently')
  const output = sameStorage(state, first, state.shape(node.outputs[0] ?? ''))
  let start = 0
  for (const view of views) {
    const starts = view.shape.map((_, other) => (other === axis ? start : 0))
    if (elementCount(view.shape) > 0) state.out.copy(view, sliced(output, { starts, steps: view.shape.map(() => 1), shape: view.shape }))
    start += view.shape[axis] ?? 0
  }
  return output
}

function tiled(node: GraphNode, state: GraphState, repeats: readonly number[]): View {
  const x = state.view(node.inputs[0] ?? '', node)
  const shape = state.shape(node.outputs[0] ?? '')
  const output = sameStorage(state, x, shape)
  // One axis of repeats before each axis of x: the copies are broadcasts.
  const interleaved = x.shape.flatMap((size, axis) => [repeats[axis] ?? 1, size])
  const from = { ...x, shape: interleaved, strides: x.strides.flatMap((stride) => [0, stride]) }
  const to = { ...output, shape: interleaved, strides: output.strides.flatMap((stride, axis) => [stride * (x.shape[axis] ?? 1), stride]) }
  state.out.copy(from, to)
  return output
}

function padded(node: GraphNode, state: GraphState): View {
  const { operation } = node
  if (operation.operator !== 'Pad') throw new UnsupportedNodeError(node.name, operation.operator, 'it is not a Pad')
  const x = state.view(node.inputs[0] ?? '', node)
  const shape = state.shape(node.outputs[0] ?? '')
  const rank = shape.length
  if (operation.mode !== 'constant') return gatherAxes(node, state, { x, shape })
  if (x.storage === 'i16') throw new UnsupportedNodeError(node.name, 'Pad', 'its input is quantised')
  const output = sameStorage(state, x, shape)
  if (x.storage !== 'f32' && operation.value !== 0)
    throw new UnsupportedNodeError(node.name, 'Pad', `it pads ${x.storage} with a value other than 0`)
  state.out.fill(output.region, splatF32(operation.value))
  // Negative pads crop: the part of x that lies inside the output.
  const before = operation.pads.slice(0, rank)
  const starts = before.map((pad) => Math.max(-pad, 0))
  const inside = x.shape.map((size, axis) => Math.max(Math.min(size, (shape[axis] ?? 1) - (before[axis] ?? 0)) - (starts[axis] ?? 0), 0))
  if (elementCount(inside) === 0) return output
  const from = sliced(x, { starts, steps: inside.map(() => 1), shape: inside })
  state.out.copy(from, sliced(output, { starts: before.map((pad) => Math.max(pad, 0)), steps: inside.map(() => 1), shape: inside }))
  return output
}

// Padding with the tensor's own elements, one axis after the other.
function gatherAxes(node: GraphNode, state: GraphState, { x, shape }: { x: View; shape: readonly number[] }): View {
  const { operation } = node
  if (operation.operator !== 'Pad') return x
  let current = x
  for (const [axis, size] of shape.entries()) {
    const source = current.shape[axis] ?? 1
    if (size === source && (operation.pads[axis] ?? 0) === 0) continue
    const target = sameStorage(
      state,
      current,
      current.shape.map((other, at) => (at === axis ? size : other)),
    )
    for (let position = 0; position < size; position++) {
      const from = padSource(position - (operation.pads[axis] ?? 0), source, operation.mode)
      copySlice(state, { from: current, to: target, axis, fromIndex: from, toIndex: position })
    }
    current = target
  }
  return current
}

function padSource(at: number, size: number, mode: string): number {
  if (at >= 0 && at < size) return at
  if (mode === 'edge') return at < 0 ? 0 : size - 1
  if (mode === 'wrap') return ((at % size) + size) % size
  if (size === 1) return 0
  const period = 2 * (size - 1)
  const folded = ((at % period) + period) % period
  return folded < size ? folded : period - folded
}

type SliceCopy = { readonly from: View; readonly to: View; readonly axis: number; readonly fromIndex: number; readonly toIndex: number }

function copySlice(state: GraphState, { from, to, axis, fromIndex, toIndex }: SliceCopy): void {
  const shape = from.shape.map((size, other) => (other === axis ? 1 : size))
  const at = (view: View, index: number): View =>
    sliced(view, { starts: shape.map((_, other) => (other === axis ? index : 0)), steps: shape.map(() => 1), shape })
  state.out.copy(at(from, fromIndex), at(to, toIndex))
}

// Constant indices: one copy each, or one for all where they are evenly spaced.
function gathered(node: GraphNode, state: GraphState, axis: number): View {
  const [dataId = '', indicesId = ''] = node.inputs
  const indices = state.constant(indicesId)
  const data = state.view(dataId, node)
  const shape = state.shape(node.outputs[0] ?? '')
  if (indices === undefined) return gatherAtRunTime(node, state, axis)
  const size = data.shape[axis] ?? 1
  const chosen = Array.from({ length: indices.data.length }, (_, i) => numberAt(indices.data, i)).map((index) =>
    index < 0 ? index + size : index,
  )
  const flatShape = [...data.shape.slice(0, axis), chosen.length, ...data.shape.slice(axis + 1)]
  const output = sameStorage(state, data, shape)
  const flat = { ...output, shape: flatShape, strides: stridesOf(flatShape) }
  const step = (chosen[1] ?? 0) - (chosen[0] ?? 0)
  if (chosen.length > 1 && chosen.every((index, i) => index === (chosen[0] ?? 0) + i * step)) {
    const starts = flatShape.map((_, other) => (other === axis ? (chosen[0] ?? 0) : 0))
    state.out.copy(sliced(data, { starts, steps: flatShape.map((_, other) => (other === axis ? step : 1)), shape: flatShape }), flat)
    return output
  }
  for (const [i, index] of chosen.entries()) copySlice(state, { from: data, to: flat, axis, fromIndex: index, toIndex: i })
  return output
}

// Indices known only at run time: each row is found by its index; one outside the axis gives the nearest row, since nothing may trap.
function gatherAtRunTime(node: GraphNode, state: GraphState, axis: number): View {
  const [dataId = '', indicesId = ''] = node.inputs
  const data = state.out.asDense(state.view(dataId, node))
  const indices = state.out.asDense(state.view(indicesId, node))
  if (indices.storage !== 'i64' && indices.storage !== 'i32')
    throw new UnsupportedNodeError(node.name, 'Gather', `its indices are ${indices.storage}`)
  const shape = state.shape(node.outputs[0] ?? '')
  const output = sameStorage(state, data, shape)
  const rows = {
    outer: elementCount(data.shape.slice(0, axis)),
    size: data.shape[axis] ?? 1,
    innerBytes: elementCount(data.shape.slice(axis + 1)) * storageBytes[data.storage],
    count: elementCount(indices.shape),
    wide: indices.storage === 'i64',
  }
  state.out.call({
    name: 'Gather',
    key: `gather ${JSON.stringify(rows)}`,
    build: () => buildGather(rows),
    arguments: [data, indices, output],
    reads: [data, indices],
    writes: [output],
  })
  return output
}
