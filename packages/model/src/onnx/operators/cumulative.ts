import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/**
 * Running sums or products in doubling steps (Hillis and Steele 1986, "Data parallel algorithms"; page not checked): after step d every element has
 * absorbed its 2d - 1 predecessors. log2 n operations instead of n, and a fixed order for the bits.
 */
function running(node: NodeReader, operator: 'Add' | 'Mul'): void {
  const e = new Expressions(node)
  const input = node.input(0)
  node.expectTypes([input], ['float32', 'int32', 'uint32', 'int64', 'uint64'])
  const { elementType, shape } = node.typeOf(input)
  const axis = node.axis(Number(node.constant(1, 'axis').data[0] ?? 0), shape.length)
  const size = shape[axis] ?? 0
  const [exclusive, reverse] = [node.integer('exclusive', 0) !== 0, node.integer('reverse', 0) !== 0]
  const neutral = (count: number) => e.filled(elementType, shape.with(axis, count), operator === 'Add' ? 0 : 1)
  const shifted = (x: ValueId, by: number) => e.concat([neutral(by), e.slice(x, axis, { start: 0, count: size - by })], axis)
  let sum = reverse ? e.reverse(input, axis) : input
  if (exclusive && size > 0) sum = shifted(sum, 1)
  for (let step = 1; step < size; step *= 2) sum = e.binary(operator, shifted(sum, step), sum)
  node.emitAlias(0, reverse ? e.reverse(sum, axis) : sum)
}

/** Running sums and products. */
export const cumulativeReaders: Readonly<Record<string, OperatorReader>> = {
  CumSum: (node) => running(node, 'Add'),
  CumProd: (node) => running(node, 'Mul'),
}
