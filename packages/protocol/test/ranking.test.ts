import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Candidate,
  integerSquareRoot,
  isRankingHonest,
  parseAddress,
  parseSessionId,
  rankCandidates,
  type Recommendation,
  recommendationSchema,
  toHex,
} from '@tacit/protocol'
import fc from 'fast-check'
import vectors from './vectors/documents.json' with { type: 'json' }

const session = parseSessionId(`0x${'5e'.repeat(32)}`)
const vector = vectors.documents.find(({ kind }) => kind === 'Recommendation')
const recommendation: Recommendation = recommendationSchema(vector?.document, 'recommendation')

const candidateArbitrary: fc.Arbitrary<Candidate> = fc.record({
  worker: fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => parseAddress(toHex(bytes))),
  stake: fc.bigInt({ min: 0n, max: 2n ** 100n }).map(String),
  capacity: fc.integer({ min: 0, max: 8 }),
  healthMilli: fc.integer({ min: 0, max: 1000 }),
  busy: fc.integer({ min: 0, max: 8 }),
})
const candidatesArbitrary = fc.uniqueArray(candidateArbitrary, { selector: ({ worker }) => worker, maxLength: 12 })

describe('the ranking', () => {
  it('does not depend on the order in which candidates come', () => {
    fc.assert(
      fc.property(candidatesArbitrary, (candidates) => {
        assert.deepEqual(rankCandidates(candidates.toReversed(), session), rankCandidates(candidates, session))
      }),
    )
  })

  it('never prefers less stake, less health or less free capacity', () => {
    fc.assert(
      fc.property(candidateArbitrary, candidateArbitrary, (a, b) => {
        const better = { ...b, stake: (BigInt(a.stake) * 4n + 4n).toString(), healthMilli: 1000, capacity: 9, busy: 0 }
        fc.pre(a.worker !== better.worker)
        assert.equal(rankCandidates([a, better], session)[0]?.worker, better.worker)
      }),
    )
  })

  it('puts sick and full workers last', () => {
    const [good, sick, full] = ['01', '02', '03'].map((byte, index) => ({
      worker: parseAddress(`0x${byte.repeat(20)}`),
      stake: '1000000',
      capacity: 4,
      healthMilli: index === 1 ? 499 : 1000,
      busy: index === 2 ? 4 : 0,
    }))
    assert.ok(good !== undefined && sick !== undefined && full !== undefined)
    assert.equal(rankCandidates([sick, full, good], session)[0], good)
  })

  it('breaks ties by session, so that no address wins them all', () => {
    const twins = ['0a', '0b'].map((byte) => ({
      worker: parseAddress(`0x${byte.repeat(20)}`),
      stake: '9',
      capacity: 1,
      healthMilli: 900,
      busy: 0,
    }))
    const firsts = new Set<string | undefined>()
    for (let i = 0; i < 32; i++) firsts.add(rankCandidates(twins, parseSessionId(`0x${i.toString(16).padStart(64, '0')}`))[0]?.worker)
    assert.equal(firsts.size, 2)
  })

  it('is checked by recomputing it', () => {
    assert.ok(isRankingHonest(recommendation))
    const { ranking, candidates } = recommendation
    assert.ok(!isRankingHonest({ ...recommendation, ranking: ranking.toReversed() }))
    assert.ok(!isRankingHonest({ ...recommendation, ranking: ranking.slice(1) }))
    assert.ok(!isRankingHonest({ ...recommendation, candidates: candidates.slice(1) }))
    assert.ok(
      !isRankingHonest({ ...recommendation, ranking: [], candidates: [candidates[0], candidates[0]].filter((item) => item !== undefined) }),
    )
    const twice = [candidates[0], candidates[0]].filter((item) => item !== undefined)
    assert.ok(!isRankingHonest({ ...recommendation, candidates: twice, ranking: twice.map(({ worker }) => worker) }))
  })
})

describe('the integer square root', () => {
  it('is the floor of the root, at any size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n }), (value) => {
        const root = integerSquareRoot(value)
        assert.ok(root * root <= value && (root + 1n) * (root + 1n) > value)
      }),
    )
    for (const root of [0n, 1n, 2n, 3n, 2n ** 64n - 1n]) {
      assert.equal(integerSquareRoot(root * root), root)
      if (root > 1n) assert.equal(integerSquareRoot(root * root - 1n), root - 1n)
    }
  })
})
