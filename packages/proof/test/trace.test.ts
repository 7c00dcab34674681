import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type LayerSpec, type LayerStatement, toHex } from '@tacit/protocol'
import fc from 'fast-check'
import { dataDigest } from '../src/digest.ts'
import { createProofEngine } from '../src/engine.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { digest } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { buildVerifier } from '../src/trace/build-verifier.ts'
import { execute, type Reads } from '../src/trace/execute.ts'
import { hashPair, HashTree, rootOf } from '../src/trace/hash-tree.ts'
import { decodeInstruction, encodeInstruction, instructionSet, opcodeOf, operandsOf, type OpName } from '../src/trace/instruction.ts'
import type { Program } from '../src/trace/program.ts'
import { bytesAt, openSource, readOpening } from '../src/trace/source.ts'
import { type Trace, traceVerification } from '../src/trace/trace.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { smallLayers } from './support/small-layers.ts'
import { proveSmall } from './support/trace-games.ts'

const engine = await createProofEngine()
const readsOf = ({ input, value }: { readonly input: Trace['input']; readonly value: Reads['operand'] }): Reads => ({
  publicWord: (k) => input.words[k] ?? new Uint8Array(32),
  length: (k) => input.sources[k]?.length ?? 0,
  bytes: (k, offset, length) => bytesAt(input.sources[k] ?? new Uint8Array(0), offset, length),
  operand: value,
})

describe('the program of a layer', async () => {
  for (const [name, spec] of Object.entries(smallLayers)) {
    const { statement, proof } = await proveSmall(engine, spec)
    const program = buildVerifier(spec, { engine })
    const verdict = (about: LayerStatement, bytes: Uint8Array): boolean => traceVerification(about, bytes, { engine, program }).verdict

    it(`${name}: reads only earlier nodes, of the right kinds, and depends on the spec alone`, () => {
      for (let k = 0; k < program.count; k++) {
        const instruction = program.instruction(k)
        const kinds = instructionSet[instruction.opcode]?.operands ?? []
        operandsOf(instruction).forEach((node, i) => {
          assert.ok(node < k)
          assert.equal(instructionSet[program.instruction(node).opcode]?.result, kinds[i])
        })
      }
      assert.equal(toHex(buildVerifier({ ...spec }, { engine }).root), toHex(program.root))
    })

    it(`${name}: checks every length, scalar and point, hashes every byte of the proof once and adds every point once`, () => {
      const layout = proofLayout(createRelation(spec))
      const nodes = Array.from({ length: program.count }, (_, k) => ({ k, ...program.instruction(k) }))
      const named = (op: OpName) => nodes.filter(({ opcode }) => opcode === opcodeOf(op))
      // the verdict, from its end to its beginning
      const checked = new Map<OpName, number[]>()
      let at = program.count - 1
      for (let op = nameOf(program, at); op !== 'CONST_WORD'; at = program.instruction(at).a, op = nameOf(program, at))
        checked.set(op, [...(checked.get(op) ?? []), program.instruction(at).b])
      assert.deepEqual(program.instruction(at).immediate.at(-1), 1)
      const sorted = (list: readonly number[] | undefined): readonly number[] => [...(list ?? [])].sort((a, b) => a - b)
      assert.deepEqual(
        sorted(checked.get('CANONICAL')),
        named('WORD').map(({ k }) => k),
      )
      assert.deepEqual(
        sorted(checked.get('VALID')),
        named('POINT').map(({ k }) => k),
      )
      assert.deepEqual(
        sorted(checked.get('EQ')),
        named('LENGTH').map(({ k }) => k),
      )
      assert.deepEqual([checked.get('NONZERO')?.length, checked.get('IDENTITY')?.length], [1, 1])
      assert.deepEqual(
        named('LENGTH').map(({ a }) => a),
        [0, 1, 2, 3, 4],
      )
      assert.deepEqual(
        named('WORD').map(({ b }) => b),
        Array.from({ length: layout.scalars }, (_, k) => 33 * layout.points + 32 * k),
      )
      let hashed = 0
      for (const { a, b, c } of named('CHUNK')) {
        assert.deepEqual([a, b], [0, hashed])
        hashed += c
      }
      assert.equal(hashed, layout.bytes)
      const added = sorted(named('MULADD').map(({ c }) => c))
      assert.deepEqual(added, sorted([...named('POINT').map(({ k }) => k), ...added.filter((k) => nameOf(program, k) === 'CONST_POINT')]))
      const generators = Math.max(layout.f1, layout.f2) + 2
      assert.equal(added.length, named('POINT').length + generators)
      assert.equal(named('POINT').filter(({ a }) => a === 0).length, layout.points)
    })

    it(`${name}: says yes to the honest proof and no to a change of every message, commitment and word`, () => {
      assert.equal(verdict(statement, proof), true)
      const layout = proofLayout(createRelation(spec))
      const starts = [
        ...Array.from({ length: layout.points }, (_, k) => 33 * k + 9),
        ...Array.from({ length: layout.scalars }, (_, k) => 33 * layout.points + 32 * k + 31),
      ]
      for (const at of starts.filter((_, k) => k % Math.ceil(starts.length / 12) === 0))
        assert.equal(verdict(statement, changed(proof, at, 1)), false, `byte ${at}`)
      const flip = <T extends string | null>(text: T): T =>
        text === null ? text : (`${text.slice(0, 3)}${text[3] === '2' ? 3 : 2}${text.slice(4)}` as T)
      assert.equal(verdict({ ...statement, output: flip(statement.output) }, proof), false)
      statement.inputs.forEach((_, k) => {
        const inputs = statement.inputs.map((input, i) => (i === k ? flip(input) : input))
        assert.equal(verdict({ ...statement, inputs }, proof), false)
      })
      if (statement.weights !== null) assert.equal(verdict({ ...statement, weights: flip(statement.weights) }, proof), false)
      assert.equal(verdict({ ...statement, context: { ...statement.context, layerIndex: 1 } }, proof), false)
    })
  }
})

