// The frozen traces of @tacit/proof, executed on chain: the values of the TypeScript machine are those of the Solidity one.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Address, type Bytes32, type Hex, keccak, parseBytes32, parseHex, toHex } from '@tacit/protocol'
import type { OpenedStep } from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { startTemporaryChain } from './support/local-chain.ts'
import { fetchLeaf, fetchMachine } from './support/machine-call.ts'
import { rawInstructionLeaf, rootOf, toBytes, treeOf } from './support/test-machine.ts'

type SourceJson = {
  readonly length: number
  readonly root: Hex
  readonly chunks: readonly { readonly data: Hex; readonly siblings: readonly Hex[] }[]
}
type OpeningJson = {
  readonly index: number
  readonly instruction: Hex
  readonly instructionPath: readonly Hex[]
  readonly operands: readonly { readonly value: Hex; readonly path: readonly Hex[] }[]
  readonly source: SourceJson | null
}
type Vectors = {
  readonly steps: {
    readonly words: readonly Bytes32[]
    readonly count: number
    readonly program: Bytes32
    readonly root: Bytes32
    readonly steps: readonly { readonly opening: OpeningJson; readonly value: Hex }[]
  }
  readonly instructions: readonly {
    readonly name: string
    readonly instruction: Hex
    readonly operands: readonly Hex[]
    readonly source?: SourceJson
    readonly words?: readonly Bytes32[]
    readonly value: Hex
  }[]
}

const file = join(import.meta.dirname, '../../proof/test/vectors/verifier-traces.json')
const { steps: frozen, instructions } = JSON.parse(readFileSync(file, 'utf8')) as Vectors
const bytes = (value: Hex): Uint8Array => parseHex(value, 'A vector')
const sourceOf = (source: SourceJson | null | undefined): OpenedStep['source'] =>
  source
    ? {
        ...source,
        root: bytes(source.root),
        chunks: source.chunks.map(({ data, siblings }) => ({ data: bytes(data), siblings: siblings.map(bytes) })),
      }
    : undefined
const leafOf = (index: number, value: Hex): Bytes32 =>
  keccak(Uint8Array.of(0, 0, index >> 16, (index >> 8) & 255, index & 255, value.length === 66 ? 0 : 1), bytes(value))

describe('the machine on chain, on frozen traces', () => {
  let chain: EmbeddedChain
  let machine: Address
  before(async () => {
    chain = await startTemporaryChain()
    machine = await fetchMachine(chain.connection)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  it('executes steps of a real verification', async () => {
    const { count, program, root, words } = frozen
    for (const { opening, value } of frozen.steps) {
      const step = {
        instruction: bytes(opening.instruction),
        instructionPath: opening.instructionPath.map(bytes),
        operands: opening.operands.map((operand) => ({ value: bytes(operand.value), path: operand.path.map(bytes) })),
        source: sourceOf(opening.source),
      }
      const call = { index: opening.index, steps: count, program, trace: root, words, step }
      assert.equal(await fetchLeaf(chain.connection, machine, call), leafOf(opening.index, value), `node ${opening.index}`)
    }
    assert.ok(frozen.steps.length > 30)
  })

  it('gives every instruction its frozen value', async () => {
    const none = Array.from({ length: 7 }, () => parseBytes32(`0x${'00'.repeat(32)}`))
    for (const { name, instruction, operands, source, words = none, value } of instructions) {
      // Constants that hold the operands, then the instruction.
      const head = '00'.repeat(12)
      const encoded = [
        ...operands.map((operand) => bytes(`0x0${operand.length === 66 ? 0 : 1}${head}${operand.slice(2)}`)),
        bytes(instruction),
      ]
      const index = operands.length
      const program = treeOf(encoded.map((each, k) => rawInstructionLeaf(k, each)))
      const trace = treeOf([...operands, value].map((each, k) => leafOf(k, each)))
      const path = (tree: typeof trace, leaf: number) =>
        tree.slice(0, -1).map((level, h) => toBytes(level[(leaf >> h) ^ 1] ?? assert.fail()))
      const step = {
        instruction: bytes(instruction),
        instructionPath: path(program, index),
        operands: operands.map((operand, k) => ({ value: bytes(operand), path: path(trace, k) })),
        source: sourceOf(source),
      }
      const call = { index, steps: index + 1, program: rootOf(program), trace: rootOf(trace), words, step }
      assert.equal(
        await fetchLeaf(chain.connection, machine, call),
        leafOf(index, value),
        `${name} ${toHex(step.instruction)} ${operands.join(' ')}`,
      )
    }
    assert.ok(instructions.length > 200)
  })
})
