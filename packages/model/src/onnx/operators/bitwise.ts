import type { BinaryOperator } from '../../graph.ts'
import type { ElementType } from '../../tensor.ts'
import { Expressions } from '../expressions.ts'
import type { OperatorReader } from '../node-reader.ts'

const integers: readonly ElementType[] = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64']

function binaryReader(operator: BinaryOperator): OperatorReader {
  return (node) => {
    const [a, b] = [node.input(0), node.input(1)]
    node.expectTypes([a, b], integers)
    if (node.typeOf(a).elementType !== node.typeOf(b).elementType) throw node.invalid('its inputs have different element types')
    node.emitAlias(0, new Expressions(node).binary(operator, a, b))
  }
}

/** Bits of integers. */
export const bitwiseReaders: Readonly<Record<string, OperatorReader>> = {
  BitwiseAnd: binaryReader('BitwiseAnd'),
  BitwiseOr: binaryReader('BitwiseOr'),
  BitwiseXor: binaryReader('BitwiseXor'),
  // -x - 1 in two's complement.
  BitwiseNot: (node) => {
    const e = new Expressions(node)
    const x = node.input(0)
    node.expectTypes([x], integers)
    node.emitAlias(0, e.subtract(e.subtract(e.filled(e.elementType(x), [], 0), x), 1))
  },
  BitShift: (node) => {
    const direction = node.text('direction', '')
    if (direction !== 'LEFT' && direction !== 'RIGHT') throw node.invalid(`its direction is ${JSON.stringify(direction)}`)
    binaryReader(direction === 'LEFT' ? 'ShiftLeft' : 'ShiftRight')(node)
  },
}
