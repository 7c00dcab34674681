// Every kernel against the obvious computation with BigInt, at the edges of its range: all residues p - 1, all 0, and random.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chacha20 } from '@noble/ciphers/chacha.js'
import { at, range } from '../src/internal/at.ts'
import { digitPrimes, divideRounded, raiseDigits } from '../src/internal/base-conversion.ts'
import { keySwitchKernel } from '../src/internal/kernels.ts'
import { inverse, power, powersOfFive, residue } from '../src/internal/modular.ts'
import {
  allocateLimbs,
  ciphertextLimbs,
  createRing,
  extendedLimbs,
  type Limbs,
  productOf,
  type Ring,
  specialLimbs,
  toCoefficients,
  toSlots,
} from '../src/internal/ring.ts'
import { expandUniform, purposes, sampleError, sampleTernary } from '../src/internal/streams.ts'
import { primitiveRoot } from '../src/internal/transform-tables.ts'
import { getParameters } from '../src/parameters.ts'
import { random } from './fixtures.ts'

const ring = createRing(getParameters('ckks-8192-180'))
const wide = createRing(getParameters('ckks-16384-300'))
const fills = ['largest', 'zero', 'random'] as const
type Fill = (typeof fills)[number]

function residues(count: number, prime: number, fill: Fill): Uint32Array {
  if (fill !== 'random') return new Uint32Array(count).fill(fill === 'zero' ? 0 : prime - 1)
  const bytes = random(4 * count)
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count).map((word) => word % prime)
}

function fillLimb(r: Ring, limb: number, prime: number, fill: Fill): Uint32Array {
  const values = residues(r.polyDegree, prime, fill)
  const { words } = r.arena
  words.set(values.subarray(0, r.slots), limb / 4)
  words.set(values.subarray(r.slots), limb / 4 + r.slots + 16)
  r.kernels.padHalves(limb, r.slots)
  return values
}

function readLimb(r: Ring, limb: number): Uint32Array {
  const { words } = r.arena
  const joined = new Uint32Array(r.polyDegree)
  joined.set(words.subarray(limb / 4, limb / 4 + r.slots))
  joined.set(words.subarray(limb / 4 + r.slots + 16, limb / 4 + 2 * r.slots + 16), r.slots)
  return joined
}

function samplePositions(r: Ring, count: number): readonly number[] {
  return [0, 1, r.slots - 1, r.slots, r.polyDegree - 1, ...range(count).map((k) => (k * 7919 + 13) % r.polyDegree)]
}

describe('transforms', () => {
  for (const r of [ring, wide]) {
    it(`evaluate at the powers of five, N = ${r.polyDegree}`, () => {
      const fives = powersOfFive(r.polyDegree)
      for (const t of [0, r.moduli.length - 1]) {
        const { big, value } = at(r.moduli, t)
        const psi = primitiveRoot(r.polyDegree, big)
        for (const fill of fills) {
          const coefficients = at(r.work.coefficients, 0)
          const limb = at(r.work.limbs, 0)
          const values = residues(r.polyDegree, value, fill)
          r.arena.words.set(values, coefficients / 4)
          toSlots(r, coefficients, limb, t)
          const slots = readLimb(r, limb)
          for (const position of samplePositions(r, 3)) {
            const exponent = at(fives, position % r.slots)
            const x = power(psi, BigInt(position < r.slots ? exponent : 2 * r.polyDegree - exponent), big)
            const expected = values.reduceRight((sum, c) => (sum * x + BigInt(c)) % big, 0n)
            assert.equal(BigInt(at(slots, position)), expected)
          }
          toCoefficients(r, limb, coefficients, t)
          assert.deepEqual(r.arena.words.slice(coefficients / 4, coefficients / 4 + r.polyDegree), values)
        }
      }
    })
  }
})

