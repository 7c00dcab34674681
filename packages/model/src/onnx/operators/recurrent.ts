import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/** Activation functions by their ONNX names. */
type Activation = (x: ValueId) => ValueId

/** What one direction of a recurrent layer starts from; one step turns it into the next. */
type State = { readonly hidden: ValueId; readonly cell?: ValueId }

/** What the three operators share: sizes, and the inputs of one direction. */
type Direction = {
  readonly e: Expressions
  /** Gates of all steps before the recurrence: x W^T + the input's bias, [length, batch, gates * hidden]. */
  readonly projected: ValueId
  /** R^T: [hidden, gates * hidden]. */
  readonly recurrent: ValueId
  /** The recurrence's bias, [gates * hidden], where there is one. */
  readonly recurrentBias: ValueId | undefined
  readonly hidden: number
  readonly activations: readonly Activation[]
  /** Peephole weights, [3 * hidden], of LSTM only. */
  readonly peepholes: ValueId | undefined
}

type Cell = (direction: Direction, gates: ValueId, state: State) => State

const maxSteps = 4096

/** Unrolls a recurrent layer: every step is a node of its own, so that nothing loops at run time. */
function recurrent(node: NodeReader, gates: number, cell: Cell, names: readonly string[]): void {
  const e = new Expressions(node)
  const [input, weights, recurrentWeights] = [node.input(0), node.input(1), node.input(2)]
  const [bias, lengths, initial, initialCell, peepholes] = [3, 4, 5, 6, 7].map((index) => node.optional(index))
  node.expectTypes([input, weights, recurrentWeights], ['float32'])
  const batchFirst = node.integer('layout', 0) !== 0
  const x = batchFirst ? e.transpose(input, [1, 0, 2]) : input
  const [length = 0, batch = 0, size = 0] = node.shapeOf(x)
  const directions = node.shapeOf(weights)[0] ?? 1
  const hidden = node.shapeOf(recurrentWeights)[2] ?? 0
  if (node.shapeOf(x).length !== 3 || node.shapeOf(weights)[1] !== gates * hidden || node.shapeOf(weights)[2] !== size)
    throw node.invalid('its weights do not fit its input')
  if (length * directions > maxSteps) throw node.unsupported(`it has ${length} steps`, `at most ${maxSteps} steps`)
  if (node.float('clip', 0) !== 0) throw node.unsupported('it clips its gates', 'recurrent layers without clip')
  if (node.integer('input_forget', 0) !== 0) throw node.unsupported('its input and forget gates are coupled', 'separate gates')
  assertFullLengths(node, lengths, length)
  const functions = activationsOf(node, e, names, directions)
  const ofDirection = (id: ValueId | undefined, d: number, shape: readonly number[]) =>
    id === undefined ? undefined : e.reshape(e.slice(id, 0, { start: d, count: 1 }), shape)
  const initialOf = (id: ValueId | undefined, d: number): ValueId => {
    if (id === undefined) return e.filled('float32', [batch, hidden], 0)
    const whole = batchFirst ? e.transpose(id, [1, 0, 2]) : id
    return e.reshape(e.slice(whole, 0, { start: d, count: 1 }), [batch, hidden])
  }
  const backwards = (d: number) => node.text('direction', 'forward') === 'reverse' || d === 1
  const results = Array.from({ length: directions }, (_, d) => {
    const both = ofDirection(bias, d, [2 * gates * hidden])
    const w = e.transpose(ofDirection(weights, d, [gates * hidden, size]) ?? weights, [1, 0])
    const product = e.matMul(x, w)
    const inputBias = both === undefined ? undefined : e.slice(both, 0, { start: 0, count: gates * hidden })
    const direction: Direction = {
      e,
      projected: inputBias === undefined ? product : e.add(product, inputBias),
      recurrent: e.transpose(ofDirection(recurrentWeights, d, [gates * hidden, hidden]) ?? recurrentWeights, [1, 0]),
      recurrentBias: both === undefined ? undefined : e.slice(both, 0, { start: gates * hidden, count: gates * hidden }),
      hidden,
      activations: functions.slice(d * names.length, (d + 1) * names.length),
      peepholes: ofDirection(peepholes, d, [3 * hidden]),
    }
    let state: State = { hidden: initialOf(initial, d), ...(gates === 4 ? { cell: initialOf(initialCell, d) } : {}) }
    const steps = Array.from({ length }, (_, t) => (backwards(d) ? length - 1 - t : t))
    const outputs = new Array<ValueId>(length)
    for (const t of steps) {
      state = cell(direction, e.reshape(e.slice(direction.projected, 0, { start: t, count: 1 }), [batch, gates * hidden]), state)
      outputs[t] = e.reshape(state.hidden, [1, 1, batch, hidden])
    }
    return { outputs: e.concat(outputs, 0), state }
  })
  emitResults(node, e, results, { batchFirst, batch, hidden })
}

type Sizes = { readonly batchFirst: boolean; readonly batch: number; readonly hidden: number }

