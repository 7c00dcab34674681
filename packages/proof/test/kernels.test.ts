import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { mod, ORDER, scalarBytes } from '../src/kernels/field.ts'
import { type Kernels, loadKernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../src/kernels/kernels.ts'
import { placeScalars, readScalar, readScalars } from '../src/kernels/scalars.ts'

const { Point } = secp256k1
type Point = InstanceType<typeof Point>
const P = 2n ** 256n - 2n ** 32n - 977n
const MASK = (1n << 29n) - 1n

function putLimbs(k: Kernels, at: number, value: bigint): void {
  const view = k.uint32(at, 9)
  for (let i = 0; i < 9; i++) view[i] = Number(i < 8 ? (value >> BigInt(29 * i)) & MASK : value >> 232n)
}
function getLimbs(k: Kernels, at: number): bigint {
  return [...k.uint32(at, 9)].reduceRight((sum, limb) => (sum << 29n) + BigInt(limb), 0n)
}
function putPoint(k: Kernels, at: number, point: Point): void {
  if (point.is0()) {
    k.bytes(at, POINT_BYTES).fill(0)
    return
  }
  const affine = point.toAffine()
  putLimbs(k, at, affine.x)
  putLimbs(k, at + 36, affine.y)
}
function sumPoint(k: Kernels, sum: number): Point {
  return k.scoped(() => {
    const affine = k.allocate(POINT_BYTES)
    k.x.toAffine(affine, sum, 1, k.allocate(40))
    const x = getLimbs(k, affine)
    return x === 0n ? Point.ZERO : Point.fromAffine({ x, y: getLimbs(k, affine + 36) })
  })
}
const edges = (modulus: bigint): readonly bigint[] => [
  0n,
  1n,
  2n,
  976n,
  977n,
  MASK,
  MASK + 1n,
  (1n << 232n) - 1n,
  1n << 255n,
  modulus - 1n,
  modulus - 2n,
  modulus,
  modulus + 1n,
  2n * modulus - 1n,
  4n * modulus - 1n,
  8n * modulus,
  31n * modulus + 5n,
  (1n << 261n) - 1n,
  (1n << 256n) - 1n,
]

for (const variant of ['simd', 'scalar'] as const) {
  describe(`kernels (${variant})`, () => {
    it('agree with BigInt on both fields, at the edges of every limb bound', async () => {
      const k = await loadKernels({ variant })
      const [a, b, c] = [k.allocate(40), k.allocate(40), k.allocate(40)]
      for (const [modulus, montgomery, multiply, square, norm, red] of [
        [P, 0n, k.x.fpmul, k.x.fpsqr, k.x.fpnorm, k.x.fpred],
        [ORDER, 261n, k.x.fnmul, k.x.fnsqr, k.x.fnnorm, k.x.fnred],
      ] as const) {
        const radix = (1n << montgomery) % modulus
        for (const u of edges(modulus)) {
          putLimbs(k, a, u)
          norm(c, a)
          assert.equal(getLimbs(k, c) % modulus, u % modulus)
          assert.ok(getLimbs(k, c) < (1n << 256n) + (1n << 140n))
          red(c, a)
          assert.equal(getLimbs(k, c), u % modulus)
          square(c, a)
          assert.equal((getLimbs(k, c) * radix) % modulus, (u * u) % modulus)
          for (const v of edges(modulus)) {
            putLimbs(k, b, v)
            multiply(c, a, b)
            assert.equal((getLimbs(k, c) * radix) % modulus, (u * v) % modulus, `${u} * ${v}`)
            assert.ok(k.uint32(c, 9).every((limb, i) => limb <= (i < 8 ? 2 ** 29 : 2 ** 31)))
          }
        }
      }
    })

    it('decode exactly the canonical points', async () => {
      const k = await loadKernels({ variant })
      const [bytes, point, back] = [k.allocate(33), k.allocate(POINT_BYTES), k.allocate(33)]
      const decode = (data: Uint8Array): boolean => {
        k.bytes(bytes, 33).set(data)
        return k.x.decodePoints(point, bytes, 1) === 1
      }
      for (let i = 1n; i < 20n; i++) {
        const encoded = Point.BASE.multiply(i).toBytes(true)
        assert.ok(decode(encoded))
        k.x.encodePoints(back, point, 1)
        assert.deepEqual(Uint8Array.from(k.bytes(back, 33)), encoded)
        for (const bad of [0, 1, 4, 5, 0x82]) assert.ok(!decode(Uint8Array.from([bad, ...encoded.subarray(1)])))
      }
      assert.ok(!decode(Uint8Array.from([2, ...scalarBytes(P)])))
      assert.ok(!decode(Uint8Array.from([2, ...scalarBytes(P + 1n)])))
      assert.ok(!decode(new Uint8Array(33)))
      assert.ok(!decode(Uint8Array.from([2, ...scalarBytes(5n)]))) // 5^3 + 7 is not a square
    })

    it('sum points like @noble/curves, equal, opposite and missing ones included', async () => {
      const k = await loadKernels({ variant })
      const base = Array.from({ length: 12 }, (_, i) => Point.BASE.multiply(BigInt(i * i + 3)))
      const points = [...base, ...base, ...base.map((p) => p.negate()), Point.ZERO, Point.BASE, Point.BASE]
      const scalars = points.map(
        (_, i) => [ORDER - 1n, 1n, 0n, 2n ** 128n, mod(-(2n ** 200n)), 0x9e3779b97f4a7c15n ** 4n % ORDER][i % 6] ?? 0n,
      )
      const at = k.allocate(POINT_BYTES * points.length)
      points.forEach((p, i) => putPoint(k, at + POINT_BYTES * i, p))
      const raw = k.allocate(SCALAR_BYTES * points.length)
      k.x.scalarsRaw(raw, placeScalars(k, scalars), points.length)
      const expected = points.reduce((sum, p, i) => sum.add(scalars[i] ? p.multiplyUnsafe(scalars[i] ?? 0n) : Point.ZERO), Point.ZERO)
      const out = k.allocate(SUM_BYTES)
      for (const c of [1, 3, 5, 8, 11]) {
        k.x.msm(out, at, raw, points.length, c, k.allocate(k.x.msmBytes(points.length, c)))
        assert.ok(sumPoint(k, out).equals(expected), `window ${c}`)
        const table = k.allocate(POINT_BYTES * points.length * (Math.floor(256 / c) + 1))
        k.x.buildTable(table, at, points.length, c, k.allocate(180 * points.length))
        k.x.fixedMsm(out, table, raw, points.length, c, points.length, k.allocate(k.x.fixedMsmBytes(points.length, c)))
        assert.ok(sumPoint(k, out).equals(expected), `table, window ${c}`)
      }
      const single = k.allocate(POINT_BYTES * 63 * 43)
      k.x.buildSingleTable(single, at, k.allocate(12_000))
      for (const s of [0n, 1n, ORDER - 1n, 2n ** 255n]) {
        k.x.xyzzZero(out)
        k.x.scalarsRaw(raw, placeScalars(k, [s]), 1)
        k.x.addMultiple(out, single, raw)
        assert.ok(sumPoint(k, out).equals(s === 0n ? Point.ZERO : (base[0] ?? Point.ZERO).multiply(s)))
      }
    })

    it('sum rows of small integers', async () => {
      const k = await loadKernels({ variant })
      const points = Array.from({ length: 9 }, (_, i) => Point.BASE.multiply(BigInt(i + 5)))
      const at = k.allocate(POINT_BYTES * 9)
      points.forEach((p, i) => putPoint(k, at + POINT_BYTES * i, p))
      const rows = [
        [1, -1, 0, 5, 127, -128, 128, 2, 2],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [-7, -7, -7, 1, 1, 1, 0, 3, 4],
      ]
      const v = k.allocate(2 * 27)
      k.int16(v, 27).set(rows.flat())
      const out = k.allocate(SUM_BYTES * 3)
      k.x.sumRows(out, at, v, 3, 9, 128, k.allocate(k.x.treeBytes(384, 27)))
      rows.forEach((row, r) => {
        const expected = row.reduce(
          (sum, w, i) => sum.add(w === 0 ? Point.ZERO : (points[i] ?? Point.ZERO).multiplyUnsafe(mod(BigInt(w)))),
          Point.ZERO,
        )
        assert.ok(sumPoint(k, out + SUM_BYTES * r).equals(expected))
        k.x.multiplySmall(out + SUM_BYTES * r, 2_147_483_647n)
        assert.ok(sumPoint(k, out + SUM_BYTES * r).equals(expected.is0() ? expected : expected.multiply(2_147_483_647n)))
      })
    })

    it('bind rows of weights at the edge of the 32-bit sums', async () => {
      const k = await loadKernels({ variant })
      const m = 1024
      const n = 3
      const coefficients = Array.from({ length: m }, (_, i) => (i % 3 === 0 ? ORDER - 1n : mod(2n ** 256n - BigInt(i))))
      const weights = Array.from({ length: n * m }, (_, i) => (i < m ? -128 : i < 2 * m ? 128 : ((i * 37) % 255) - 127))
      const W = k.allocate(2 * n * m)
      k.int16(W, n * m).set(weights)
      const o = k.zeros(n)
      k.x.bindRows(o, W, m, n, placeScalars(k, coefficients), k.allocate(40 * m))
      const expected = Array.from({ length: n }, (_, j) =>
        mod(coefficients.reduce((s, c, i) => s + c * BigInt(weights[j * m + i] ?? 0), 0n)),
      )
      assert.deepEqual(readScalars(k, o, n), expected)
      for (const value of [0n, 1n, -1n, 2n ** 62n, -(2n ** 63n), 2n ** 63n - 1n]) {
        k.x.fromI64(o, value)
        assert.equal(readScalar(k, o), mod(value))
      }
    })
  })
}
