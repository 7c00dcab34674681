// One step as a chain executes it: everything is opened against an assertion, the value is computed, and the leaf of that value is
// compared with the one that the poster committed to.
import type { Assertion } from './assertion.ts'
import { execute } from './execute.ts'
import { rootOf, treeDepth } from './hash-tree.ts'
import { decodeInstruction, type Instruction, instructionSet, operandsOf } from './instruction.ts'
import { instructionLeaf } from './program.ts'
import { FIRST_SOURCE_WORD, type OpenedSource, readOpening, sameBytes } from './source.ts'
import { type Value, valueLeaf } from './value.ts'

/** The value of an earlier node with its path in the poster's tree. */
export type OpenedOperand = { readonly value: Value; readonly path: readonly Uint8Array[] }

/** What somebody hands over to have node `index` executed. */
export type StepOpening = {
  readonly index: number
  readonly instruction: Uint8Array
  readonly instructionPath: readonly Uint8Array[]
  readonly operands: readonly OpenedOperand[]
  /** Present where the instruction reads a source. */
  readonly source: OpenedSource | undefined
}

/** Bytes of a source that an instruction reads; a length reads none. */
export function sourceReads({
  opcode,
  a,
  b,
  c,
}: Instruction): { readonly source: number; readonly offset: number; readonly length: number } | undefined {
  switch (instructionSet[opcode]?.name) {
    case 'LENGTH':
      return { source: a, offset: 0, length: 0 }
    case 'WORD':
      return { source: a, offset: b, length: 32 }
    case 'POINT':
      return { source: a, offset: b, length: 33 }
    case 'CHUNK':
      return { source: a, offset: b, length: c }
    default:
      return undefined
  }
}

/** The value of a node by an opening, or undefined if something is not what the assertion commits to. */
export function executeStep(assertion: Assertion, opening: StepOpening): Value | undefined {
  const { program, traceRoot, words } = assertion
  const { index, operands } = opening
  const depth = treeDepth(program.count)
  const opens = (leaf: Uint8Array, at: number, path: readonly Uint8Array[], root: Uint8Array): boolean =>
    path.length === depth && path.every((node) => node.length === 32) && sameBytes(rootOf(leaf, at, path), root)
  if (!Number.isInteger(index) || index < 0 || index >= program.count) return undefined
  const instruction = decodeInstruction(opening.instruction)
  if (instruction === undefined) return undefined
  if (!opens(instructionLeaf(index, opening.instruction), index, opening.instructionPath, program.root)) return undefined
  const nodes = operandsOf(instruction)
  if (operands.length !== nodes.length) return undefined
  const kinds = instructionSet[instruction.opcode]?.operands ?? []
  const values = new Map<number, Value>()
  for (const [k, node] of nodes.entries()) {
    const { value, path } = operands[k] ?? { value: new Uint8Array(0), path: [] }
    if (node >= index || value.length !== (kinds[k] === 'point' ? 64 : 32)) return undefined
    if (!opens(valueLeaf(node, value), node, path, traceRoot)) return undefined
    values.set(node, value)
  }
  const range = sourceReads(instruction)
  const read = range && opening.source && readOpening(opening.source, words[FIRST_SOURCE_WORD + range.source] ?? new Uint8Array(0), range)
  if (range !== undefined && read === undefined) return undefined
  return execute(instruction, {
    publicWord: (k) => words[k] ?? new Uint8Array(32),
    length: () => opening.source?.length ?? 0,
    bytes: () => read ?? new Uint8Array(0),
    operand: (node) => values.get(node) ?? new Uint8Array(32),
  })
}
