import { elementCount, type GraphNode, type ValueId } from '@tacit/model'
import { binaryPost, type PostOperation, reluOfSum, scaleBy, splatF32, toFloat } from '../kernels/post-operation.ts'
import type { Region } from '../program/program.ts'
import type { GraphState } from './graph-state.ts'
import { numberAt } from './number-at.ts'
import type { Argument } from './kernel-call.ts'
import type { Lowering } from './lowering.ts'
import { isDense } from './views.ts'

/** Post-operations of a product, with the operands of those that have one. */
export type Epilogue = {
  readonly post: PostOperation[]
  readonly operands: EpilogueOperand[]
  /** The value that the last post-operation gives. */
  result: ValueId
  /** A `full` operand was found: the result must be dense like it. */
  needsDense: boolean
  /** Whether values are float32 at the end; sums of integers start as int32. */
  isFloat: boolean
}
/** A pointer, the distance to a value in the layout of the result, or one number per column in logical order. */
export type EpilogueOperand =
  | { readonly kind: 'pointer' | 'distance'; readonly region: Region; readonly offsetBytes: number }
  | { readonly kind: 'column'; readonly values: Float32Array | Int32Array }

/** An operand that lies in memory. */
export type PlacedOperand = Exclude<EpilogueOperand, { kind: 'column' }>

/** Absorbs the nodes after a product, each the only reader of the one before, that can be done on its results in registers. */
export function absorbEpilogue(node: GraphNode, state: GraphState, { columns, start }: { columns: number; start: Epilogue }): Epilogue {
  const waiting = new Set([node])
  for (;;) {
    const next = state.soleConsumer(start.result)
    if (next === undefined || !absorb(next, state, { columns, epilogue: start, waiting })) return start
    waiting.add(next)
    state.finish(next)
    start.result = next.outputs[0] ?? start.result
  }
}

type Absorption = { readonly columns: number; readonly epilogue: Epilogue; readonly waiting: ReadonlySet<GraphNode> }

function absorb(next: GraphNode, state: GraphState, { columns, epilogue, waiting }: Absorption): boolean {
  const { operation } = next
  const shape = state.shape(epilogue.result)
  const output = next.outputs[0] ?? ''
  if (elementCount(state.shape(output)) !== elementCount(shape)) return false
  if (operation.operator === 'Cast') {
    if (epilogue.isFloat || state.type(output).elementType !== 'float32') return false
    epilogue.post.push(toFloat)
    epilogue.isFloat = true
    return true
  }
  if (!epilogue.isFloat || state.type(output).elementType !== 'float32') return false
  if (operation.operator === 'Relu') {
    epilogue.post.push(reluOfSum)
    return true
  }
  if (operation.operator === 'Clip') {
    epilogue.post.push(clipTo(operation.min, operation.max))
    return true
  }
  if (operation.operator !== 'Add' && operation.operator !== 'Mul') return false
  const other = next.inputs.find((input) => input !== epilogue.result)
  if (other === undefined || state.shape(output).length !== shape.length) return false
  return absorbBinary(operation.operator === 'Add' ? 'f32x4.add' : 'f32x4.mul', other, next, { state, columns, epilogue, waiting })
}

/** min(max(x, lo), hi), as the elementwise operator does it. */
function clipTo(lo: number, hi: number): PostOperation {
  return {
    key: `clip ${lo} ${hi}`,
    operand: 'none',
    emit: (f) => {
      if (lo !== Number.NEGATIVE_INFINITY) f.v128(splatF32(lo)).op('f32x4.max')
      if (hi !== Number.POSITIVE_INFINITY) f.v128(splatF32(hi)).op('f32x4.min')
    },
  }
}

type BinaryAbsorption = Absorption & { readonly state: GraphState }

function absorbBinary(opcode: 'f32x4.add' | 'f32x4.mul', other: ValueId, next: GraphNode, absorption: BinaryAbsorption): boolean {
  const { state, columns, epilogue, waiting } = absorption
  // After a multiplication a value may be -0, which the short form of ReLU would keep: only sums and what follows them qualify.
  if (opcode === 'f32x4.mul' && state.soleConsumer(next.outputs[0] ?? '')?.operation.operator === 'Relu') return false
  const count = elementCount(state.shape(other))
  const constant = state.constant(other)
  if (count === 1) {
    if (constant !== undefined && opcode === 'f32x4.mul') {
      epilogue.post.push(scaleBy(numberAt(constant.data, 0)))
      return true
    }
    if (!state.ensure(other, waiting)) return false
    const view = state.view(other, next)
    epilogue.post.push(binaryPost(opcode, 'scalar'))
    epilogue.operands.push({ kind: 'pointer', region: view.region, offsetBytes: view.offsetBytes })
    return true
  }
  if (constant !== undefined && count === columns && state.shape(other).at(-1) === columns) {
    epilogue.post.push(binaryPost(opcode, 'column'))
    epilogue.operands.push(columnOperand(Float32Array.from(constant.data as Float32Array), columns))
    return true
  }
  if (count !== elementCount(state.shape(epilogue.result)) || columns % 4 !== 0 || constant !== undefined) return false
  if (!state.ensure(other, waiting)) return false
  const view = state.view(other, next)
  if (!isDense(view) || view.storage !== 'f32') return false
  epilogue.needsDense = true
  epilogue.post.push(binaryPost(opcode, 'full'))
  epilogue.operands.push({ kind: 'distance', region: view.region, offsetBytes: view.offsetBytes })
  return true
}

/** One number for every column. */
export function columnOperand(values: Float32Array | Int32Array, columns: number): EpilogueOperand {
  return {
    kind: 'column',
    values:
      values.length === 1 && columns > 1
        ? values.constructor === Float32Array
          ? new Float32Array(columns).fill(values[0] ?? 0)
          : new Int32Array(columns).fill(values[0] ?? 0)
        : values,
  }
}

/** Puts columns into memory, padded to whole vectors and, where units are permuted, in the order of their places. */
export function placeOperands(out: Lowering, operands: readonly EpilogueOperand[], places?: Int32Array): readonly PlacedOperand[] {
  return operands.map((operand) => {
    if (operand.kind !== 'column') return operand
    const { values } = operand
    const padded =
      values instanceof Float32Array ? new Float32Array(Math.ceil(values.length / 4) * 4) : new Int32Array(Math.ceil(values.length / 4) * 4)
    for (let unit = 0; unit < values.length; unit++) padded[places?.[unit] ?? unit] = values[unit] ?? 0
    return { kind: 'pointer', region: out.constant(padded), offsetBytes: 0 }
  })
}

/** The kernel arguments of an epilogue's operands, given where the result begins. */
export function epilogueArguments(
  operands: readonly PlacedOperand[],
  result: { readonly region: Region; readonly offsetBytes: number },
): readonly Argument[] {
  return operands.map((operand) => (operand.kind === 'pointer' ? operand : { from: result, to: operand }))
}
