// Attacks that need no false witness: statements, specs, networks and batches that are not what they look like. docs/reviews/proofs.md
// says what each one tries.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Address,
  type Bytes32,
  concatBytes,
  type Hex,
  type LayerSpec,
  type LayerStatement,
  type ModelId,
  parseHex,
  toHex,
} from '@tacit/protocol'
import { commitActivation, openActivation } from '../src/commit/activation.ts'
import { parseOpening } from '../src/commit/opening-encoding.ts'
import { commitWeights, registerLayer } from '../src/commit/weights.ts'
import { createProofEngine } from '../src/engine.ts'
import { scalarBytes } from '../src/kernels/field.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import type { QuantisedNetwork } from '../src/network/quantised-network.ts'
import { networkDigest } from '../src/network/network.ts'
import { parseProvableNetwork } from '../src/network/register-network.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { generator, mod, Point } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { verifyLayer, verifyLayers } from '../src/verifier/verify-layer.ts'
import { buildLayer, convolutionSpec, denseSpec, random, randomWeights, requantisation, seeded } from './support/layers.ts'
import { proveInference, registerNetwork, requestContext, runNetwork } from './support/prove-network.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const spec = denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small })
const rescale: LayerSpec = {
  kind: 'rescale',
  size: 4,
  chunk: 2,
  slots: 2,
  inputZeroPoint: 3,
  multiplier: 90,
  bias: 7,
  requantisation: requantisation({ shift: 6, excessBits: 10 }),
}
const point = (k: number): Hex => toHex(generator(`G/${k}`).toBytes(true))

