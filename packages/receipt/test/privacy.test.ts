// A published receipt reveals model, worker, time and rounded usage, and nothing about what was said, even to somebody who
// holds the model and a list of the inputs it may be about.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { documentId, type Json, sha256Hash, toHex, utf8 } from '@tacit/protocol'
import { frank } from '@tacit/session'
import { acceptanceItem, buildWorld, job, seeded, session, type World, withEvidence } from './fixture.ts'
import { type Candidate, encodePixels, findMatches } from './dictionary-attack.ts'
import { leafPaths } from './mutate.ts'

const digits = gunzipSync(readFileSync(new URL('../../../zoo/data/digits/digits.csv.gz', import.meta.url)))
  .toString()
  .trim()
  .split('\n')
  .map((line) => line.split(',').map(Number))

/** The input of a digit as it is sent, and the answer: a label. */
function inputOf(row: readonly number[]): Uint8Array {
  return encodePixels(row.slice(0, 64))[0] ?? new Uint8Array()
}

const candidates: readonly Candidate[] = digits.map((row, index) => ({
  name: `digit ${index}`,
  encodings: [...encodePixels(row.slice(0, 64)), utf8(String(row[64]))],
}))

function published(world: World): Json {
  return JSON.parse(new TextDecoder().decode(world.bytes))
}

describe('a published receipt', () => {
  let world: World
  before(async () => {
    world = await buildWorld({ input: inputOf(digits[1234] ?? []), output: utf8(String(digits[1234]?.[64])) })
  })

  it('does not identify its input among all 1,797 candidates of the data set', () => {
    assert.equal(candidates.length, 1797)
    assert.deepEqual(findMatches(published(world), candidates), [])
  })

  // The same search finds the input as soon as a commitment does not hide: this is what gives the test above its teeth.
  it('would be identified if the commitment had no secret key', async () => {
    const input = inputOf(digits[1234] ?? [])
    const context = { sessionId: session, jobId: job, direction: 'request' } as const
    const careless = [
      sha256Hash(input),
      frank({ plaintext: input, frankingKey: new Uint8Array(32), context }),
      frank({ plaintext: input, frankingKey: seeded('model root'), context }), // a "key" that is public in the file
    ]
    for (const inputCommitment of careless) {
      const weak = await buildWorld({ core: { delivered: { ...world.core.delivered, inputCommitment: inputCommitment as never } } })
      assert.deepEqual(findMatches(published(weak), candidates.slice(1200, 1260)), ['digit 1234'])
    }
  })

  it('differs between inputs only in commitments, what is hashed over them, and signatures', async () => {
    const dependent = new Set<string>()
    for (const row of digits.slice(0, 12)) {
      const other = await buildWorld({ input: inputOf(row), output: utf8(String(row[64])) })
      assert.equal(other.bytes.length, world.bytes.length)
      const [a, b] = [published(world), published(other)]
      for (const path of leafPaths(a)) {
        const read = (value: Json) => path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[String(key)], value)
        if (read(a) !== read(b)) dependent.add(path.join('.'))
      }
    }
    const allowed = [
      'evidence.0.body.document.request',
      'evidence.0.body.signature',
      'evidence.0.receiptId',
      'evidence.1.receiptId',
      'evidence.2.receiptId',
      'receipt.document.delivered.inputCommitment',
      'receipt.document.delivered.outputCommitment',
      'receipt.document.ordered.request',
      'receipt.signature',
    ]
    assert.deepEqual([...dependent].sort(), allowed)
  })

  it('ranks the true input no better than chance under a likelihood over its bits', async () => {
    // For each receipt: how near is every candidate's digest to the commitment? The rank of the true one is uniform.
    const digests = digits.map((row) => BigInt(sha256Hash(inputOf(row))))
    const trials = 200
    let sumOfRanks = 0
    for (let trial = 0; trial < trials; trial++) {
      const index = (trial * 8 + 3) % digits.length
      const context = { sessionId: session, jobId: job, direction: 'request' } as const
      const commitment = BigInt(frank({ plaintext: inputOf(digits[index] ?? []), frankingKey: seeded(`key ${trial}`), context }))
      const distances = digests.map((digest) => countOnes(digest ^ commitment))
      const own = distances[index] ?? 0
      sumOfRanks += distances.filter((distance) => distance < own).length + distances.filter((distance) => distance === own).length / 2
    }
    const mean = sumOfRanks / trials
    const expected = digits.length / 2
    const sigma = digits.length / Math.sqrt(12 * trials)
    assert.ok(Math.abs(mean - expected) < 4 * sigma, `mean rank ${mean}, expected ${expected} +- ${sigma}`)
  })

  it('does not name the payer, the channel or the price', async () => {
    const text = new TextDecoder().decode(world.bytes)
    const { order, voucher } = world.openings
    assert.ok(order !== null && voucher !== null)
    for (const secret of [
      order.request.document.payer,
      voucher.channelId,
      voucher.salt,
      order.request.document.salt,
      order.request.document.quote,
    ]) {
      assert.ok(!text.includes(secret.slice(2)))
    }
    for (const secret of [order.request.signature, order.quote.signature]) assert.ok(!text.includes(secret.slice(2, 40)))
  })

  it('keeps payer and price hidden from somebody who knows every candidate for both', async () => {
    const { order } = world.openings
    assert.ok(order !== null)
    const { request } = order
    // All fields of the request except its random salt, guessed right.
    const guesses = [
      { ...request.document, salt: `0x${'00'.repeat(32)}` },
      { ...request.document, salt: world.core.session },
    ]
    for (const guess of guesses) assert.notEqual(documentId(guess), world.core.ordered.request)
    assert.equal(documentId(request.document), world.core.ordered.request)
  })

  it('has the same size for every answer of one rounded length', async () => {
    const sizes = new Set<number>()
    for (const output of ['a', 'a much longer answer', 'x'.repeat(4000)])
      sizes.add((await buildWorld({ output: utf8(output) })).bytes.length)
    assert.equal(sizes.size, 1)
    const file = withEvidence(world.file.receipt, [acceptanceItem(world.core)])
    assert.ok(!JSON.stringify(file).includes(toHex(utf8('answer')).slice(2)))
  })
})

function countOnes(value: bigint): number {
  let count = 0
  for (let rest = value; rest > 0n; rest >>= 32n) {
    let word = Number(rest & 0xffff_ffffn)
    for (; word !== 0; word &= word - 1) count++
  }
  return count
}
