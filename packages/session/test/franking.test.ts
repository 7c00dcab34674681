import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isTacitCode } from './codes.ts'
import { flipBit, info, jobId, seededRandom } from './fixtures.ts'
import { salamander } from './salamander.ts'
import { Franker, type FrankingContext, frank, generateFrankingKey, nobleAead, verifyOpening } from '../src/index.ts'
import { nodeAead } from '../src/node/index.ts'

const context: FrankingContext = { sessionId: info.sessionId, jobId, direction: 'request' }
const frankingKey = generateFrankingKey(seededRandom('kf'))
const plaintext = new TextEncoder().encode('what was really said')

describe('message franking', () => {
  it('is HMAC-SHA-256 over label, session, job, direction and text hash', () => {
    const message = Buffer.concat([
      Buffer.from('tacit/franking/1'),
      Buffer.alloc(32, 0x51),
      Buffer.alloc(32, 0x0b),
      Buffer.from([0]),
      createHash('sha256').update(plaintext).digest(),
    ])
    const expected = `0x${createHmac('sha256', frankingKey).update(message).digest('hex')}`
    assert.equal(frank({ plaintext, frankingKey, context }), expected)
  })

  it('does not care how the text was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (pieces) => {
        const franker = new Franker({ frankingKey, context })
        for (const piece of pieces) franker.update(piece)
        assert.equal(franker.commitment(), frank({ plaintext: Buffer.concat(pieces), frankingKey, context }))
      }),
      { numRuns: 40 },
    )
  })

  it('opens for the right text only', () => {
    const commitment = frank({ plaintext, frankingKey, context })
    const opening = { commitment, frankingKey, context, plaintext }
    assert.equal(verifyOpening(opening), true)
    for (let bit = 0; bit < plaintext.length * 8; bit++)
      assert.equal(verifyOpening({ ...opening, plaintext: flipBit(plaintext, bit) }), false)
    for (let bit = 0; bit < 256; bit++) assert.equal(verifyOpening({ ...opening, frankingKey: flipBit(frankingKey, bit) }), false)
    const contexts: FrankingContext[] = [
      { ...context, direction: 'response' },
      { ...context, jobId: `0x${'0c'.repeat(32)}` },
      { ...context, sessionId: `0x${'52'.repeat(32)}` },
    ]
    for (const other of contexts) assert.equal(verifyOpening({ ...opening, context: other }), false)
  })

  it('refuses garbage openings without throwing', () => {
    const commitment = frank({ plaintext, frankingKey, context })
    for (const key of [new Uint8Array(0), frankingKey.subarray(1), new Uint8Array([...frankingKey, 0]), new Uint8Array(64)]) {
      assert.equal(verifyOpening({ commitment, frankingKey: key, context, plaintext }), false)
      assert.throws(() => frank({ plaintext, frankingKey: key, context }), isTacitCode('protocol.malformed'))
    }
    assert.equal(verifyOpening({ commitment: '0x12', frankingKey, context, plaintext }), false)
    assert.equal(verifyOpening({ commitment: 'nonsense' as `0x${string}`, frankingKey, context, plaintext }), false)
  })
})

describe('a ciphertext that opens under two keys', () => {
  const random = seededRandom('salamander')
  const [keyA, keyB, nonce] = [random(32), random(32), random(12)] as [Uint8Array, Uint8Array, Uint8Array]
  // The franking key leads the plaintext of the first chunk; two blocks of it, then text.
  const wanted = Uint8Array.from([...frankingKey, ...new TextEncoder().encode('an innocent word'.padEnd(48, '.'))])
  const { ciphertext, textA, textB } = salamander({ keyA, keyB, nonce, aad: new TextEncoder().encode('final'), wanted })

  it('exists: plain AES-GCM lets one ciphertext say two things', () => {
    const aad = new TextEncoder().encode('final')
    for (const backend of [nobleAead, nodeAead]) {
      assert.deepEqual(Buffer.from(backend.importKey(keyA).open(nonce, aad, ciphertext) ?? []), Buffer.from(textA), backend.name)
      assert.deepEqual(Buffer.from(backend.importKey(keyB).open(nonce, aad, ciphertext) ?? []), Buffer.from(textB), backend.name)
    }
    assert.notDeepEqual(textA, textB)
    assert.deepEqual(textA.subarray(0, wanted.length), wanted)
  })

  it('cannot frame anybody: only the text that was committed to opens the signed commitment', () => {
    const split = (text: Uint8Array) => ({ frankingKey: text.subarray(0, 32), plaintext: text.subarray(32) })
    const [honest, forged] = [split(textA), split(textB)]
    // The receiver signs the commitment of what it read under key A.
    const commitment = frank({ ...honest, context })
    assert.equal(verifyOpening({ commitment, ...honest, context }), true)
    assert.equal(verifyOpening({ commitment, ...forged, context }), false)
    assert.equal(verifyOpening({ commitment, frankingKey: forged.frankingKey, plaintext: honest.plaintext, context }), false)
    assert.equal(verifyOpening({ commitment, frankingKey: honest.frankingKey, plaintext: forged.plaintext, context }), false)
    // And the other way round: a commitment to B does not open to A.
    const other = frank({ ...forged, context })
    assert.equal(verifyOpening({ commitment: other, ...honest, context }), false)
  })
})
