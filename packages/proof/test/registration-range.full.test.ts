// Owners who lie in a range argument: about every bound, in every column, at every place; both verifiers refuse.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createProofEngine } from '../src/engine.ts'
import { invert } from '../src/kernels/field.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { verifyRegistrationSlowly } from '../src/reference/registration-range.ts'
import { verifyRegistration } from '../src/registration-range/verify-registration.ts'
import { convolutionSpec, denseSpec, requantisation } from './support/layers.ts'
import { honestOwner, lieAbout, type OwnerLie } from './support/lying-owner.ts'
import { opened } from './support/lying-prover.ts'

const window = { channels: 4, height: 3, width: 3, kernel: [2, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
const dense = denseSpec({
  inputSize: 5,
  outputSize: 3,
  inputChunk: 3,
  outputChunk: 2,
  slots: 2,
  requantisation: requantisation({ shift: 6, excessBits: 28 }),
})
const grouped = convolutionSpec({ window, group: 2, outputChannels: 4, outputPlanes: 2 })
const few = { multiplierBits: 3, biasBits: 4 }

describe('owners who lie about a registration', async () => {
  const engine = await createProofEngine()
  const honest = (): OwnerLie => honestOwner(dense)
  const set = (list: { vector: bigint[] }[] | bigint[][], row: number, column: number, value: bigint): void => {
    const entry = list[row]
    const vector = Array.isArray(entry) ? entry : entry?.vector
    assert.ok(vector !== undefined)
    vector[column] = value
  }
  const verdicts = (lie: OwnerLie): readonly [string, boolean] => {
    const { registration, proof } = lieAbout(lie, 3)
    const place = { engine, layerIndex: 3, bounds: lie.bounds }
    const fast = verifyRegistration(registration, proof, place)
    return [fast.ok ? 'ok' : fast.failedCheck, verifyRegistrationSlowly(registration, proof, place)]
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
})
