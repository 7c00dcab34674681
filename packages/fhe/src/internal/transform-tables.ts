import type { Arena } from './arena.ts'
import { at } from './at.ts'
import { inverse, power, powersOfFive, reverseBits } from './modular.ts'

/** A 2N-th primitive root of unity modulo a prime that is 1 modulo 2N: the smallest base that gives one. */
export function primitiveRoot(polyDegree: number, prime: bigint): bigint {
  const n = BigInt(polyDegree)
  for (let base = 2n; ; base++) {
    const root = power(base, (prime - 1n) / (2n * n), prime)
    if (power(root, n, prime) === prime - 1n) return root
  }
}

/**
 * Writes the twiddle tables of one prime and returns their addresses. Node (m, i) of the tree holds psi^(e N / 2m) with
 * e = 5^j for the first half and -5^j for the second, which makes position j of a half the evaluation at psi^(+-5^j).
 */
export function buildTransformTables(
  arena: Arena,
  polyDegree: number,
  prime: number,
): { readonly forward: number; readonly inverse: number } {
  const powers = rootPowers(polyDegree, prime)
  return { forward: buildTables(arena, polyDegree, prime, powers, 1), inverse: buildTables(arena, polyDegree, prime, powers, -1) }
}

type RootPowers = { readonly values: Uint32Array; readonly quotients: Uint32Array }

function rootPowers(polyDegree: number, prime: number): RootPowers {
  const p = BigInt(prime)
  const root = primitiveRoot(polyDegree, p)
  const values = new Uint32Array(2 * polyDegree)
  const quotients = new Uint32Array(2 * polyDegree)
  for (let e = 0, value = 1n; e < values.length; e++, value = (value * root) % p) {
    values[e] = Number(value)
    quotients[e] = Number((value << 32n) / p)
  }
  return { values, quotients }
}

function buildTables(arena: Arena, n: number, prime: number, powers: RootPowers, direction: 1 | -1): number {
  const start = arena.allocate(64 + n * 12 + (n / 32) * 224)
  const words = arena.words
  const exponents = treeExponents(n, direction)
  const [roots, quotients, blocks, leaves] = [start / 4 + 16, start / 4 + 16 + n, start / 4 + 16 + 2 * n, start / 4 + 16 + 3 * n]
  for (let node = 1; node < n; node++) {
    words[roots + node] = at(powers.values, at(exponents, node))
    words[quotients + node] = at(powers.quotients, at(exponents, node))
  }
  writeLeafTables(words, n, { roots, quotients, blocks, leaves })
  words[start / 4] = prime
  if (direction === -1) {
    const p = BigInt(prime)
    const scale = inverse(BigInt(n), p)
    const last = (scale * BigInt(at(words, roots + 1))) % p
    words.set([Number(scale), Number((scale << 32n) / p), Number(last), Number((last << 32n) / p)], start / 4 + 1)
  }
  return start
}

function treeExponents(n: number, direction: 1 | -1): Int32Array {
  const fives = powersOfFive(n)
  const exponents = new Int32Array(n)
  for (let m = 1, level = 0; m < n; m *= 2, level++) {
    for (let i = 0; i < m; i++) {
      let e = n / 2
      if (level > 0) {
        const inHalf = at(fives, reverseBits(i & ((1 << (level - 1)) - 1), level - 1))
        e = ((i >> (level - 1) ? 2 * n - inHalf : inHalf) * (n / (2 * m))) % (2 * n)
      }
      exponents[m + i] = direction === 1 ? e : (2 * n - e) % (2 * n)
    }
  }
  return exponents
}

type TableOffsets = { readonly roots: number; readonly quotients: number; readonly blocks: number; readonly leaves: number }

// The last three layers take four 8-blocks at once: byte offsets of the first of them, then seven root vectors per group.
function writeLeafTables(words: Uint32Array, n: number, { roots, quotients, blocks, leaves }: TableOffsets): void {
  const groups = n / 32
  const bits = Math.log2(n) - 4
  for (let u = 0; u < groups / 2; u++) words[blocks + u] = reverseBits(4 * u, bits) * 32
  for (let half = 0; half < 2; half++) {
    for (let u = 0; u < groups / 2; u++) {
      for (let lane = 0; lane < 4; lane++) {
        const block = (half * n) / 16 + reverseBits(4 * u + lane, bits)
        const nodes = [n / 8 + block, n / 4 + 2 * block, n / 4 + 2 * block + 1, ...[0, 1, 2, 3].map((k) => n / 2 + 4 * block + k)]
        nodes.forEach((node, k) => {
          const target = leaves + ((half * groups) / 2 + u) * 56 + k * 8 + lane
          words[target] = at(words, roots + node)
          words[target + 4] = at(words, quotients + node)
        })
      }
    }
  }
}
