// The range argument of a registration: honest owners of every kind, owners who lie about every bound, and proofs that were touched.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { commitWeights, type LayerWeights } from '../src/commit/weights.ts'
import { createProofEngine } from '../src/engine.ts'
import { invert, ORDER, scalarBytes } from '../src/kernels/field.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { verifyRegistrationSlowly } from '../src/reference/registration-range.ts'
import { isAlwaysProvable, planRange } from '../src/registration-range/plan.ts'
import { proveRegistration } from '../src/registration-range/prove-registration.ts'
import { verifyRegistration } from '../src/registration-range/verify-registration.ts'
import { convolutionSpec, denseSpec, random, randomWeights, requantisation, seeded } from './support/layers.ts'
import { lieAbout, type OwnerLie } from './support/lying-owner.ts'
import { opened } from './support/lying-prover.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 4, height: 3, width: 3, kernel: [2, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
const dense = denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small })
const grouped = convolutionSpec({ window, group: 2, outputChannels: 4, outputPlanes: 2 })
const specs: Readonly<Record<string, LayerSpec>> = {
  dense,
  'transposed dense': {
    ...denseSpec({ rows: 2, inputSize: 4, outputSize: 3, inputChunk: 4, outputChunk: 2, slots: 2 }),
    kind: 'denseTransposed',
  },
  convolution: convolutionSpec({ requantisation: small }),
  'grouped convolution': grouped,
}
const bounds = { multiplierBits: 15, biasBits: 26 }