function emitResults(
  node: NodeReader,
  e: Expressions,
  results: readonly { readonly outputs: ValueId; readonly state: State }[],
  { batchFirst, batch, hidden }: Sizes,
): void {
  const all = e.concat(
    results.map(({ outputs }) => outputs),
    1,
  )
  const last = (ids: readonly ValueId[]): ValueId => {
    const joined = e.concat(
      ids.map((id) => e.reshape(id, [1, batch, hidden])),
      0,
    )
    return batchFirst ? e.transpose(joined, [1, 0, 2]) : joined
  }
  node.emitAlias(0, batchFirst ? e.transpose(all, [2, 0, 1, 3]) : all)
  node.emitAlias(1, last(results.map(({ state }) => state.hidden)))
  if (results[0]?.state.cell !== undefined) node.emitAlias(2, last(results.map(({ state }) => state.cell ?? state.hidden)))
}

function assertFullLengths(node: NodeReader, lengths: ValueId | undefined, length: number): void {
  if (lengths === undefined) return
  const known = new Expressions(node).known(lengths)
  if (known === undefined || known.some((value) => value !== length))
    throw node.unsupported('its sequences differ in length', 'sequences that fill the whole input')
}

function activationsOf(node: NodeReader, e: Expressions, names: readonly string[], directions: number): readonly Activation[] {
  const texts = node.attribute('activations')?.texts.map((text) => new TextDecoder().decode(text)) ?? []
  const chosen = texts.length > 0 ? texts : Array.from({ length: directions }, () => names).flat()
  if (chosen.length !== directions * names.length) throw node.invalid('its activations do not fit its directions')
  return chosen.map((name) => {
    switch (name.toLowerCase()) {
      case 'sigmoid':
        return (x) => e.unary('Sigmoid', x)
      case 'tanh':
        return (x) => e.unary('Tanh', x)
      case 'relu':
        return (x) => e.unary('Relu', x)
      default:
        throw node.unsupported(`its activation is ${name}`, 'Sigmoid, Tanh, Relu')
    }
  })
}

function gate(e: Expressions, gates: ValueId, index: number, hidden: number): ValueId {
  return e.slice(gates, e.shape(gates).length - 1, { start: index * hidden, count: hidden })
}

function withRecurrence({ e, recurrent: r, recurrentBias }: Direction, gates: ValueId, hidden: ValueId): ValueId {
  const sum = e.add(gates, e.matMul(hidden, r))
  return recurrentBias === undefined ? sum : e.add(sum, recurrentBias)
}

/** H = f(x W^T + b_w + H R^T + b_r). */
const simpleCell: Cell = (direction, gates, state) => {
  const [f = (x) => x] = direction.activations
  return { hidden: f(withRecurrence(direction, gates, state.hidden)) }
}

/** Gates in ONNX's order: input, output, forget, cell. */
const lstmCell: Cell = (direction, gates, state) => {
  const { e, hidden, activations, peepholes } = direction
  const [f = (x) => x, g = f, h = g] = activations
  const before = state.cell ?? state.hidden
  const sums = withRecurrence(direction, gates, state.hidden)
  const part = (index: number) => gate(e, sums, index, hidden)
  const peep = (x: ValueId, cell: ValueId, index: number) =>
    peepholes === undefined ? x : e.add(x, e.multiply(e.slice(peepholes, 0, { start: index * hidden, count: hidden }), cell))
  const [input, forget] = [f(peep(part(0), before, 0)), f(peep(part(2), before, 2))]
  const cell = e.add(e.multiply(forget, before), e.multiply(input, g(part(3))))
  return { hidden: e.multiply(f(peep(part(1), cell, 1)), h(cell)), cell }
}

/** Gates in ONNX's order: update, reset, hidden. */
function gruCell(linearBeforeReset: boolean): Cell {
  return (direction, gates, state) => {
    const { e, hidden, activations, recurrent: r, recurrentBias } = direction
    const [f = (x) => x, g = f] = activations
    const product = e.matMul(state.hidden, r)
    const biased = recurrentBias === undefined ? product : e.add(product, recurrentBias)
    const both = (index: number) => f(e.add(gate(e, gates, index, hidden), gate(e, biased, index, hidden)))
    const [update, reset] = [both(0), both(1)]
    const candidate = linearBeforeReset
      ? e.multiply(reset, gate(e, biased, 2, hidden))
      : resetFirst(direction, e.multiply(reset, state.hidden))
    const fresh = g(e.add(gate(e, gates, 2, hidden), candidate))
    const kept = e.subtract(e.filled('float32', [], 1), update)
    return { hidden: e.add(e.multiply(kept, fresh), e.multiply(update, state.hidden)) }
  }
}

function resetFirst({ e, hidden, recurrent: r, recurrentBias }: Direction, state: ValueId): ValueId {
  const product = e.matMul(state, e.slice(r, 1, { start: 2 * hidden, count: hidden }))
  return recurrentBias === undefined ? product : e.add(product, e.slice(recurrentBias, 0, { start: 2 * hidden, count: hidden }))
}

/** Recurrent layers, unrolled over their static length. */
export const recurrentReaders: Readonly<Record<string, OperatorReader>> = {
  RNN: (node) => recurrent(node, 1, simpleCell, ['Tanh']),
  LSTM: (node) => recurrent(node, 4, lstmCell, ['Sigmoid', 'Tanh', 'Tanh']),
  GRU: (node) => recurrent(node, 3, gruCell(node.integer('linear_before_reset', 0) !== 0), ['Sigmoid', 'Tanh']),
}