describe('pointwise kernels', () => {
  const [a, b, c] = allocateLimbs(ring) as readonly [number, number, number, ...number[]]
  const { value, big, montgomeryInverse, montgomerySquare } = at(ring.moduli, 2)
  const down = inverse(1n << 32n, big)
  it('equal arithmetic modulo p', () => {
    for (const fill of fills) {
      const x = fillLimb(ring, a, value, fill)
      const y = fillLimb(ring, b, value, fill)
      const checks: readonly (readonly [() => void, (x: bigint, y: bigint) => bigint])[] = [
        [() => ring.kernels.add(a, b, c, value, ring.limbBytes), (u, v) => u + v],
        [() => ring.kernels.subtract(a, b, c, value, ring.limbBytes), (u, v) => u - v],
        [() => ring.kernels.multiply(a, b, c, value, montgomeryInverse, ring.limbBytes), (u, v) => u * v * down],
        [() => ring.kernels.addConstant(a, c, value - 1, value, ring.limbBytes), (u) => u - 1n],
      ]
      for (const [run, expected] of checks) {
        run()
        readLimb(ring, c).forEach((got, i) => assert.equal(BigInt(got), residue(expected(BigInt(at(x, i)), BigInt(at(y, i))), big)))
      }
    }
  })
  it('square both parts of a ciphertext', () => {
    const [d0, d1, d2] = allocateLimbs(ring) as readonly [number, number, number, ...number[]]
    for (const fill of fills) {
      const x = fillLimb(ring, a, value, fill)
      const y = fillLimb(ring, b, value, fill)
      ring.kernels.square(a, b, d0, d1, d2, montgomerySquare, value, montgomeryInverse, ring.limbBytes)
      const expected = [(u: bigint) => u * u, (u: bigint, v: bigint) => 2n * u * v, (_: bigint, v: bigint) => v * v]
      for (const [i, limb] of [d0, d1, d2].entries()) {
        const got = readLimb(ring, limb)
        for (const p of samplePositions(ring, 40))
          assert.equal(BigInt(at(got, p)), residue(at(expected, i)(BigInt(at(x, p)), BigInt(at(y, p))), big))
      }
    }
  })
  it('reduce integers held as doubles', () => {
    const integers = ring.arena.allocate(8 * ring.polyDegree)
    const view = new Float64Array(ring.arena.memory.buffer, integers, ring.polyDegree)
    const edges = [0, 1, -1, value, -value, 2 ** 53, -(2 ** 53), 2 ** 61, -(2 ** 61), value - 1, 1 - value]
    edges.forEach((edge, i) => {
      view[i] = edge
    })
    ring.kernels.liftDouble(integers, c, value, ring.polyDegree)
    edges.forEach((edge, i) => assert.equal(BigInt(at(ring.arena.words, c / 4 + i)), residue(BigInt(edge), big)))
  })
})

