// Every instruction on chain against a machine over @noble/curves, at the edges of every operand.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Address, type Bytes32, parseBytes32, toHex } from '@tacit/protocol'
import fc from 'fast-check'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { randomWord, startTemporaryChain } from './support/local-chain.ts'
import { fetchLeaf, fetchMachine, type StepCall } from './support/machine-call.ts'
import {
  bytes32,
  evaluate,
  fieldSize,
  identity,
  type Instruction,
  instructionLeaf,
  multipleOfGenerator,
  type Op,
  openSource,
  openStep,
  pathOf,
  order,
  point,
  rawInstructionLeaf,
  rootOf,
  sourceDigest,
  type Surroundings,
  treeOf,
  type Value,
  valueLeaf,
  word,
} from './support/test-machine.ts'

const top = 2n ** 256n - 1n
const words = [0n, 1n, 2n, order - 1n, order, order + 1n, 2n * order - 1n < top ? 2n * order - 1n : top, top]
const scalars = [...words, 7n, 2n ** 255n]
const points = [identity, ...[1n, 2n, 7n, order - 1n, order - 7n].map(multipleOfGenerator)]
const edgeWord = fc.oneof(fc.constantFrom(...words), fc.bigInt({ min: 0n, max: top })).map(word)
const anyPoint = fc.oneof(fc.constantFrom(...points), fc.bigInt({ min: 0n, max: order - 1n }).map(multipleOfGenerator))

