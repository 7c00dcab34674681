// Float elementwise operators; chains of them, each the only reader of the one before, become one kernel.
import { elementCount, type GraphNode, type Operation, sameShape, type ValueId } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { buildMap, type MapProgram, mapKey } from '../kernels/map.ts'
import {
  binaryFunctions,
  clip,
  elu,
  gelu,
  hardSigmoid,
  leakyRelu,
  powerBy,
  unaryFunctions,
  type VectorFunction,
} from '../kernels/vector-math.ts'
import { storageBytes, type View } from '../program/program.ts'
import { stretch, walkCuts } from './cuts.ts'
import type { GraphState } from './graph-state.ts'
import type { Call } from './kernel-call.ts'
import { numberAt } from './number-at.ts'
import { broadcast, transposed } from './views.ts'

/** The vector function of a node and which of its inputs are operands, or undefined if there is none. */
function vectorFunction(
  node: GraphNode,
  state: GraphState,
): { readonly function: VectorFunction; readonly operands: readonly ValueId[] } | undefined {
  const { operation } = node
  if ([...node.inputs.slice(0, 1), ...node.outputs].some((id) => state.type(id).elementType !== 'float32')) return undefined
  if (operation.operator === 'Pow') {
    const exponent = state.constant(node.inputs[1])
    if (exponent?.data.length !== 1) return undefined
    return { function: powerBy(numberAt(exponent.data, 0)), operands: node.inputs.slice(0, 1) }
  }
  const found = parameterized(operation) ?? unaryFunctions[operation.operator] ?? binaryFunctions[operation.operator]
  return found === undefined ? undefined : { function: found, operands: node.inputs }
}

function parameterized(operation: Operation): VectorFunction | undefined {
  switch (operation.operator) {
    case 'LeakyRelu':
      return leakyRelu(Math.fround(operation.alpha))
    case 'Elu':
      return elu(Math.fround(operation.alpha))
    case 'HardSigmoid':
      return hardSigmoid(Math.fround(operation.alpha), Math.fround(operation.beta))
    case 'Gelu':
      return gelu(operation.approximate)
    case 'Clip':
      return clip(operation.min, operation.max)
    default:
      return undefined
  }
}

/** Whether a node reads one float tensor and nothing else, so that it does not matter in which order elements lie. */
export function isUnaryElementwise(node: GraphNode, state: GraphState): boolean {
  const found = vectorFunction(node, state)
  return found !== undefined && new Set(found.operands).size === 1
}

/** Whether `lowerElementwise` can do a node. */
export function isFloatElementwise(node: GraphNode, state: GraphState): boolean {
  return vectorFunction(node, state) !== undefined
}

export function lowerElementwise(node: GraphNode, state: GraphState): void {
  const chain = collectChain(node, state)
  const last = chain.at(-1) ?? node
  const result = last.outputs[0] ?? ''
  const shape = state.shape(result)
  const operands: ValueId[] = []
  const operand = (id: ValueId): number => {
    if (!operands.includes(id)) operands.push(id)
    return operands.indexOf(id)
  }
  const produced = new Map<ValueId, number>()
  const lines = chain.map((link, index) => {
    const found = vectorFunction(link, state)
    if (found === undefined)
      throw new UnsupportedNodeError(link.name, link.operation.operator, 'it is not an elementwise operator on floats')
    const inputs = found.operands.map((id) => produced.get(id) ?? -1 - operand(id))
    produced.set(link.outputs[0] ?? '', index)
    return { function: found.function, inputs }
  })
  const program: MapProgram = {
    operands: operands.length,
    instructions: lines.map((line, index) => ({
      function: line.function,
      inputs: line.inputs.map((input) => (input < 0 ? -1 - input : operands.length + Math.min(input, index))),
    })),
  }
  // One operand: permuted units stay where they are. Several must agree, so they are put back in order.
  const [only] = operands.length === 1 ? operands : []
  const views = only === undefined ? operands.map((id) => state.view(id, node)) : [state.viewAsIs(only, node)]
  emitMap(
    program,
    views.map((view) => broadcast(view, shape)),
    { state, result, operator: node.operation.operator },
  )
}

// Followers whose other operands exist already and whose shape stays the same.
function collectChain(node: GraphNode, state: GraphState): readonly GraphNode[] {
  const chain = [node]
  const waiting = new Set(chain)
  let current = node.outputs[0] ?? ''
  for (;;) {
    const next = state.soleConsumer(current)
    if (next === undefined || state.isDone(next) || vectorFunction(next, state) === undefined) return chain
    const output = next.outputs[0] ?? ''
    if (!sameShape(state.shape(output), state.shape(current)) || chain.length >= 12) return chain
    const others = next.inputs.filter((id) => id !== current)
    if (!others.every((id) => state.ensure(id, waiting) && state.view(id, next).storage === 'f32')) return chain
    state.finish(next)
    chain.push(next)
    waiting.add(next)
    current = output
  }
}

type MapTarget = { readonly state: GraphState; readonly result: ValueId; readonly operator: string }

function emitMap(program: MapProgram, views: readonly View[], { state, result, operator }: MapTarget): void {
  const permutation = views.length === 1 ? views[0]?.permutation : undefined
  const output = { ...allocateLike(state, views, state.shape(result)), ...(permutation === undefined ? {} : { permutation }) }
  state.out.call(mapCall(operator, program, { views, output }))
  state.finishValue(result, output, operator)
}

type MapViews = { readonly views: readonly View[]; readonly output: View }

/** An elementwise program over views of one shape. */
export function mapCall(name: string, program: MapProgram, given: MapViews): Call {
  const views = inMemoryOrder(given)
  const part = ({ views: inputs, output }: MapViews): Call => {
    const space = { shape: output.shape, inputs: inputs.map(({ strides }) => strides), output: output.strides }
    return {
      name,
      key: mapKey(program, space),
      build: () => buildMap(program, space),
      arguments: [...inputs, output],
      reads: inputs,
      writes: [output],
    }
  }
  const cuts = walkCuts(views.output.shape, (axis, range) =>
    part({ views: views.views.map((view) => stretch(view, axis, range)), output: stretch(views.output, axis, range) }),
  )
  return { ...part(views), cuts }
}

/** Axes in the order in which the result lies in memory, so that vectors run along consecutive elements: channels of an image, say. */
function inMemoryOrder({ views, output }: MapViews): MapViews {
  const order = [...output.shape.keys()].sort((a, b) => Math.abs(output.strides[b] ?? 0) - Math.abs(output.strides[a] ?? 0) || a - b)
  return { views: views.map((view) => transposed(view, order)), output: transposed(output, order) }
}

/** A dense view with the axis order in memory of the largest operand, so that kernels walk both in the same order. */
export function allocateLike(state: GraphState, views: readonly View[], shape: readonly number[]): View {
  const model = views.find((view) => view.strides.every((stride, axis) => stride !== 0 || (shape[axis] ?? 1) === 1))
  const axes = shape.map((_, axis) => axis)
  if (model !== undefined) axes.sort((a, b) => Math.abs(model.strides[b] ?? 0) - Math.abs(model.strides[a] ?? 0) || a - b)
  const strides = new Array<number>(shape.length).fill(1)
  let stride = 1
  for (const axis of [...axes].reverse()) {
    strides[axis] = stride
    stride *= shape[axis] ?? 1
  }
  return {
    region: state.out.region('transient', elementCount(shape) * storageBytes.f32),
    offsetBytes: 0,
    storage: 'f32',
    zeroPoint: 0,
    shape,
    strides,
  }
}
