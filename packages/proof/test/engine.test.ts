// One engine shared by everything in a thread, and bytes from anywhere.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { layerStatementSchema } from '@tacit/protocol'
import fc from 'fast-check'
import { parseOpening } from '../src/commit/opening-encoding.ts'
import { createProofEngine } from '../src/engine.ts'
import { decodeNetworkProof } from '../src/network/encoding.ts'
import { parseProvableNetwork } from '../src/network/register-network.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { buildLayer, convolutionSpec, denseSpec, random, requantisation } from './support/layers.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const spec = denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small })

describe('engine', async () => {
  const engine = await createProofEngine()
  const built = [
    await buildLayer(engine, spec, { seed: 31 }),
    await buildLayer(engine, convolutionSpec(), { seed: 32 }),
    await buildLayer(engine, denseSpec({ inputSize: 90, outputSize: 70, inputChunk: 90, outputChunk: 70, slots: 2 }), { seed: 33 }),
  ] as const

  it('proves several layers at once and verifies in between, on one engine', async () => {
    const first = await proveLayer(built[0].statement, built[0].witness, { engine, random })
    const seen: boolean[] = []
    const check = (): void => void seen.push(verifyLayer(built[0].statement, first, { engine }).ok)
    const proofs = await Promise.all(
      built.map(({ statement, witness }) => proveLayer(statement, witness, { engine, random, onProgress: check })),
    )
    assert.deepEqual(seen, new Array(12).fill(true))
    proofs.forEach((proof, k) => {
      assert.deepEqual(verifyLayer(built[k]?.statement ?? built[0].statement, proof, { engine }), { ok: true })
    })
  })

  it('keeps its memory: a hundred proofs need no more than one', async () => {
    const [{ statement, witness }] = built
    await proveLayer(statement, witness, { engine, random })
    const before = engine.memoryBytes
    for (let k = 0; k < 100; k++) assert.ok(verifyLayer(statement, await proveLayer(statement, witness, { engine, random }), { engine }).ok)
    assert.equal(engine.memoryBytes, before)
  })

  it('leaves no witness behind in its memory', async () => {
    const fresh = await createProofEngine()
    const { statement, witness } = await buildLayer(fresh, spec, { seed: 34 })
    await proveLayer(statement, witness, { engine: fresh, random })
    const blinder = Buffer.from(witness.output.blinders.subarray(0, 32))
    const memory = Buffer.from(fresh.kernels.x.memory.buffer)
    assert.equal(memory.indexOf(blinder), -1)
    const values = new Int16Array(Array.from(witness.weights?.values.weights.subarray(0, 6) ?? []))
    assert.equal(memory.indexOf(Buffer.from(values.buffer)), -1)
  })

  it('answers any bytes with a verdict or an error of its own', async () => {
    const [{ statement }] = built
    const { bytes, points } = proofLayout(createRelation(spec))
    fc.assert(
      fc.property(fc.uint8Array({ minLength: bytes, maxLength: bytes }), (proof) => {
        for (let k = 0; k < points; k++) proof[33 * k] = 2 + ((proof[33 * k] ?? 0) & 1)
        return !verifyLayer(statement, proof, { engine }).ok
      }),
      { numRuns: 200 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2 * bytes }), (proof) => !verifyLayer(statement, proof, { engine }).ok))
    const malformed = (work: () => unknown): boolean => {
      try {
        work()
        return true
      } catch (error) {
        return /^(protocol\.malformed|proof\.unsupported-layer)$/.test((error as { code?: string }).code ?? '')
      }
    }
    const magic = new TextEncoder().encode('TACITLP\u0001')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => malformed(() => decodeNetworkProof(Uint8Array.from([...magic, ...tail])))),
    )
    fc.assert(
      fc.property(
        fc.jsonValue(),
        (value) => malformed(() => parseProvableNetwork(value)) && malformed(() => layerStatementSchema(value, 'statement')),
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (tail) => {
        const opening = Uint8Array.from([...new TextEncoder().encode('TACITAO\u0001'), ...tail])
        await assert.rejects(parseOpening(opening, { engine }), { code: 'protocol.malformed' })
      }),
    )
  })

  it('survives statements whose fields are changed at random', () => {
    const [{ statement }] = built
    const numbers = Object.keys(spec).filter((key) => typeof spec[key as keyof typeof spec] === 'number')
    fc.assert(
      fc.property(
        fc.constantFrom(...numbers),
        fc.integer({ min: 1, max: 5000 }),
        fc.uint8Array({ maxLength: 60_000 }),
        (key, value, proof) => {
          const changed = { ...statement, spec: { ...spec, [key]: value } }
          return !verifyLayer(changed, proof, { engine }).ok
        },
      ),
      { numRuns: 300 },
    )
  })
})