describe('the machine on chain', () => {
  let chain: EmbeddedChain
  let machine: Address
  before(async () => {
    chain = await startTemporaryChain()
    machine = await fetchMachine(chain.connection)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const sources = [bytesOf(2_500), bytesOf(1_024), new Uint8Array(), bytesOf(64), bytesOf(33)]
  const surroundings: Surroundings = { words: [randomWord(), randomWord(), ...sources.map(sourceDigest)], sources }

  type Call = Omit<StepCall, 'words'>
  const leafOf = (call: Call, { words }: Surroundings = surroundings): Promise<Bytes32> =>
    fetchLeaf(chain.connection, machine, { ...call, words })
  // The instruction behind constants that hold its operands.
  const callOf = (instruction: Instruction, operands: readonly Value[]): Call & { readonly values: readonly Value[] } => {
    const constants = operands.map(
      (immediate): Instruction => ({ op: immediate.kind === 'word' ? 'CONST_WORD' : 'CONST_POINT', fields: [], immediate }),
    )
    const program = [...constants, instruction]
    const index = operands.length
    const values = [...operands, evaluate(instruction, operands, surroundings)]
    const tree = treeOf(values.map((value, k) => valueLeaf(k, value)))
    const step = openStep(index, program, { values, pathTo: (leaf) => pathOf(tree, leaf) }, surroundings)
    return { index, steps: program.length, values, program: programRoot(program), trace: rootOf(tree), step }
  }
  const agree = async (instruction: Instruction, operands: readonly Value[] = []): Promise<void> => {
    const call = callOf(instruction, operands)
    assert.equal(await leafOf(call), valueLeaf(call.index, call.values[call.index] ?? assert.fail()), JSON.stringify(instruction.op))
  }
  const op = (name: Op, arity: number): Instruction => ({ op: name, fields: Array.from({ length: arity }, (_, k) => k) })

  it('computes with scalars as the page says, canonical or not', async () => {
    for (const name of ['REDUCE', 'ADD', 'SUB', 'MUL', 'HASH2', 'CANONICAL', 'NONZERO'] as const) {
      for (const a of words) for (const b of words.filter((_, k) => k % 2 === 0)) await agree(op(name, 2), [word(a), word(b)])
      await fc.assert(
        fc.asyncProperty(edgeWord, edgeWord, async (a, b) => await agree(op(name, 2), [a, b])),
        { numRuns: 6 },
      )
    }
    for (const a of words) await agree(op('INV', 1), [word(a)])
    for (const name of ['FMA', 'HASH3', 'EQ'] as const) {
      for (const a of words) await agree(op(name, 3), [word(a), word(order), word(order)])
      await fc.assert(
        fc.asyncProperty(edgeWord, edgeWord, edgeWord, async (a, b, c) => await agree(op(name, 3), [a, b, c])),
        { numRuns: 8 },
      )
    }
  })

  it('adds multiples of points in every case of the group law', async () => {
    const two = multipleOfGenerator(2n)
    const minusTwo = multipleOfGenerator(order - 2n)
    for (const scalar of scalars) {
      await agree(op('MULADD', 3), [two, word(scalar), multipleOfGenerator(7n)])
      await agree(op('MULADD', 3), [identity, word(scalar), two])
      await agree(op('MULADD', 3), [two, word(scalar), identity])
    }
    await agree(op('MULADD', 3), [two, word(1n), two]) // doubling
    await agree(op('MULADD', 3), [two, word(1n), minusTwo]) // cancelling
    await agree(op('MULADD', 3), [two, word(order - 1n), two]) // the same by the scalar
    await agree(op('MULADD', 3), [multipleOfGenerator(14n), word(7n), two]) // T = s P
    await agree(op('MULADD', 3), [pointWithLargeX(), word(top), pointWithLargeX()])
    await fc.assert(
      fc.asyncProperty(anyPoint, edgeWord, anyPoint, async (t, s, p) => await agree(op('MULADD', 3), [t, s, p])),
      { numRuns: 12 },
    )
  })

  it('tells valid points from the identity, and passes the verdict on', async () => {
    for (const name of ['VALID', 'IDENTITY'] as const)
      for (const verdict of [0n, 1n]) for (const p of points) await agree(op(name, 2), [word(verdict), p])
    await agree({ op: 'CONST_WORD', fields: [], immediate: word(top) })
    await agree({ op: 'CONST_POINT', fields: [], immediate: identity })
    await agree({ op: 'CONST_POINT', fields: [], immediate: multipleOfGenerator(3n) })
  })

  it('reads public words, lengths and bytes, zeros behind the end', async () => {
    for (let k = 0; k < 7; k++) await agree({ op: 'PUBLIC', fields: [k] })
    for (let source = 0; source < 5; source++) {
      await agree({ op: 'LENGTH', fields: [source] })
      for (const offset of [0, 1, 32, 992, 993, 1023, 1024, 2047, 2480, 2499, 2500, 5_000, 2 ** 32 - 1])
        await agree({ op: 'WORD', fields: [source, offset] })
      for (const [offset, size] of [
        [0, 1],
        [0, 1024],
        [1, 1024],
        [1023, 2],
        [1500, 1024],
        [2400, 1024],
        [2 ** 32 - 1, 1024],
      ] as const)
        await agree({ op: 'CHUNK', fields: [source, offset, size] })
    }
  })

  it('decompresses canonical points and nothing else', async () => {
    const xOf = (value: Value) => (value.kind === 'point' ? value.x : assert.fail())
    const encoded: readonly (readonly [number, bigint])[] = [
      ...[1n, 2n, 3n, order - 1n].map((scalar) => [2, xOf(multipleOfGenerator(scalar))] as const),
      [3, xOf(multipleOfGenerator(2n))],
      [2, xOf(pointWithLargeX())],
      ...[0, 1, 4, 5, 255].map((prefix) => [prefix, xOf(multipleOfGenerator(1n))] as const),
      ...[0n, 5n, fieldSize, fieldSize + 1n, top].map((x) => [2, x] as const),
    ]
    for (const [prefix, x] of encoded) {
      const source = new Uint8Array([prefix, ...bytes32(x)])
      sources[4] = source
      const around = { words: [...surroundings.words.slice(0, 6), sourceDigest(source)], sources }
      const instruction: Instruction = { op: 'POINT', fields: [4, 0] }
      const value = evaluate(instruction, [], around)
      const step = openStep(0, [instruction], { values: [value], pathTo: () => [] }, around)
      const call = { index: 0, steps: 1, program: programRoot([instruction]), trace: valueLeaf(0, value), step }
      assert.equal(await leafOf(call, around), valueLeaf(0, value), `${prefix} ${x}`)
      assert.equal(
        value.kind === 'point' && value.x === 0n,
        ![2, 3].includes(prefix) || [0n, 5n, fieldSize, fieldSize + 1n, top].includes(x),
      )
    }
  })

  it('refuses every other opening of a step', async () => {
    const call = callOf(op('FMA', 3), [word(2n), word(3n), word(4n)])
    const { step } = call
    const [a, b, c] = step.operands
    if (a === undefined || b === undefined || c === undefined) assert.fail()
    const wrong: readonly (readonly [Call, string])[] = [
      [{ ...call, index: 2 }, 'WrongInstruction'],
      [{ ...call, program: call.trace }, 'WrongInstruction'],
      [{ ...call, trace: call.program }, 'WrongOperand'],
      [{ ...call, step: { ...step, instructionPath: step.instructionPath.slice(1) } }, 'WrongInstruction'],
      [{ ...call, step: { ...step, instructionPath: [...step.instructionPath, noise] } }, 'WrongInstruction'],
      [{ ...call, step: { ...step, instruction: Uint8Array.from([...step.instruction, 0]) } }, 'WrongInstruction'],
      [{ ...call, step: { ...step, operands: [a, b] } }, 'WrongOperand'],
      [{ ...call, step: { ...step, operands: [a, b, c, c] } }, 'WrongOperand'],
      [{ ...call, step: { ...step, operands: [b, a, c] } }, 'WrongOperand'],
      [{ ...call, step: { ...step, operands: [{ ...a, value: bytes32(5n) }, b, c] } }, 'WrongOperand'],
      [{ ...call, step: { ...step, operands: [{ ...a, path: a.path.slice(1) }, b, c] } }, 'WrongOperand'],
      [{ ...call, steps: 2 }, 'WrongInstruction'],
    ]
    for (const [changed, reason] of wrong) await assert.rejects(leafOf(changed), refusedFor(reason))
  })

  it('does not take an inner node of a trace for an operand', async () => {
    // A tree of four leaves whose left inner node is planted: a leaf of node 0 with another value, one level too high.
    const constants = [1n, 2n, 3n].map((n): Instruction => ({ op: 'CONST_WORD', fields: [], immediate: word(n) }))
    const program = [...constants, op('INV', 1)]
    const planted = valueLeaf(0, word(9n))
    const pathTo = (): readonly Bytes32[] => []
    const step = openStep(3, program, { values: [1n, 2n, 3n, 1n].map(word), pathTo }, surroundings)
    const forged = { ...step, operands: [{ value: bytes32(9n), path: [noise] }] }
    const trace = rootOf(treeOf([planted, parseBytes32(toHex(noise))]))
    const call = { index: 3, steps: 4, program: programRoot(program), trace, step: forged }
    await assert.rejects(leafOf(call), refusedFor('WrongOperand'))
  })

  it('refuses programs that are none', async () => {
    const bad: readonly Instruction[] = [
      { op: 'ADD', fields: [0, 2] }, // reads itself
      { op: 'ADD', fields: [0, 3] }, // reads what comes later
      { op: 'PUBLIC', fields: [7] },
      { op: 'LENGTH', fields: [5] },
      { op: 'CHUNK', fields: [0, 0, 0] },
      { op: 'CHUNK', fields: [0, 0, 1_025] },
      { op: 'ADD', fields: [0, 1], immediate: word(1n) },
      { op: 'CONST_WORD', fields: [] },
      { op: 'CONST_WORD', fields: [], immediate: identity },
    ]
    for (const instruction of bad) {
      const program = [
        ...[1n, 2n].map((n): Instruction => ({ op: 'CONST_WORD', fields: [], immediate: word(n) })),
        instruction,
        op('ADD', 2),
      ]
      const values = [word(1n), word(2n), word(3n), word(3n)]
      const tree = treeOf(values.map((value, k) => valueLeaf(k, value)))
      const roots = { program: programRoot(program), trace: rootOf(tree) }
      const pathTo = (leaf: number) => pathOf(tree, leaf)
      const step = openStep(2, program, { values, pathTo }, { ...surroundings, sources: [...sources, new Uint8Array()] })
      await assert.rejects(leafOf({ index: 2, steps: 4, ...roots, step }), refusedFor('IllFormedInstruction'))
    }
    const unknown = Uint8Array.from([21, ...new Uint8Array(12)])
    const leaf = rawInstructionLeaf(0, unknown)
    const step = { instruction: unknown, instructionPath: [], operands: [], source: undefined }
    await assert.rejects(leafOf({ index: 0, steps: 1, program: leaf, trace: leaf, step }), refusedFor('IllFormedInstruction'))
  })

  it('refuses every other opening of a source', async () => {
    const instruction: Instruction = { op: 'CHUNK', fields: [0, 1_000, 1_000] }
    const call = callOf(instruction, [])
    const good = openSource(sources[0] ?? assert.fail(), 1_000, 1_000)
    const [first, second] = good.chunks
    if (first === undefined || second === undefined) assert.fail()
    const flipped = first.data.with(7, (first.data[7] ?? 0) ^ 1)
    const wrong = [
      { ...good, length: 2_499 },
      { ...good, length: 1_024 },
      { ...good, root: noise },
      { ...good, chunks: [first] },
      { ...good, chunks: [second, first] },
      { ...good, chunks: [first, second, second] },
      { ...good, chunks: [{ ...first, data: flipped }, second] },
      { ...good, chunks: [{ ...first, data: first.data.slice(1) }, second] },
      { ...good, chunks: [{ ...first, siblings: first.siblings.slice(1) }, second] },
      { ...good, chunks: [{ ...first, siblings: [...first.siblings, noise] }, second] },
    ]
    for (const [k, source] of wrong.entries())
      await assert.rejects(leafOf({ ...call, step: { ...call.step, source } }), refusedFor('WrongOpening'), `opening ${k}`)
  })

  it('does not take an inner node of a source for a chunk', async () => {
    // Two chunks whose parent's preimage, 64 bytes, stands for a source of one chunk: the length is part of the digest.
    const source = sources[0] ?? assert.fail()
    const { root } = openSource(source, 0, 1)
    const forged = { length: 64, root, chunks: [{ data: bytesOf(64), siblings: [] }] }
    const call = callOf({ op: 'WORD', fields: [0, 0] }, [])
    await assert.rejects(leafOf({ ...call, step: { ...call.step, source: forged } }), refusedFor('WrongOpening'))
  })
})

const noise = bytes32(BigInt(randomWord()))

function programRoot(program: readonly Instruction[]): Bytes32 {
  return rootOf(treeOf(program.map((instruction, k) => instructionLeaf(k, instruction))))
}

function refusedFor(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && error.message.includes(reason)
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => (k * 151 + (k >> 8) * 77 + length) & 0xff)
}

/** A point whose x lies between the order of the group and the size of the field. */
function pointWithLargeX(): Value {
  for (let x = order + 1n; ; x++) {
    const square = (x ** 3n + 7n) % fieldSize
    const y = power(square, (fieldSize + 1n) / 4n)
    if ((y * y) % fieldSize === square) return point(x, y % 2n === 0n ? y : fieldSize - y)
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base]
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % fieldSize
    square = (square * square) % fieldSize
  }
  return result
}