const nameOf = (program: Program, k: number): OpName => instructionSet[program.instruction(k).opcode]?.name ?? 'CONST_WORD'

const changed = (proof: Uint8Array, at: number, by: number): Uint8Array => proof.map((byte, k) => (k === at ? byte ^ by : byte))

describe('the trace of a proof', async () => {
  const { statement, proof } = await proveSmall(engine, smallLayers['argmax'] ?? { kind: 'argmax', size: 2, chunk: 2, slots: 1 })
  const program = buildVerifier(statement.spec, { engine })
  const layout = proofLayout(createRelation(statement.spec))

  it('has at every node the value that a chain computes, also for proofs that are no proofs', () => {
    const garbage = Uint8Array.from({ length: proof.length }, (_, k) => (k * 31) & 255)
    for (const bytes of [proof, garbage, new Uint8Array(0), proof.subarray(0, 100)]) {
      const trace = traceVerification(statement, bytes, { engine, program })
      assert.equal(trace.verdict, bytes === proof)
      const reads = readsOf({ input: trace.input, value: (k) => trace.value(k) })
      for (let k = 0; k < program.count; k++) assert.deepEqual(execute(program.instruction(k), reads), trace.value(k), `node ${k}`)
    }
  })

  it('ends with the verdict of both verifiers: encodings, lengths, order, repetition', () => {
    const [points, scalars] = [33 * layout.points, proof.length]
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const high = proof.slice()
    high.set(wordOf(order), points)
    const shifted = proof.slice()
    const first = BigInt(toHex(proof.subarray(points, points + 32)))
    if (first + order < 2n ** 256n) shifted.set(wordOf(first + order), points)
    const swapped = proof.slice()
    swapped.set(proof.subarray(33, 66), 0)
    swapped.set(proof.subarray(0, 33), 33)
    const cases = [
      proof,
      high,
      shifted,
      swapped,
      changed(proof, 0, 2),
      changed(proof, 0, 1),
      changed(proof, points - 33, 1),
      new Uint8Array(proof.length),
      new Uint8Array(proof.length).fill(255),
      proof.subarray(0, -1),
      Uint8Array.from([...proof, 0]),
      proof.subarray(0, scalars - 32),
      Uint8Array.from([...proof, ...proof]),
    ]
    for (const [k, bytes] of cases.entries()) {
      const expected = verifyLayer(statement, bytes, { engine }).ok
      assert.equal(traceVerification(statement, bytes, { engine, program }).verdict, expected, `case ${k}`)
      assert.equal(verifyLayerSlowly(statement, bytes).ok, expected, `case ${k}`)
    }
    const surplus = [
      { ...statement, output: `${statement.output}${statement.output.slice(2)}` as const },
      { ...statement, inputs: [...statement.inputs, statement.output] },
      { ...statement, weights: statement.output },
      { ...statement, inputs: [] },
    ]
    for (const [k, about] of surplus.entries()) {
      assert.equal(verifyLayer(about, proof, { engine }).ok, false)
      assert.equal(traceVerification(about, proof, { engine, program }).verdict, false, `statement ${k}`)
    }
  })
})

