// What is frozen about verifier programs: roots, values of a run, openings of single steps, and every instruction at its edges. The
// Solidity of the same steps reads the same file.
import { type LayerStatement, toHex } from '@tacit/protocol'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { ProofEngine } from '../../src/engine.ts'
import { dataDigest } from '../../src/digest.ts'
import { ORDER } from '../../src/kernels/field.ts'
import { execute } from '../../src/trace/execute.ts'
import { encodeInstruction, instructionSet, opcodeOf, type OpName, operandsOf } from '../../src/trace/instruction.ts'
import { openStep } from '../../src/trace/players.ts'
import { bytesAt, openSource, type OpenedSource, SOURCES } from '../../src/trace/source.ts'
import { sourceReads, type StepOpening } from '../../src/trace/step.ts'
import { buildVerifier } from '../../src/trace/build-verifier.ts'
import { type Trace, traceVerification } from '../../src/trace/trace.ts'
import { wordBytes } from '../../src/trace/value.ts'

/** A statement with an accepted proof. */
export type ProvedVector = { readonly statement: LayerStatement; readonly proof: Uint8Array }

const hex = (bytes: readonly Uint8Array[]): readonly string[] => bytes.map((part) => toHex(part))
const sourceJson = (opened: OpenedSource | undefined): unknown =>
  opened === undefined
    ? null
    : {
        length: opened.length,
        root: toHex(opened.root),
        chunks: opened.chunks.map(({ index, data, siblings }) => ({ index, data: toHex(data), siblings: hex(siblings) })),
      }

/** An opening as JSON. */
export function openingJson(opening: StepOpening): unknown {
  return {
    index: opening.index,
    instruction: toHex(opening.instruction),
    instructionPath: hex(opening.instructionPath),
    operands: opening.operands.map(({ value, path }) => ({ value: toHex(value), path: hex(path) })),
    source: sourceJson(opening.source),
  }
}

/** Where the frozen wrong proofs differ from the right ones: a point, a scalar, a missing byte. */
export function wrongProofs(proof: Uint8Array): readonly Uint8Array[] {
  const changed = (at: number, by: number): Uint8Array => proof.map((byte, k) => (k === at ? byte ^ by : byte))
  return [changed(0, 0xff), changed(40, 1), changed(proof.length - 1, 1), proof.slice(0, -1)]
}

/** Everything that is frozen. */
export function makeTraceVectors(engine: ProofEngine, vectors: readonly ProvedVector[]): unknown {
  const layers = vectors.map(({ statement, proof }) => {
    const program = buildVerifier(statement.spec, { engine })
    const runs = [proof, ...wrongProofs(proof)].map((bytes) => {
      const trace = traceVerification(statement, bytes, { engine, program })
      return { proof: toHex(dataDigest(bytes)), words: hex(trace.input.words), verdict: trace.verdict, root: toHex(trace.root) }
    })
    return { kind: statement.spec.kind, count: program.count, depth: program.tree.depth, program: toHex(program.root), runs }
  })
  const [first] = vectors
  if (first === undefined) throw new Error('There are no proofs.')
  const trace = traceVerification(first.statement, first.proof, { engine })
  return { layers, steps: stepsOf(trace), instructions: instructionCases() }
}

// The first and the last node of every opcode in one trace, opened against its root.
function stepsOf(trace: Trace): unknown {
  const { program } = trace
  const nodes = new Set<number>()
  for (const opcode of instructionSet.keys()) {
    const all = Array.from({ length: program.count }, (_, k) => k).filter((k) => program.instruction(k).opcode === opcode)
    for (const node of [all[0], all.at(-1)]) if (node !== undefined) nodes.add(node)
  }
  const steps = [...nodes].map((node) => ({ opening: openingJson(openStep(trace, node, [])), value: toHex(trace.value(node)) }))
  return { words: hex(trace.input.words), count: program.count, program: toHex(program.root), root: toHex(trace.root), steps }
}

const G = secp256k1.Point.BASE
const pointOf = (point: typeof G): Uint8Array => (point.is0() ? new Uint8Array(64) : point.toBytes(false).slice(1))
const word = (value: bigint): Uint8Array => wordBytes(value)
const top = 2n ** 256n - 1n

