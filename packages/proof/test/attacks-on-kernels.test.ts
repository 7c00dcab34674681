// Points that collide inside a multi-scalar multiplication: partial sums that equal the next point, its opposite, or the running sum of the
// buckets. An addition formula that misses a doubling yields a false identity there, and the identity is what a verifier accepts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { mod, ORDER } from '../src/kernels/field.ts'
import { type Kernels, loadKernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../src/kernels/kernels.ts'
import { placeScalars } from '../src/kernels/scalars.ts'
import { seeded } from './support/layers.ts'

const { Point } = secp256k1
const multiples = new Map<bigint, Uint8Array>()
const encoded = (k: bigint): Uint8Array => {
  const known = multiples.get(k) ?? Point.BASE.multiply(mod(k)).toBytes(true)
  multiples.set(k, known)
  return known
}

/** The sum of scalar * (multiple G), with every multiplication over multiples of one point. */
function evaluate(k: Kernels, terms: readonly (readonly [multiple: bigint, scalar: bigint])[], window: number): bigint | 'identity' {
  return k.scoped(() => {
    const n = terms.length
    const bytes = k.allocate(33 * n)
    terms.forEach(([multiple], i) => {
      k.bytes(bytes + 33 * i, 33).set(encoded(multiple))
    })
    const points = k.allocate(POINT_BYTES * n)
    assert.equal(k.x.decodePoints(points, bytes, n), n)
    const raw = k.allocate(SCALAR_BYTES * n)
    k.x.scalarsRaw(
      raw,
      placeScalars(
        k,
        terms.map(([, scalar]) => mod(scalar)),
      ),
      n,
    )
    const out = k.allocate(SUM_BYTES)
    k.x.msm(out, points, raw, n, window, k.allocate(k.x.msmBytes(n, window)))
    if (k.x.isZeroXyzz(out) !== 0) return 'identity'
    const affine = k.allocate(POINT_BYTES)
    k.x.toAffine(affine, out, 1, k.allocate(SCALAR_BYTES))
    const back = k.allocate(33)
    k.x.encodePoints(back, affine, 1)
    return BigInt(`0x${Buffer.from(k.bytes(back, 33)).toString('hex')}`)
  })
}

function check(k: Kernels, terms: readonly (readonly [bigint, bigint])[], window: number, why: string): void {
  const sum = mod(terms.reduce((total, [multiple, scalar]) => total + multiple * scalar, 0n))
  const expected = sum === 0n ? 'identity' : BigInt(`0x${Buffer.from(Point.BASE.multiply(sum).toBytes(true)).toString('hex')}`)
  assert.equal(evaluate(k, terms, window), expected, `${why}, window ${window}`)
}

for (const variant of ['simd', 'scalar'] as const) {
  describe(`attacks on multi-scalar multiplication (${variant})`, () => {
    it('each point is the sum of those before it, or its opposite', async () => {
      const k = await loadKernels({ variant })
      for (const window of [1, 4, 5, 7, 9]) {
        for (const scalar of [1n, 3n, 2n ** 130n + 5n, ORDER - 1n]) {
          const doubling = [1n, 1n, 2n, 4n, 8n, 16n, 32n, 64n].map((m) => [m, scalar] as const)
          check(k, doubling, window, 'doubling')
          check(k, [...doubling, [-128n, scalar]], window, 'back to nothing')
          check(k, [...doubling, [-128n, scalar], [5n, scalar]], window, 'from nothing')
          check(k, [...doubling].reverse(), window, 'backwards')
          check(
            k,
            [1n, -1n, 1n, -1n, 2n, -2n, 3n].map((m) => [m, scalar] as const),
            window,
            'opposites',
          )
          check(k, new Array(33).fill([7n, scalar]), window, 'all equal')
        }
      }
    })

    it('bucket sums equal or opposite to the running sum', async () => {
      const k = await loadKernels({ variant })
      for (const window of [3, 4, 6]) {
        for (const shift of [0n, 64n, 200n]) {
          const at = (pairs: readonly (readonly [bigint, bigint])[]) => pairs.map(([m, d]) => [m, d << shift] as const)
          check(
            k,
            at([
              [1n, 3n],
              [1n, 2n],
              [2n, 1n],
            ]),
            window,
            'each bucket equals what is above it',
          )
          check(
            k,
            at([
              [1n, 3n],
              [-2n, 2n],
              [1n, 1n],
            ]),
            window,
            'running sum changes its sign',
          )
          check(
            k,
            at([
              [1n, 3n],
              [-1n, 2n],
              [-1n, 1n],
            ]),
            window,
            'running sum vanishes',
          )
          check(
            k,
            at([
              [2n, 4n],
              [-4n, 2n],
            ]),
            window,
            'the total vanishes',
          )
        }
      }
    })

    it('random small multiples with few scalars', async () => {
      const k = await loadKernels({ variant })
      const next = seeded(17)
      const pick = (n: number): number => Math.floor(next() * n)
      for (let run = 0; run < 60; run++) {
        const scalars = Array.from({ length: 1 + pick(3) }, () =>
          pick(2) === 0 ? BigInt(pick(40)) : mod(-BigInt(1 + pick(9)) * 2n ** BigInt(pick(255))),
        )
        const terms = Array.from({ length: 2 + pick(30) }, () => {
          const multiple = BigInt(1 + pick(4)) * (pick(2) === 0 ? 1n : -1n)
          return [multiple, scalars[pick(scalars.length)] ?? 0n] as const
        })
        check(k, terms, 1 + pick(9), `run ${run}`)
      }
    })
  })
}