const wordOf = (value: bigint): Uint8Array => Uint8Array.from({ length: 32 }, (_, k) => Number((value >> BigInt(8 * (31 - k))) & 255n))

describe('programs', () => {
  it('are refused for layers that no transaction could hold', () => {
    const spec = smallLayers['table']
    assert.ok(spec?.kind === 'table')
    const huge: LayerSpec = { ...spec, size: 1 << 19, chunk: 8, slots: 8 }
    assert.throws(() => buildVerifier({ ...huge, slots: 1 }, { engine }), { code: 'proof.unsupported-layer' })
    assert.throws(() => buildVerifier({ ...spec, size: 0 }, { engine }), { code: 'proof.unsupported-layer' })
  })
})

describe('openings', () => {
  it('bytes of a source open against its digest, and no others do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9000 }),
        fc.nat(9500),
        fc.integer({ min: 0, max: 1024 }),
        fc.nat(),
        (size, offset, length, noise) => {
          const source = Uint8Array.from({ length: size }, (_, k) => (k * 7 + (k >> 8)) & 255)
          const hash = dataDigest(source)
          const range = { offset, length }
          const opened = openSource(source, offset, length)
          assert.ok(opened.chunks.length <= 2)
          assert.deepEqual(readOpening(opened, hash, range), bytesAt(source, offset, length))
          assert.equal(readOpening({ ...opened, length: size + 1 }, hash, range), undefined)
          assert.equal(readOpening(opened, changed(hash, noise % 32, 1), range), undefined)
          for (const [k, chunk] of opened.chunks.entries()) {
            const wrong = [
              { ...chunk, data: changed(chunk.data, noise % chunk.data.length, 1) },
              { ...chunk, data: chunk.data.slice(0, -1) },
              { ...chunk, index: chunk.index + 1 },
              { ...chunk, siblings: [...chunk.siblings, hash] },
              ...(chunk.siblings.length > 0 ? [{ ...chunk, siblings: chunk.siblings.slice(1) }] : []),
            ]
            for (const other of wrong) {
              const chunks = opened.chunks.map((same, i) => (i === k ? other : same))
              assert.equal(readOpening({ ...opened, chunks }, hash, range), undefined)
            }
            assert.equal(readOpening({ ...opened, chunks: opened.chunks.filter((_, i) => i !== k) }, hash, range), undefined)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('both texts of the digest agree', () => {
    for (const size of [0, 1, 31, 32, 33, 1023, 1024, 1025, 2048, 3000, 5 * 1024, 7777]) {
      const data = Uint8Array.from({ length: size }, (_, k) => (k * 13) & 255)
      assert.deepEqual(dataDigest(data), digest(data))
    }
  })

  it('every leaf of a tree opens with its path, and holes are zero', () => {
    for (const count of [1, 2, 3, 5, 8, 13]) {
      const leaf = (k: number): Uint8Array => new Uint8Array(32).fill(k + 1)
      const tree = HashTree.build(count, leaf)
      for (let k = 0; k < count; k++) assert.deepEqual(rootOf(leaf(k), k, tree.path(k)), tree.root)
      const whole = Array.from({ length: 2 ** tree.depth }, (_, k) => (k < count ? leaf(k) : new Uint8Array(32)))
      let level = whole
      while (level.length > 1) level = level.flatMap((node, k) => (k % 2 === 0 ? [hashPair(node, level[k + 1] ?? node)] : []))
      assert.deepEqual(tree.root, level[0])
    }
  })

  it('instructions survive their bytes, and garbage is none', () => {
    const field = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    fc.assert(
      fc.property(fc.nat(instructionSet.length - 1), field, field, field, fc.nat(100), (opcode, a, b, c, cut) => {
        const immediate = new Uint8Array(instructionSet[opcode]?.immediate ?? 0).fill(7)
        const bytes = encodeInstruction({ opcode, a, b, c, immediate })
        assert.deepEqual(decodeInstruction(bytes), { opcode, a, b, c, immediate })
        assert.equal(decodeInstruction(bytes.slice(0, Math.min(cut, bytes.length - 1))), undefined)
        assert.equal(decodeInstruction(Uint8Array.from([...bytes, 0])), undefined)
        bytes[0] = instructionSet.length + (cut % 200)
        assert.equal(decodeInstruction(bytes), undefined)
      }),
    )
  })
})