// Operands in the order of the fields; fields of source instructions are given.
function instructionCases(): readonly unknown[] {
  const cases: { readonly name: OpName; readonly operands?: readonly Uint8Array[]; readonly fields?: readonly number[] }[] = []
  const add = (name: OpName, ...operands: readonly Uint8Array[]): void => {
    cases.push({ name, operands })
  }
  const numbers = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, top]
  for (const a of numbers) {
    add('INV', word(a))
    add('CANONICAL', word(1n), word(a))
    add('NONZERO', word(1n), word(a))
    for (const b of numbers) for (const name of ['REDUCE', 'ADD', 'SUB', 'MUL'] as const) add(name, word(a), word(b))
    add('FMA', word(a), word(top), word(top))
    add('MULADD', pointOf(G), word(a), pointOf(G))
    add('MULADD', pointOf(G.negate()), word(a), pointOf(G))
  }
  add('HASH2', word(1n), word(2n))
  add('HASH3', word(1n), word(2n), word(3n))
  add('EQ', word(1n), word(top), word(top))
  add('EQ', word(1n), word(top), word(0n))
  add('EQ', word(0n), word(1n), word(1n))
  const [O, P, Q] = [new Uint8Array(64), pointOf(G.multiply(7n)), pointOf(G.multiply(ORDER - 14n))]
  for (const name of ['VALID', 'IDENTITY'] as const) for (const point of [O, P]) add(name, word(1n), point)
  for (const [a, s, c] of [
    [O, 5n, P],
    [P, 5n, O],
    [O, 5n, O],
    [P, 1n, P],
    [Q, 2n, P],
    [P, 0x1234567890abcdefn ** 4n, Q],
  ] as const)
    add('MULADD', a, word(s), c)
  // source 0: a good point, then bad ones, then filler across a chunk's end
  const good = G.multiply(11n).toBytes()
  const bad = [
    good.map((b, k) => (k === 0 ? 4 : b)),
    new Uint8Array(33).fill(2),
    Uint8Array.of(2, ...word(secp256k1.Point.Fp.ORDER + 1n)),
    Uint8Array.of(2, ...word(5n)),
  ]
  const tall = Uint8Array.of(3, ...word(aboveOrder()))
  const source = new Uint8Array(2600).map((_, k) => (k * 37) & 255)
  ;[good, ...bad, tall].forEach((point, k) => {
    source.set(point, 33 * k)
  })
  for (let k = 0; k < 6; k++) cases.push({ name: 'POINT', fields: [0, 33 * k] })
  for (const at of [0, 1000, 1008, 2047, 2590, 2600, 4_000_000_000])
    cases.push({ name: 'WORD', fields: [0, at] }, { name: 'POINT', fields: [0, at] })
  for (const [at, n] of [
    [0, 1],
    [0, 1024],
    [1, 1024],
    [1024, 1024],
    [1500, 1024],
    [2000, 700],
    [2600, 5],
  ] as const)
    cases.push({ name: 'CHUNK', fields: [0, at, n] })
  cases.push({ name: 'LENGTH', fields: [0] }, { name: 'LENGTH', fields: [1] }, { name: 'PUBLIC', fields: [6] })
  const sources = [source, ...Array.from({ length: SOURCES - 1 }, () => new Uint8Array(0))]
  const words = [word(1n), word(2n), ...sources.map(dataDigest)]
  return cases.map(({ name, operands = [], fields = operands.map((_, k) => k) }) => {
    const [a = 0, b = 0, c = 0] = fields
    const instruction = { opcode: opcodeOf(name), a, b, c, immediate: new Uint8Array(0) }
    const range = sourceReads(instruction)
    const value = execute(instruction, {
      publicWord: (k) => words[k] ?? word(0n),
      length: (k) => sources[k]?.length ?? 0,
      bytes: (k, offset, length) => bytesAt(sources[k] ?? new Uint8Array(0), offset, length),
      operand: (k) => operands[k] ?? word(0n),
    })
    return {
      name,
      instruction: toHex(encodeInstruction(instruction)),
      operands: hex(operandsOf(instruction).map((k) => operands[k] ?? word(0n))),
      ...(range === undefined
        ? {}
        : { source: sourceJson(openSource(sources[range.source] ?? new Uint8Array(0), range.offset, range.length)) }),
      ...(range === undefined && name !== 'PUBLIC' ? {} : { words: hex(words) }),
      value: toHex(value),
    }
  })
}

// An x of the curve between the order and the field's modulus: canonical, although it is no scalar.
function aboveOrder(): bigint {
  for (let x = ORDER + 1n; ; x++) {
    try {
      secp256k1.Point.fromBytes(Uint8Array.of(2, ...word(x)))
      return x
    } catch {
      // not on the curve
    }
  }
}
