import type { ElementType, GraphNode, ValueId } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import type { View } from '../program/program.ts'
import type { GraphState } from './graph-state.ts'
import { numberAt } from './number-at.ts'

export type IntegerContext = { readonly node: GraphNode; readonly state: GraphState }

/** Lowest and highest value of a quantised element type. */
export function quantizedBounds(elementType: ElementType): readonly [number, number] {
  return elementType === 'int8' ? [-128, 127] : [0, 255]
}

/** An int8 or uint8 activation as int16 with its zero point taken off; its units may be permuted. */
export function centred(id: ValueId, zeroId: ValueId, { node, state }: IntegerContext): View {
  const view = state.viewAsIs(id, node)
  if (view.storage === 'i16') {
    if (Number.isNaN(view.zeroPoint) || view.zeroPoint === constantZero(zeroId, state)) return view
    throw new UnsupportedNodeError(node.name, node.operation.operator, 'its zero point is not the one its input was quantised with')
  }
  const zeroPoint = constantZero(zeroId, state)
  if (zeroPoint === undefined || (view.storage !== 'u8' && view.storage !== 'i8'))
    throw new UnsupportedNodeError(node.name, node.operation.operator, 'its zero point is neither constant nor from DynamicQuantizeLinear')
  const target = state.out.dense('i16', view.shape, zeroPoint)
  state.out.copy(view, target, { kind: 'centre', zeroPoint, signed: view.storage === 'i8' })
  return target
}

function constantZero(id: ValueId, state: GraphState): number | undefined {
  const tensor = state.constant(id)
  return tensor === undefined || tensor.data.length !== 1 ? undefined : numberAt(tensor.data, 0)
}

/** Constant integer weights less their zero points, and the narrowest arithmetic that holds them. */
export function integerWeights(
  id: ValueId,
  zeroId: ValueId,
  { node, state }: IntegerContext,
): { readonly arithmetic: 'int8' | 'int16'; at(index: number, channel: number): number } {
  const [weights, zero] = [state.constant(id), state.constant(zeroId)]
  if (weights === undefined || zero === undefined)
    throw new UnsupportedNodeError(node.name, node.operation.operator, 'its weights or their zero points are not constants')
  const isZero = Array.from(zero.data as ArrayLike<number>).every((value) => Number(value) === 0)
  const at = (index: number, channel: number): number =>
    numberAt(weights.data, index) - numberAt(zero.data, zero.data.length === 1 ? 0 : channel)
  return { arithmetic: weights.elementType === 'int8' && isZero ? 'int8' : 'int16', at }
}