describe('attacks on statements', async () => {
  const engine = await createProofEngine()
  const make = async (layer: LayerSpec, seed: number, layerIndex = 0) => {
    const { statement, witness } = await buildLayer(engine, layer, { seed, layerIndex })
    return { statement, witness, proof: await proveLayer(statement, witness, { engine, random }) }
  }
  const dense = await make(spec, 11)
  const scaled = await make(rescale, 12)
  const neither = (statement: LayerStatement, proof: Uint8Array, why: string): void => {
    assert.equal(verifyLayer(statement, proof, { engine }).ok, false, why)
    assert.equal(verifyLayerSlowly(statement, proof).ok, false, `slow: ${why}`)
  }

  it('points that no row, chunk or input asks for are refused by both verifiers, with a proof made for them', async () => {
    const more = (points: Hex | null): Hex => `${points ?? '0x'}${point(9).slice(2)}`
    for (const { statement, witness } of [dense, scaled]) {
      const variants: LayerStatement[] = [
        { ...statement, output: more(statement.output) },
        { ...statement, inputs: statement.inputs.map(more) },
        { ...statement, inputs: [...statement.inputs, point(8)] },
        { ...statement, weights: more(statement.weights) },
      ]
      for (const [k, variant] of variants.entries()) {
        // the prover below follows the protocol over the longer statement: only the counts are wrong
        const { inputs, output, weights } = witness
        const renamed = <T extends object>(opening: T, commitment: Hex | null): T =>
          new Proxy(opening, { get: (o, key) => (key === 'commitment' ? commitment : bind(o, key)) })
        const bind = (o: object, key: string | symbol): unknown => {
          const value = Reflect.get(o, key, o)
          return typeof value === 'function' ? value.bind(o) : value
        }
        const registered =
          weights === undefined
            ? undefined
            : new Proxy(weights, {
                get: (o, key) => {
                  if (key === 'registration') return { ...o.registration, points: variant.weights }
                  return key === 'pointsDigest' ? undefined : bind(o, key)
                },
              })
        const extra = variant.inputs.map((commitment, i) => renamed(inputs[i] ?? output, commitment))
        const longer = {
          inputs: extra,
          output: renamed(output, variant.output),
          ...(registered === undefined ? {} : { weights: registered }),
        }
        const proof =
          weights === undefined && variant.weights !== null ? scaled.proof : await proveLayer(variant, longer, { engine, random })
        assert.deepEqual(verifyLayer(variant, proof, { engine }), { ok: false, failedCheck: 'statement' }, `variant ${k}`)
        assert.equal(verifyLayerSlowly(variant, proof).ok, false, `slow, variant ${k}`)
      }
    }
  })

  it('specs with fractions, zeros, infinities, missing and surplus fields are refused, never thrown at and never looped over', () => {
    const { statement, proof } = dense
    const numbers = [Number.NaN, Number.POSITIVE_INFINITY, 0.5, -1, 0, 2 ** 40, '3', null, undefined] as unknown as number[]
    for (const base of [spec, rescale, convolutionSpec({ requantisation: small })] as LayerSpec[]) {
      for (const key of Object.keys(base).filter((name) => name !== 'kind' && name !== 'inputZeroPoint' && name !== 'bias')) {
        for (const value of numbers) {
          if (key === 'multiplier' && value === 0) continue // allowed: such a layer ignores its input
          const hostile = { ...base, [key]: value } as LayerSpec
          assert.equal(verifyLayer({ ...statement, spec: hostile }, proof, { engine }).ok, false, `${key} = ${value}`)
          assert.throws(() => createRelation(hostile), { code: 'proof.unsupported-layer' }, `${key} = ${value}`)
        }
      }
    }
    for (const shift of [Number.NaN, 1.5])
      assert.throws(() => createRelation({ ...spec, requantisation: { ...small, shift } }), { code: 'proof.unsupported-layer' })
    assert.throws(() => createRelation({ ...spec, requantisation: { ...small, high: 300 } }), { code: 'proof.unsupported-layer' })
    assert.throws(() => createRelation({ ...spec, extra: 1 } as LayerSpec), { code: 'proof.unsupported-layer' })
    assert.throws(() => createRelation({ kind: 'unknown' } as unknown as LayerSpec), { code: 'proof.unsupported-layer' })
  })

  it('an argmax over more values than an int8 index can name is refused', () => {
    assert.ok(createRelation({ kind: 'argmax', size: 128, chunk: 128, slots: 4 }))
    assert.throws(() => createRelation({ kind: 'argmax', size: 129, chunk: 129, slots: 4 }), { code: 'proof.unsupported-layer' })
  })

  it('a kilobyte of JSON per layer does not buy a tenth of a second each: thousands of huge layers are read in proportion to their bytes', () => {
    const huge: LayerSpec = {
      kind: 'rescale',
      size: 2 ** 20,
      chunk: 8192,
      slots: 64,
      inputZeroPoint: 0,
      multiplier: 1,
      bias: 0,
      requantisation: small,
    }
    const layers = Array.from({ length: 2000 }, (_, layerIndex) => ({
      registration: registerLayer(huge, { layerIndex }),
      inputs: [layerIndex],
    }))
    const before = process.cpuUsage()
    const network = parseProvableNetwork(JSON.parse(JSON.stringify({ inputCount: 1, layers, outputs: [2000] })))
    const verdict = verifyNetwork(
      network,
      { boundaries: [], proofs: [] },
      { engine, context: requestContext(), expected: { network: networkDigest(network), inputs: [], outputs: [] } },
    )
    assert.deepEqual(verdict, { ok: false, failedCheck: 'count' })
    // numbering the outputs of every layer took four minutes of computing
    assert.ok(process.cpuUsage(before).user < 20e6)
  })

  it('no proofs prove nothing', () => {
    assert.equal(verifyLayers([], { engine }).ok, false)
  })

  it('errors of two proofs that cancel when they are added up, and of one proof that cancel between its equations', () => {
    const { statement, proof } = dense
    const { points, scalars } = proofLayout(createRelation(spec))
    const at = (k: number): number => 33 * points + 32 * (k < 0 ? scalars + k : k)
    const bump = (bytes: Uint8Array, k: number, by: bigint): Uint8Array => {
      const out = bytes.slice()
      const value = BigInt(toHex(out.subarray(at(k), at(k) + 32)))
      out.set(scalarBytes(mod(value + by)), at(k))
      return out
    }
    for (const k of [0, 1, -1, -2, -3, -4]) {
      const [a, b] = [bump(proof, k, 77n), bump(proof, k, -77n)]
      assert.equal(
        verifyLayers(
          [
            { statement, proof: a },
            { statement, proof: b },
          ],
          { engine },
        ).ok,
        false,
      )
      assert.equal(
        verifyLayers(
          [
            { statement, proof: a },
            { statement, proof },
            { statement, proof: a },
          ],
          { engine },
        ).ok,
        false,
      )
      assert.equal(verifyLayers(new Array(5).fill({ statement, proof: a }), { engine }).ok, false)
    }
    // pi_1, pi_2, theta_1, theta_2 all stand before H: opposite errors cancel unless gamma tells the equations apart
    for (const [k, l] of [
      [-4, -3],
      [-4, -2],
      [-3, -1],
      [-2, -1],
    ] as const)
      neither(statement, bump(bump(proof, k, 5n), l, -5n), `${k} ${l}`)
  })

  it('a proof is worth nothing at another place, for another model, request, nonce or payee, whoever registered the same weights twice', async () => {
    const layerSeed = random(32)
    const values = randomWeights(spec, seeded(2))
    const [first, second] = [
      await commitWeights(spec, values, { engine, layerIndex: 0, seed: layerSeed }),
      await commitWeights(spec, values, { engine, layerIndex: 1, seed: layerSeed }),
    ]
    // the same weights at two places share no commitment: nobody sees that they are the same
    const rows = (points: Hex | null): Set<string> => new Set((points ?? '0x').slice(2).match(/.{66}/g))
    const known = rows(first.registration.points)
    assert.equal(
      [...rows(second.registration.points)].some((row) => known.has(row)),
      false,
    )
    const { statement, proof } = dense
    const c = statement.context
    const elsewhere: LayerStatement['context'][] = [
      { ...c, layerIndex: 1 },
      { ...c, modelId: `0x${'23'.repeat(32)}` as ModelId },
      { ...c, requestId: `0x${'23'.repeat(32)}` as Bytes32 },
      { ...c, nonce: `0x${'23'.repeat(32)}` as Bytes32 },
      { ...c, payee: `0x${'56'.repeat(20)}` as Address },
      { ...c, payee: c.registry, registry: c.payee },
      { ...c, nonce: c.requestId, requestId: c.nonce },
    ]
    for (const place of elsewhere) neither({ ...statement, context: place }, proof, JSON.stringify(place))
  })

  it('a seed that is used again for a changed row: the difference of the commitments is not the difference of the rows', async () => {
    const layerSeed = random(32)
    const values = randomWeights(spec, seeded(3))
    const weights = values.weights.slice()
    weights[0] = (weights[0] ?? 0) ^ 1
    const step = (weights[0] ?? 0) - (values.weights[0] ?? 0)
    const [a, b] = [
      await commitWeights(spec, values, { engine, layerIndex: 0, seed: layerSeed }),
      await commitWeights(spec, { ...values, weights }, { engine, layerIndex: 0, seed: layerSeed }),
    ]
    const row = (points: Hex | null, k: number) => Point.fromHex((points ?? '0x').slice(2 + 66 * k, 68 + 66 * k))
    const difference = row(b.registration.points, 0).subtract(row(a.registration.points, 0))
    assert.equal(difference.equals(generator('G/0').multiply(mod(BigInt(step * (values.multipliers[0] ?? 0))))), false)
    for (let k = 0; k < 6; k++) assert.equal(row(a.registration.points, k).equals(row(b.registration.points, k)), false, `row ${k}`)
  })

  it('points with an x that is reduced by the field, the identity, hybrid and uncompressed forms', () => {
    const p = 2n ** 256n - 2n ** 32n - 977n
    const { statement, proof } = dense
    // x = 1 lies on the curve; p + 1 names the same point a second time
    assert.ok(Point.fromBytes(concatBytes(Uint8Array.of(2), scalarBytes(1n))))
    for (const [sign, x] of [
      [2, p + 1n],
      [3, p + 1n],
      [2, p],
      [0, 0n],
      [2, 0n],
      [4, 1n],
      [6, 1n],
      [2, 5n],
    ] as const) {
      const encoded = concatBytes(Uint8Array.of(sign), scalarBytes(x))
      const changed = proof.slice()
      changed.set(encoded, 0)
      neither(statement, changed, `proof ${sign} ${x}`)
      const output = parseHex(statement.output, 'Points').slice()
      output.set(encoded, 0)
      neither({ ...statement, output: toHex(output) }, proof, `output ${sign} ${x}`)
      const weights = parseHex(statement.weights ?? '0x', 'Points').slice()
      weights.set(encoded, 0)
      neither({ ...statement, weights: toHex(weights) }, proof, `weights ${sign} ${x}`)
    }
  })

  it('generators have no relation that eyes can see: no two are equal or opposite', () => {
    const labels = ['U', 'H', ...Array.from({ length: 200 }, (_, k) => `G/${k}`)]
    const seen = new Set(labels.map((label) => generator(label).toAffine().x))
    seen.add(Point.BASE.toAffine().x)
    assert.equal(seen.size, labels.length + 1)
  })

  it('the number of excess bits does not tell how long the largest hidden multiplier is', () => {
    const model = (multiplier: number): QuantisedNetwork => ({
      inputCount: 1,
      boundaries: [
        { shape: [1, 2], zeroPoint: 0, lo: -128, hi: 127 },
        { shape: [1, 2], zeroPoint: 0, lo: -128, hi: 127 },
      ],
      layers: [
        {
          kind: 'dense',
          input: 0,
          rows: 1,
          inputSize: 2,
          outputSize: 2,
          weights: Int8Array.of(1, 2, 3, 4),
          requantization: { multipliers: [multiplier, 7], biases: [0n, 0n], shift: 30 },
        },
      ],
      outputs: [{ boundary: 1, answer: 'values' }],
    })
    const specOf = (multiplier: number): LayerSpec | undefined => describeNetwork(model(multiplier)).layers[0]?.spec
    assert.deepEqual(specOf(1), specOf(2 ** 15 - 1))
    assert.deepEqual(specOf(2 ** 16), specOf(2 ** 31 - 1))
  })

  it('boundaries: swapped, replaced by a multiple, or by one that opens to the same values', async () => {
    const layer = { ...spec, inputSize: 3, outputSize: 3, inputChunk: 3, outputChunk: 3 }
    const next = seeded(8)
    const described = {
      inputCount: 1,
      layers: [0, 1, 2].map((k) => ({ spec: layer, weights: randomWeights(layer, next), inputs: [k] })),
      outputs: [3],
    }
    const registered = await registerNetwork(engine, described)
    const tensors = runNetwork(engine, described, [Int8Array.of(5, -9, 100)])
    const { proof, options } = await proveInference(engine, registered, tensors)
    assert.ok(verifyNetwork(registered.network, proof, options).ok)
    const other = await proveInference(engine, registered, tensors)
    const [b0 = '0x', b1 = '0x', b2 = '0x', b3 = '0x'] = proof.boundaries
    const negated: Hex = `0x${b1.startsWith('0x02') ? '03' : '02'}${b1.slice(4)}`
    for (const boundaries of [
      [b0, b2, b1, b3],
      [b0, negated, b2, b3],
      [b0, other.proof.boundaries[1] ?? '0x', b2, b3],
    ])
      assert.equal(verifyNetwork(registered.network, { ...proof, boundaries }, options).ok, false)
    // proofs of another run of the same request on the same tensors do not fit these commitments
    const [p0 = new Uint8Array(0), , p2 = new Uint8Array(0)] = proof.proofs
    const mixed = { ...proof, proofs: [p0, other.proof.proofs[1] ?? p0, p2] }
    assert.equal(verifyNetwork(registered.network, mixed, options).ok, false)
    // a network whose wiring says something else has another digest
    const wired = { ...registered.network, layers: registered.network.layers.map((l, k) => (k === 2 ? { ...l, inputs: [1] } : l)) }
    assert.deepEqual(verifyNetwork(wired, proof, options), { ok: false, failedCheck: 'network' })
  })

  it('statements whose points are no hexadecimal get a verdict, not an exception', () => {
    const { statement, proof } = dense
    const junk = (points: Hex | null): Hex => `0x${'zz'.repeat(((points ?? '0x').length - 2) / 2)}`
    const upper = (points: Hex | null): Hex => `0x${(points ?? '0x').slice(2).toUpperCase()}`
    for (const change of [junk, upper])
      for (const variant of [
        { ...statement, output: change(statement.output) },
        { ...statement, inputs: statement.inputs.map(change) },
        { ...statement, weights: change(statement.weights) },
      ])
        assert.deepEqual(verifyLayer(variant, proof, { engine }), { ok: false, failedCheck: 'statement' })
  })

  it('an opening with one enormous chunk does not buy the derivation of a million generators', async () => {
    const n = 2 ** 17
    const bytes = new Uint8Array(20 + 33 + n + 32)
    bytes.set(new TextEncoder().encode('TACITAO\u0001'))
    const view = new DataView(bytes.buffer)
    ;[1, n, n].forEach((value, k) => {
      view.setUint32(8 + 4 * k, value)
    })
    const own = await createProofEngine()
    const before = own.memoryBytes
    await assert.rejects(parseOpening(bytes, { engine: own }), { code: 'protocol.malformed' })
    const layout = { groups: 1, length: n, chunk: n }
    await assert.rejects(commitActivation(new Int8Array(n), layout, { engine: own, random }), { code: 'proof.witness-mismatch' })
    // the generators took nine megabytes and three seconds; half a minute for the megabyte that an opening may have
    assert.equal(own.memoryBytes, before)
  })

  it('commitments that are generators, opposite or equal: true proofs about them are accepted, the identity is no commitment', async () => {
    const layout = { groups: 1, length: 4, chunk: 2 }
    const zero = new Uint8Array(32)
    const open = async (values: readonly number[], blinders: readonly bigint[], points: readonly Hex[]) =>
      await openActivation(
        {
          values: Int8Array.from(values),
          blinders: concatBytes(...blinders.map(scalarBytes)),
          layout,
          commitment: `0x${points.map((p) => p.slice(2)).join('')}`,
        },
        { engine },
      )
    const H = toHex(generator('H').toBytes(true))
    const minusH = toHex(generator('H').negate().toBytes(true))
    const inputs = [
      await open([1, 0, 0, 1], [0n, 0n], [point(0), point(1)]),
      await open([0, 0, 0, 0], [1n, mod(-1n)], [H, minusH]),
      await open([1, 0, 1, 0], [0n, 0n], [point(0), point(0)]),
      await open([0, 0, 0, 0], [1n, 1n], [H, H]),
    ]
    for (const input of inputs) {
      const { statement, witness } = await buildLayer(engine, rescale, { inputs: [input] })
      const proof = await proveLayer(statement, witness, { engine, random })
      assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: true })
      const proved = { statement, proof }
      assert.deepEqual(verifyLayers([proved, proved, proved], { engine }), { ok: true })
    }
    for (const encoded of [`0x02${'00'.repeat(32)}`, `0x03${'00'.repeat(32)}`, `0x00${'00'.repeat(32)}`] as Hex[])
      await assert.rejects(
        openActivation(
          { values: Int8Array.of(0, 0), blinders: zero, layout: { groups: 1, length: 2, chunk: 2 }, commitment: encoded },
          { engine },
        ),
        { code: 'proof.witness-mismatch' },
      )
  })
})