describe('key switching kernels', () => {
  for (const r of [ring, wide]) {
    it(`equal the sum of products, N = ${r.polyDegree}`, () => {
      const mark = r.arena.top
      const { value, big, montgomeryInverse } = at(r.moduli, 1)
      const down = inverse(1n << 32n, big)
      const maxDigits = r.work.digits.length
      const [c0, c1, o0, o1] = allocateLimbs(r) as readonly [number, number, number, number, ...number[]]
      for (const digits of range(maxDigits).map((d) => d + 1)) {
        for (const count of r === ring ? [1, 3, 7, 15, 16] : [3, 7, 15, 16]) {
          for (const mode of ['fold', 'dense', 'relinearize', 'bare']) {
            for (const fill of ['largest', 'random'] as const) {
              const inner = r.arena.top
              const images = range(count).map((k) => ({ shift: (k * 97 + 1) % r.slots, swap: k % 2 }))
              const maps = r.arena.allocate(8 * count)
              const head = mode === 'dense' ? 16 : 0
              const stride = head + 32 * digits * count
              const stream = r.arena.allocate((stride * r.polyDegree) / 4)
              const digitLimbs = range(4).map(() => r.arena.allocate(r.limbBytes))
              const keyLimb = r.arena.allocate(r.limbBytes)
              const digitValues = digitLimbs.map((limb) => fillLimb(r, limb, value, fill))
              const x0 = fillLimb(r, c0, value, fill)
              const x1 = fillLimb(r, c1, value, fill)
              const keys = range(2 * digits * count).map((i) => {
                const values = fillLimb(r, keyLimb, value, fill)
                r.kernels.weave(keyLimb, stream + head + 16 * i, stride, r.slots)
                return values
              })
              const plain = fillLimb(r, keyLimb, value, fill)
              if (head > 0) r.kernels.weave(keyLimb, stream, stride, r.slots)
              images.forEach(({ shift, swap }, k) => r.arena.words.set([4 * shift, swap], maps / 4 + 2 * k))
              const factor = value - 1
              const [g0 = 0, g1 = 0, g2 = 0, g3 = 0] = digitLimbs
              keySwitchKernel(
                r.kernels,
                mode,
                digits,
                count,
              )(...[o0, o1, stream, g0, g1, g2, g3, c0, c1, factor, maps, count, r.slots, value, montgomeryInverse])
              const got = [readLimb(r, o0), readLimb(r, o1)]
              for (const p of samplePositions(r, 2)) {
                const image = (k: number): number => {
                  const { shift, swap } = at(images, k)
                  const half = Number(p >= r.slots) ^ swap
                  return half * r.slots + (((p % r.slots) + shift) % r.slots)
                }
                const sums = [0, 1].map((part) => {
                  let sum = 0n
                  for (const k of range(count))
                    for (const d of range(digits))
                      sum += BigInt(at(at(digitValues, d), image(k))) * BigInt(at(at(keys, 2 * (digits * k + d) + part), p))
                  return sum
                }) as [bigint, bigint]
                const [v0, v1] = [BigInt(at(x0, p)), BigInt(at(x1, p))]
                if (mode === 'relinearize') sums[0] += v0 * BigInt(factor)
                if (mode === 'relinearize' || mode === 'fold') sums[1] += v1 * BigInt(factor)
                if (mode === 'dense') sums[1] += v1 * BigInt(at(plain, p))
                let first = sums[0] * down
                if (mode === 'fold') first += v0 + range(count).reduce((sum, k) => sum + BigInt(at(x0, image(k))), 0n)
                assert.equal(BigInt(at(at(got, 0), p)), residue(first, big), `${mode} ${digits} ${count} ${fill}`)
                assert.equal(BigInt(at(at(got, 1), p)), residue(sums[1] * down, big), `${mode} ${digits} ${count} ${fill}`)
              }
              r.arena.release(inner)
            }
          }
        }
      }
      r.arena.release(mark)
    })
  }
  it('have a pad behind each half that repeats its beginning', () => {
    const [limb, out] = allocateLimbs(ring) as readonly [number, number, ...number[]]
    fillLimb(ring, limb, 1000, 'random')
    ring.kernels.rotate(limb, out, 4 * 4095, 1, ring.slots)
    const { words } = ring.arena
    for (const half of [0, ring.slots + 16])
      for (const i of range(16)) assert.equal(words[out / 4 + half + ring.slots + i], words[out / 4 + half + i])
  })
})

function crt(r: Ring, limbs: Limbs, primes: readonly number[], position: number): bigint {
  const modulus = productOf(r, primes)
  let sum = 0n
  for (const t of primes) {
    const { big } = at(r.moduli, t)
    const rest = modulus / big
    sum += BigInt(at(r.arena.words, at(limbs, t) / 4 + position)) * rest * inverse(rest % big, big)
  }
  const value = sum % modulus
  return value > modulus / 2n ? value - modulus : value
}

function coefficientsOf(r: Ring, limbs: Limbs, primes: readonly number[]): Limbs {
  const out = r.moduli.map(() => r.arena.allocate(r.coefficientBytes))
  for (const t of primes) toCoefficients(r, at(limbs, t), at(out, t), t)
  return out
}

