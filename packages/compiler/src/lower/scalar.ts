// Masks and indices: comparisons, logic, Where, Cast, integer arithmetic.
import type { GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import {
  binaryScalar,
  buildScalarMap,
  castScalar,
  notScalar,
  type ScalarFunction,
  scalarMapKey,
  scalarTypeOf,
  selectScalar,
} from '../kernels/scalar-map.ts'
import type { View } from '../program/program.ts'
import { stretch, walkCuts } from './cuts.ts'
import type { GraphState } from './graph-state.ts'
import type { Call } from './kernel-call.ts'
import { storageOf } from './lowering.ts'
import { broadcast } from './views.ts'

/** @throws UnsupportedNodeError where the element types have no scalar function. */
export function lowerScalar(node: GraphNode, state: GraphState): void {
  const result = node.outputs[0] ?? ''
  const type = state.type(result)
  const storage = storageOf(type, node)
  const views = node.inputs.map((id) => broadcast(state.view(id, node), type.shape))
  const chosen = scalarFunction(node, views, { storage, isBool: type.elementType === 'bool' })
  if (chosen === undefined || views.some((view) => view.storage === 'i16'))
    throw new UnsupportedNodeError(node.name, node.operation.operator, 'there is no kernel for it with these element types')
  const output = state.out.dense(storage, type.shape)
  const part = (inputs: readonly View[], target: View): Call => {
    const map = {
      function: chosen,
      inputs: inputs.map((view) => view.storage),
      output: storage,
      shape: target.shape,
      strides: [...inputs.map(({ strides }) => strides), target.strides],
    }
    return {
      name: node.operation.operator,
      key: scalarMapKey(map),
      build: () => buildScalarMap(map),
      arguments: [...inputs, target],
      reads: inputs,
      writes: [target],
    }
  }
  const cuts = walkCuts(type.shape, (axis, range) =>
    part(
      views.map((view) => stretch(view, axis, range)),
      stretch(output, axis, range),
    ),
  )
  state.out.call({ ...part(views, output), cuts })
  state.finishValue(result, output, node.operation.operator)
}

type Target = { readonly storage: View['storage']; readonly isBool: boolean }

function scalarFunction(node: GraphNode, views: readonly View[], { storage, isBool }: Target): ScalarFunction | undefined {
  const { operator } = node.operation
  const [first, second, third] = views
  if (first === undefined) return undefined
  if (operator === 'Cast') return castScalar(first.storage, storage, isBool)
  if (operator === 'Not') return notScalar
  if (operator === 'Where') {
    if (second === undefined || second.storage !== third?.storage || second.storage !== storage) return undefined
    return selectScalar(scalarTypeOf(storage))
  }
  if (second === undefined || second.storage !== first.storage) return undefined
  return binaryScalar(operator, scalarTypeOf(first.storage))
}
