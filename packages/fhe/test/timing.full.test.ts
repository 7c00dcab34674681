// Whether times of what touches secrets depend on them. A t-test can show a leak and can never show that there is none; the positive controls
// show that these would be found on this machine, at this moment.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { createRing } from '../src/internal/ring.ts'
import { at, range } from '../src/internal/at.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { generateSecret } from '../src/ckks/secret-key.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { random, setUp } from './fixtures.ts'
import { getParameters } from '../src/parameters.ts'
import { leakThreshold, repeatedTimingLeak, type TimedOperation, timingLeak } from './timing.ts'

const ring = createRing(getParameters('ckks-8192-180'))
const { arena, kernels, polyDegree, coefficientBytes, limbBytes } = ring
const prime = at(ring.moduli, 0)
const [stream, input, out] = [16 * polyDegree, 16 * polyDegree, 16 * polyDegree].map((size) => arena.allocate(size)) as [
  number,
  number,
  number,
]
const [limb, other] = [arena.allocate(limbBytes), arena.allocate(limbBytes)]
const scratch = at(ring.scratch, 0)

// Thirty-two inputs of each class, each in memory of its own: copying one in costs the same and leaves the same behind in the caches,
// whatever its class. The fixed class repeats one input.
const poolSize = 32

function pool(target: number, draw: () => Uint8Array, fixed: Uint8Array): (isFixed: boolean) => void {
  const inputs = [range(poolSize).map(() => fixed.slice()), range(poolSize).map(draw)]
  let next = 0
  return (isFixed) => {
    next = (next + 1) % poolSize
    arena.bytes.set(at(at(inputs, isFixed ? 0 : 1), next), target)
  }
}

const asBytes = (view: Int32Array | Uint32Array | Float64Array): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Bytes of a key stream. */
const fillStream = pool(stream, () => new Uint8Array(randomBytes(8 * polyDegree)), new Uint8Array(8 * polyDegree).fill(0x2a))

/** A polynomial of small coefficients as secrets and errors are: all ones, or drawn. */
const drawSmall = (): Uint8Array => asBytes(Int32Array.from(randomBytes(polyDegree), (byte) => (byte % 3) - 1))
const fillSmall = pool(input, drawSmall, asBytes(new Int32Array(polyDegree).fill(1)))

/** A message as it is encrypted: nothing, or whole numbers of 39 bits and a sign. */
function drawMessage(): Uint8Array {
  const bytes = randomBytes(8 * polyDegree)
  return asBytes(Float64Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, polyDegree), (word) => Number(word >> 24n)))
}
const fillMessage = pool(input, drawMessage, new Uint8Array(8 * polyDegree))

/** A limb: of ones, or of anything. */
function drawResidues(): Uint8Array {
  const bytes = randomBytes(limbBytes)
  return asBytes(new Uint32Array(bytes.buffer, bytes.byteOffset, limbBytes / 4).map((word) => word % prime.value))
}
const fillResidues = pool(limb, drawResidues, asBytes(new Uint32Array(limbBytes / 4).fill(1)))

const { value, montgomeryInverse, forwardTables, inverseTables } = prime
const operations: readonly (readonly [string, TimedOperation])[] = [
  ['the ternary sampler', { prepare: fillStream, run: () => void kernels.ternary(stream, out, polyDegree) }],
  ['the error sampler', { prepare: fillStream, run: () => void kernels.centredBinomial(stream, out, polyDegree) }],
  ['the key stream', { prepare: fillStream, run: () => void kernels.chacha20(stream, 0, out, 64) }],
  ['lifting secrets and errors', { prepare: fillSmall, run: () => void kernels.liftSigned(input, out, value, coefficientBytes) }],
  ['lifting messages', { prepare: fillMessage, run: () => void kernels.liftDouble(input, out, value, polyDegree) }],
  ['the forward transform', { prepare: fillSmall, run: () => void kernels.forward(input, scratch, other, polyDegree, forwardTables) }],
  ['the inverse transform', { prepare: fillResidues, run: () => void kernels.inverse(limb, out, polyDegree, inverseTables) }],
  [
    'the product with the secret',
    { prepare: fillResidues, run: () => void kernels.multiply(limb, limb, other, value, montgomeryInverse, limbBytes) },
  ],
]

describe('a t-test on times', () => {
  it('finds a sampler that branches on what it draws', () => {
    const drawn = new Int8Array(polyDegree)
    const leaky = (): void => {
      const { bytes } = arena
      for (let i = 0; i < polyDegree; i++) {
        const byte = bytes[stream + i] ?? 0
        // Rejection, as it is often written: what is drawn decides how often the loop runs.
        let x = byte
        while (x >= 192) x -= 64
        drawn[i] = x < 64 ? -1 : x < 128 ? 0 : 1
      }
    }
    const t = timingLeak({ prepare: fillStream, run: leaky }, 4000)
    assert.ok(t > leakThreshold, `|t| = ${t.toFixed(1)}`)
  })

  it('finds a difference of one part in a hundred', () => {
    let isLonger = false
    const run = (): void => void kernels.ternary(stream, out, isLonger ? polyDegree : Math.round(polyDegree * 0.99))
    const prepare = (isFixed: boolean): void => {
      fillStream(isFixed)
      isLonger = isFixed
    }
    const t = timingLeak({ prepare, run })
    assert.ok(t > leakThreshold, `|t| = ${t.toFixed(1)}`)
  })

  it('finds no leak in encryption as a whole, of messages', () => {
    const made = setUp([64, 32, 10])
    const { polyDegree: n } = made.ring
    const messages = [false, true].map((isFixed) =>
      range(poolSize).map(() =>
        encodeInput(
          made.plan,
          Float64Array.from(randomBytes(64), (byte) => (isFixed ? 0 : byte / 255)),
        ),
      ),
    )
    const message = new Float64Array(n)
    let next = 0
    const prepare = (isFixed: boolean): void => {
      next = (next + 1) % poolSize
      message.set(at(at(messages, isFixed ? 1 : 0), next))
    }
    const run = (): void => void encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random })
    const t = repeatedTimingLeak({ prepare, run }, 2000)
    assert.ok(t < leakThreshold, `|t| = ${t.toFixed(1)}`)
  })

  it('finds no leak in decryption as a whole, of secrets', () => {
    const made = setUp([64, 32, 10])
    const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0 })
    const message = encodeInput(made.plan, new Float64Array(64).fill(0.5))
    const request = encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random })
    const answer = parseResponse(made.plan, session.evaluate(request).response)
    const seed = random(32)
    const keys = [false, true].map((isFixed) => range(poolSize).map(() => generateSecret(made.ring, isFixed ? seed.slice() : random(32))))
    let key = made.secretKey
    let next = 0
    const prepare = (isFixed: boolean): void => {
      next = (next + 1) % poolSize
      key = at(at(keys, isFixed ? 1 : 0), next)
    }
    const t = repeatedTimingLeak({ prepare, run: () => void decryptOutputs(made.ring, key, made.plan, answer) }, 4000)
    assert.ok(t < leakThreshold, `|t| = ${t.toFixed(1)}`)
  })

  for (const [name, operation] of operations) {
    it(`finds no leak in ${name}`, () => {
      const t = repeatedTimingLeak(operation)
      assert.ok(t < leakThreshold, `|t| = ${t.toFixed(1)}`)
    })
  }
})