describe('range argument of a registration', async () => {
  const engine = await createProofEngine()
  const register = async (spec: LayerSpec, values: LayerWeights = randomWeights(spec, seeded(1))) =>
    await commitWeights(spec, values, { engine, layerIndex: 3, seed: random(32) })
  const options = { engine, layerIndex: 3, bounds }

  for (const [name, spec] of Object.entries(specs)) {
    it(`${name}: an honest registration is accepted`, async () => {
      const weights = await register(spec)
      const proof = await proveRegistration(weights, { engine, random, bounds })
      assert.equal(proof.length, planRange(spec, bounds).proofBytes)
      assert.deepEqual(verifyRegistration(weights.registration, proof, options), { ok: true })
      if (!name.includes(' ') || name.startsWith('grouped'))
        assert.equal(verifyRegistrationSlowly(weights.registration, proof, options), true)
    })
  }

  it('numbers at the edges of their bounds are accepted, numbers beyond are not proved', async () => {
    const spec = denseSpec({ inputSize: 2, outputSize: 3, inputChunk: 2, outputChunk: 3, slots: 1 })
    const values = { weights: Int8Array.of(-128, 127, 0, 1, -1, 5), multipliers: [0, 255, 256], biases: [-(2n ** 26n), 2n ** 26n - 1n, 0n] }
    for (const multiplierBits of [9, 16, 31]) {
      const place = { ...options, bounds: { multiplierBits, biasBits: 26 } }
      const weights = await register(spec, values)
      const proof = await proveRegistration(weights, { engine, random, bounds: place.bounds })
      assert.deepEqual(verifyRegistration(weights.registration, proof, place), { ok: true })
      // the same bytes do not show tighter or wider bounds
      for (const other of [
        { multiplierBits: multiplierBits - 1, biasBits: 26 },
        { multiplierBits, biasBits: 27 },
      ])
        assert.equal(verifyRegistration(weights.registration, proof, { ...place, bounds: other }).ok, false)
    }
    const weights = await register(spec, values)
    for (const narrow of [
      { multiplierBits: 8, biasBits: 26 },
      { multiplierBits: 9, biasBits: 25 },
    ])
      await assert.rejects(proveRegistration(weights, { engine, random, bounds: narrow }), { code: 'proof.witness-mismatch' })
    for (const wrong of [
      { multiplierBits: 0, biasBits: 26 },
      { multiplierBits: 32, biasBits: 26 },
      { multiplierBits: 9, biasBits: 63 },
      { multiplierBits: 9.5, biasBits: 2 },
    ])
      assert.throws(() => planRange(spec, wrong), { code: 'proof.unsupported-layer' })
    assert.throws(() => planRange({ kind: 'argmax', size: 3, chunk: 3, slots: 1 }, bounds), { code: 'proof.unsupported-layer' })
  })

  const few = { multiplierBits: 3, biasBits: 4 }
  const honest = (): OwnerLie => {
    const [multipliers, biases] = [
      [3n, 7n, 0n],
      [-16n, 15n, 2n],
    ]
    const rows = [
      [1n, -2n, 3n],
      [127n, -128n, 0n],
      [4n, 5n, 6n],
      [7n, 8n],
      [-9n, 1n],
      [0n, 0n],
    ]
    const registered = rows.map((row, k) => {
      const scaled = row.map((w) => w * (multipliers[k % 3] ?? 0n))
      while (scaled.length < 4) scaled.push(0n)
      if (k >= 3) scaled[3] = biases[k - 3] ?? 0n
      return opened(scaled)
    })
    return { spec: dense, bounds: few, registered, rows, multipliers, biases }
  }
  const set = (list: { vector: bigint[] }[] | bigint[][], row: number, column: number, value: bigint): void => {
    const entry = list[row]
    const vector = Array.isArray(entry) ? entry : entry?.vector
    assert.ok(vector !== undefined)
    vector[column] = value
  }
  let turn = 0
  const verdicts = (lie: OwnerLie): readonly [string, boolean] => {
    const { registration, proof } = lieAbout(lie, 3)
    const place = { engine, layerIndex: 3, bounds: lie.bounds }
    const fast = verifyRegistration(registration, proof, place)
    // the slow verifier sees every fifth lie
    const slow = turn++ % 5 === 0 ? verifyRegistrationSlowly(registration, proof, place) : fast.ok
    return [fast.ok ? 'ok' : fast.failedCheck, slow]
  }

  it('the same owner is accepted when it is honest', () => {
    assert.deepEqual(verdicts(honest()), ['ok', true])
  })

  it('owners who lie: each bound, each column, each place', () => {
    const lies: readonly (readonly [string, 'link' | 'range', (lie: OwnerLie) => void])[] = [
      ['a weight of 128', 'range', (l) => [set(l.rows, 0, 0, 128n), set(l.registered, 0, 0, 3n * 128n)]],
      ['a weight of -129', 'range', (l) => [set(l.rows, 4, 1, -129n), set(l.registered, 4, 1, -7n * 129n)]],
      ['a weight of one third', 'range', (l) => [set(l.rows, 0, 0, invert(3n)), set(l.registered, 0, 0, 1n)]],
      ['a registered weight that no row says', 'link', (l) => set(l.registered, 0, 0, 4n)],
      ['a weight of 128 that the rows deny', 'link', (l) => set(l.registered, 1, 0, 7n * 128n)],
      ['a bias in a chunk that is not the last', 'link', (l) => set(l.registered, 0, 3, 1n)],
      ['a weight behind the last column', 'link', (l) => set(l.registered, 3, 2, 1n)],
      ['another multiplier in another chunk', 'link', (l) => l.rows[3]?.forEach((w, k) => set(l.registered, 3, k, 2n * w))],
      ['a bias that is not the registered one', 'link', (l) => set(l.registered, 5, 3, 3n)],
      [
        'a multiplier of 8 with three bits',
        'range',
        (l) => {
          l.multipliers[2] = 8n
          ;[32n, 40n, 48n].forEach((w, k) => {
            set(l.registered, 2, k, w)
          })
          l.bytes = (name, bytes) => (name === 'multipliers' ? bytes.map((b, o) => (o === 2 ? 8n - 128n : b)) : bytes)
        },
      ],
      [
        'a multiplier of -1',
        'range',
        (l) => {
          l.multipliers[2] = mod(-1n)
          ;[-4n, -5n, -6n].forEach((w, k) => {
            set(l.registered, 2, k, w)
          })
          l.bytes = (name, bytes) => (name === 'multipliers' ? bytes.map((b, o) => (o === 2 ? -129n : b)) : bytes)
        },
      ],
      [
        'a bias of 16',
        'range',
        (l) => {
          l.biases[2] = 16n
          set(l.registered, 5, 3, 16n)
          l.bytes = (name, bytes) => (name === 'biases' ? bytes.map((b, o) => (o === 2 ? 32n - 128n : b)) : bytes)
        },
      ],
      [
        'a bias of -17',
        'range',
        (l) => {
          l.biases[2] = -17n
          set(l.registered, 5, 3, -17n)
          l.bytes = (name, bytes) => (name === 'biases' ? bytes.map((b, o) => (o === 2 ? -129n : b)) : bytes)
        },
      ],
      [
        'a multiplier that is not the one of its bytes',
        'link',
        (l) => {
          l.bytes = (name, bytes) => (name === 'multipliers' ? bytes.map((b, o) => (o === 0 ? b + 1n : b)) : bytes)
        },
      ],
    ]
    for (const [what, check, change] of lies) {
      const lie = honest()
      change(lie)
      assert.deepEqual(verdicts(lie), [check, false], what)
    }
  })

  it('numbers of more than one byte: a byte out of its range, a carry that the sum forgives', () => {
    const wide = (): OwnerLie => {
      const lie = honest()
      lie.bounds = { multiplierBits: 9, biasBits: 4 }
      return lie
    }
    assert.deepEqual(verdicts(wide()), ['ok', true])
    // 7 = 256 * 1 - 249: the same number from bytes that are none
    const carry = wide()
    carry.bytes = (name, bytes) =>
      name === 'multipliers' ? bytes.map((b, k) => (k === 1 ? 7n - 256n - 128n : k === 4 ? b + 1n : b)) : bytes
    assert.deepEqual(verdicts(carry), ['range', false])
  })

  it('grouped convolution: weights outside their group, rows moved to another group', () => {
    const own = (): OwnerLie => {
      const [multipliers, biases] = [
        [1n, 2n, 3n, 4n],
        [5n, -6n, 7n, -8n],
      ]
      const rows = Array.from({ length: 4 }, (_, o) => Array.from({ length: 4 }, (_, k) => BigInt(3 * o - k)))
      const moved = rows.map((row, o) =>
        Array.from({ length: 8 }, (_, k) => (Math.floor(k / 4) === Math.floor(o / 2) ? (row[k % 4] ?? 0n) : 0n)),
      )
      const registered = moved.map((row, o) => opened([...row.map((w) => w * (multipliers[o] ?? 0n)), biases[o] ?? 0n]))
      return { spec: grouped, bounds: few, registered, rows, multipliers, biases, moved }
    }
    assert.deepEqual(verdicts(own()), ['ok', true])
    const outside = own()
    set(outside.registered, 0, 7, 1n)
    assert.deepEqual(verdicts(outside), ['link', false])
    const both = own()
    set(both.registered, 0, 7, 1n)
    set(both.moved ?? [], 0, 7, 1n)
    assert.deepEqual(verdicts(both), ['link', false])
    const exchanged = own()
    for (const list of [exchanged.moved, exchanged.registered] as { vector: bigint[] }[][])
      [list[0], list[2]] = [list[2], list[0]] as [{ vector: bigint[] }, { vector: bigint[] }]
    assert.deepEqual(verdicts(exchanged), ['link', false])
  })

  it('touched, cut, transplanted, taken to another place or registration', async () => {
    const weights = await register(dense)
    const proof = await proveRegistration(weights, { engine, random, bounds })
    const { registration } = weights
    const ok = (bytes: Uint8Array, change: Partial<typeof options> = {}): boolean =>
      verifyRegistration(registration, bytes, { ...options, ...change }).ok
    assert.ok(ok(proof))
    for (let at = 0; at < proof.length; at += 331)
      assert.equal(ok(proof.map((byte, k) => (k === at ? byte ^ (1 << (at % 8)) : byte))), false, `byte ${at}`)
    for (const bytes of [
      proof.subarray(1),
      proof.subarray(0, -1),
      new Uint8Array(proof.length),
      new Uint8Array(0),
      Uint8Array.from([...proof, 0]),
    ])
      assert.equal(ok(bytes), false)
    assert.equal(ok(proof, { layerIndex: 4 }), false)
    const other = await register(dense, randomWeights(dense, seeded(2)))
    assert.equal(verifyRegistration(other.registration, proof, options).ok, false)
    assert.equal(verifyRegistration({ ...registration, points: other.registration.points }, proof, options).ok, false)
    assert.equal(verifyRegistration({ ...registration, points: null }, proof, options).ok, false)
    // parts of another argument about the same weights
    const again = await proveRegistration(weights, { engine, random, bounds })
    const plan = planRange(dense, bounds)
    const last = proof.slice()
    last.set(again.subarray(-2000), proof.length - 2000)
    assert.equal(ok(last), false)
    // a response that is not canonical
    const responses = proof.length - again.length + plan.proofBytes
    assert.equal(responses, plan.proofBytes)
    const points = plan.parts.reduce((sum, { layout }) => sum + layout.length / layout.chunk, 0) + plan.announcements
    const high = proof.slice()
    high.set(scalarBytes(ORDER), 33 * points)
    assert.deepEqual(verifyRegistration(registration, high, options), { ok: false, failedCheck: 'scalar' })
  })

  it('two arguments about the same weights share no point and no response', async () => {
    const weights = await register(dense)
    const [a, b] = [
      await proveRegistration(weights, { engine, random, bounds }),
      await proveRegistration(weights, { engine, random, bounds }),
    ]
    const plan = planRange(dense, bounds)
    const points = plan.parts.reduce((sum, { layout }) => sum + layout.length / layout.chunk, 0) + plan.announcements
    const pieces = (bytes: Uint8Array): string[] => [
      ...Array.from({ length: points }, (_, k) => Buffer.from(bytes.subarray(33 * k, 33 * k + 33)).toString('hex')),
      ...Array.from({ length: plan.responses }, (_, k) =>
        Buffer.from(bytes.subarray(33 * points + 32 * k, 33 * points + 32 * k + 32)).toString('hex'),
      ),
    ]
    assert.equal(new Set([...pieces(a), ...pieces(b)]).size, 2 * (points + plan.responses))
  })

  it('says when every int8 input can be proved', () => {
    assert.equal(isAlwaysProvable({ ...dense, requantisation: { ...small, excessBits: 29 } }, bounds), true)
    assert.equal(isAlwaysProvable(dense, bounds), false)
    assert.equal(isAlwaysProvable({ kind: 'argmax', size: 3, chunk: 3, slots: 1 }, bounds), false)
  })
})