describe('base conversion', () => {
  for (const [r, levels] of [
    [ring, [2, 3, 4]],
    [wide, [3, 6, 8]],
  ] as const) {
    it(`raises centred digits exactly, N = ${r.polyDegree}`, () => {
      const mark = r.arena.top
      for (const level of levels) {
        const polynomial = allocateLimbs(r)
        for (const t of ciphertextLimbs(level)) fillLimb(r, at(polynomial, t), at(r.moduli, t).value, 'random')
        const copy = coefficientsOf(r, polynomial, ciphertextLimbs(level))
        const digits = raiseDigits(r, polynomial, level)
        digitPrimes(level).forEach((own, d) => {
          const limbs = at(digits, d)
          const raised = coefficientsOf(r, limbs, extendedLimbs(r, level))
          for (const position of [0, 5, r.polyDegree - 1]) {
            const expected = crt(r, copy, own, position)
            for (const t of extendedLimbs(r, level))
              assert.equal(BigInt(at(r.arena.words, at(raised, t) / 4 + position)), residue(expected, at(r.moduli, t).big))
          }
        })
      }
      r.arena.release(mark)
    })
    it(`divides by one, two and three primes with rounding, N = ${r.polyDegree}`, () => {
      const mark = r.arena.top
      const level = at(levels, 2)
      for (const dropped of [[level - 1], specialLimbs(r), [...specialLimbs(r), level - 1]]) {
        const all = extendedLimbs(r, level)
        const kept = ciphertextLimbs(dropped.includes(level - 1) ? level - 1 : level)
        const used = all.filter((t) => kept.includes(t) || dropped.includes(t))
        const [polynomial, out] = [allocateLimbs(r), allocateLimbs(r)]
        for (const t of used) fillLimb(r, at(polynomial, t), at(r.moduli, t).value, 'random')
        const before = coefficientsOf(r, polynomial, used)
        divideRounded(r, polynomial, dropped, kept, out)
        const after = coefficientsOf(r, out, kept)
        const divisor = productOf(r, dropped)
        for (const position of [0, 77, r.polyDegree - 1]) {
          const value = crt(r, before, used, position)
          const rounded = (value + (divisor >> 1n) - residue(value + (divisor >> 1n), divisor)) / divisor
          assert.equal(crt(r, after, kept, position), rounded)
        }
      }
      r.arena.release(mark)
    })
  }
})

describe('key streams and samplers', () => {
  it('equal ChaCha20 of an independent library', () => {
    const key = random(32)
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setUint32(0, purposes.ciphertext, true)
    new DataView(nonce.buffer).setUint32(4, 9, true)
    new DataView(nonce.buffer).setUint32(8, 2, true)
    const limb = at(ring.work.limbs, 0)
    expandUniform(ring, key, purposes.ciphertext, 9, 2, limb)
    const stream = chacha20(key, nonce, new Uint8Array(4 * ring.polyDegree + 2048))
    const words = new Uint32Array(stream.buffer).map((word) => word & 0x3fffffff)
    const expected = words.filter((word) => word < at(ring.moduli, 2).value).subarray(0, ring.polyDegree)
    assert.deepEqual(readLimb(ring, limb), expected)
  })
  it('draw residues uniformly (chi-square over 64 cells)', () => {
    const limb = at(ring.work.limbs, 0)
    const cells = new Float64Array(64)
    for (const round of range(8)) {
      expandUniform(ring, random(32), purposes.ciphertext, round, 0, limb)
      for (const value of readLimb(ring, limb)) {
        const cell = Math.floor((value / at(ring.moduli, 0).value) * 64)
        cells[cell] = at(cells, cell) + 1
      }
    }
    const expected = (8 * ring.polyDegree) / 64
    const statistic = cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 63 degrees of freedom: beyond 140 with probability below 10^-7.
    assert.ok(statistic < 140, String(statistic))
  })
  it('draw errors of variance 10.5 and ternary secrets of variance 2/3', () => {
    const buffer = at(ring.work.coefficients, 0)
    const moments = (draw: (seed: Uint8Array) => void): readonly [number, number] => {
      let [sum, squares] = [0, 0]
      for (const _ of range(8)) {
        draw(random(32))
        for (const value of new Int32Array(ring.arena.memory.buffer, buffer, ring.polyDegree)) {
          sum += value
          squares += value * value
        }
      }
      const count = 8 * ring.polyDegree
      return [sum / count, squares / count]
    }
    const [errorMean, errorSquare] = moments((seed) => sampleError(ring, seed, 0, buffer))
    assert.ok(Math.abs(errorMean) < 0.08 && Math.abs(errorSquare - 10.5) < 0.4, `${errorMean} ${errorSquare}`)
    const [mean, square] = moments((seed) => sampleTernary(ring, seed, purposes.secret, buffer))
    assert.ok(Math.abs(mean) < 0.02 && Math.abs(square - 2 / 3) < 0.01, `${mean} ${square}`)
  })
})
