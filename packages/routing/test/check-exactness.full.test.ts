// The sums of the score check at the largest directory, against BigInt.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkPrimes, expandCheckSeed, ScoreCheck } from '../src/index.ts'

describe('the check of scores at 2^22 rows', () => {
  it('is exact for the largest scores of both signs', () => {
    const count = 2 ** 22
    const seed = new Uint8Array(32).fill(77)
    const weights = expandCheckSeed(seed, count)
    for (const pattern of [() => 1_000_000, () => -1_000_000, (i: number) => (i % 3 === 0 ? 999_999 : -1_000_000)]) {
      const scores = Int32Array.from({ length: count }, (_, i) => pattern(i))
      const half = (k: 0 | 1): BigInt64Array => {
        const prime = BigInt(checkPrimes[k])
        let sum = 0n
        scores.forEach((score, i) => (sum += BigInt(weights[k][i] ?? 0) * BigInt(score)))
        return BigInt64Array.of(((sum % prime) + prime) % prime)
      }
      const check = new ScoreCheck([seed], [[half(0), half(1)]], count)
      assert.ok(check.accepts(Int8Array.of(1), scores))
      scores[count - 1] = (scores[count - 1] ?? 0) + (pattern(count - 1) < 0 ? 1 : -1)
      assert.ok(!check.accepts(Int8Array.of(1), scores))
    }
  })
})
