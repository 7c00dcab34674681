import assert from 'node:assert/strict'
import { createCipheriv, hkdfSync, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isTacitCode } from './codes.ts'
import { flipBit, info, jobId, seededRandom, sessionPair } from './fixtures.ts'
import { type AeadBackend, chunkOverheadBytes, maxChunkPlaintextBytes, nobleAead, type Session, SessionError } from '../src/index.ts'
import { deriveStreamKeys } from '../src/internal/stream-keys.ts'
import { nodeAead } from '../src/node/index.ts'
import { Sealer } from '../src/sealer.ts'
import { Session as SessionClass } from '../src/session.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

/** A session pair without HPKE: fixed roots, so that thousands of runs stay quick. */
function rawPair(label = 'raw', aead: AeadBackend = nodeAead): { readonly client: Session; readonly worker: Session } {
  const random = seededRandom(label)
  const encapsulation = random(32)
  const roots = () => ({ request: Uint8Array.from(request), response: Uint8Array.from(response) })
  const request = random(32)
  const response = random(32)
  return {
    client: new SessionClass({ info, role: 'client', encapsulation, roots: roots(), aead }),
    worker: new SessionClass({ info, role: 'worker', encapsulation, roots: roots(), aead }),
  }
}

function stream(label = 'stream', attempt = 0, pair = rawPair(label)) {
  const sealer = pair.worker.sealStream({ jobId, attempt }, { random: seededRandom(`${label}/nonce/${attempt}`) })
  return { ...pair, sealer, opener: pair.client.openStream({ jobId, attempt }, { attemptNonce: sealer.attemptNonce }) }
}

const chunksOf = (label: string, texts: readonly string[]) => {
  const { sealer, opener } = stream(label)
  const chunks = texts.map((text, i) => (i === texts.length - 1 ? sealer.sealFinal(utf8(text)) : sealer.seal(utf8(text))))
  return { chunks, opener }
}

describe('sealed streams', () => {
  it('give back what was sealed, in order, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 }), (pieces) => {
        const { sealer, opener } = stream()
        for (const [i, piece] of pieces.entries()) {
          const last = i === pieces.length - 1
          const chunk = last ? sealer.sealFinal(piece) : sealer.seal(piece)
          assert.equal(chunk.length, piece.length + chunkOverheadBytes)
          const opened = opener.open(chunk)
          assert.deepEqual(Buffer.from(opened.plaintext), Buffer.from(piece))
          assert.equal(opened.final, last)
        }
        opener.end()
      }),
      { numRuns: 60 },
    )
  })

  it('are the same bytes whichever backend seals them', () => {
    const seal = (aead: AeadBackend) => {
      const { sealer } = stream('backend', 0, rawPair('backend', aead))
      return [sealer.seal(utf8('one')), sealer.seal(new Uint8Array(0)), sealer.sealFinal(utf8('three'))]
    }
    assert.deepEqual(seal(nodeAead), seal(nobleAead))
  })

  it('equal an independent reading of the specification with node:crypto', () => {
    const random = seededRandom('reference')
    const [root, encapsulation, attemptNonce] = [random(32), random(1120), random(32)]
    const { key, baseNonce } = deriveStreamKeys({ root, encapsulation, attemptNonce, sessionId: info.sessionId, jobId, attempt: 7 })
    // HKDF-Expand alone is one HMAC when 32 bytes are wanted.
    const context = Buffer.concat([
      utf8('tacit/session/1 attempt'),
      Buffer.alloc(32, 0x51),
      Buffer.alloc(32, 0x0b),
      Buffer.from([0, 0, 0, 7, 1]),
    ])
    const secret = createHmac('sha256', root).update(context).digest()
    const salt = Buffer.concat([encapsulation, attemptNonce])
    assert.deepEqual(Buffer.from(key), Buffer.from(hkdfSync('sha256', secret, salt, 'key', 32)))
    assert.deepEqual(Buffer.from(baseNonce), Buffer.from(hkdfSync('sha256', secret, salt, 'nonce', 12)))

    const sealer = new Sealer({ attemptNonce, key: nobleAead.importKey(key), baseNonce, firstCounter: 0x01020304 })
    const nonce = Buffer.from(baseNonce)
    for (const [i, byte] of [1, 2, 3, 4].entries()) nonce[8 + i] = (nonce[8 + i] ?? 0) ^ byte
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    cipher.setAAD(Buffer.from('final'))
    const expected = Buffer.concat([Buffer.from('0101020304', 'hex'), cipher.update('end'), cipher.final(), cipher.getAuthTag()])
    assert.deepEqual(Buffer.from(sealer.sealFinal(utf8('end'))), expected)
  })

  it('refuse every altered bit of every chunk, and go on with the right chunk', () => {
    const { chunks, opener } = chunksOf('tamper', ['first', 'second', ''])
    for (const [i, chunk] of chunks.entries()) {
      for (let bit = 0; bit < chunk.length * 8; bit++) {
        assert.throws(() => opener.open(flipBit(chunk, bit)), SessionError)
        assert.equal(opener.nextCounter, i)
      }
      opener.open(chunk)
    }
    opener.end()
  })

  it('name what is wrong with an altered chunk', () => {
    const { chunks, opener } = chunksOf('names', ['first', 'second', 'third'])
    const [first, second, third] = chunks as [Uint8Array, Uint8Array, Uint8Array]
    assert.throws(() => opener.open(flipBit(first, 8 * 9)), isTacitCode('session.wrong-session'))
    assert.throws(() => opener.open(second), isTacitCode('session.chunk-out-of-order'))
    opener.open(first)
    assert.throws(() => opener.open(first), isTacitCode('session.chunk-replayed'))
    assert.throws(() => opener.open(third), isTacitCode('session.chunk-out-of-order'))
    assert.throws(() => opener.open(flipBit(second, 8 * 9)), isTacitCode('session.chunk-altered'))
    assert.throws(() => opener.open(Uint8Array.of(2, ...second.subarray(1))), isTacitCode('session.chunk-malformed'))
    assert.throws(() => opener.open(second.subarray(0, 20)), isTacitCode('session.chunk-malformed'))
    assert.throws(
      () => opener.open(new Uint8Array(maxChunkPlaintextBytes + chunkOverheadBytes + 1)),
      isTacitCode('session.chunk-malformed'),
    )
    opener.open(second)
    opener.open(third)
    assert.throws(() => opener.open(third), isTacitCode('session.chunk-replayed'))
    const beyond = Uint8Array.of(0, 0, 0, 0, 3, ...third.subarray(5))
    assert.throws(() => opener.open(beyond), isTacitCode('session.stream-finished'))
  })

  it('do not take a chunk as final that was not sealed so, or the other way round', () => {
    const { chunks, opener } = chunksOf('marker', ['first', 'last'])
    const [first, last] = chunks as [Uint8Array, Uint8Array]
    assert.throws(() => opener.open(Uint8Array.of(1, ...first.subarray(1))), isTacitCode('session.wrong-session'))
    opener.open(first)
    assert.throws(() => opener.open(Uint8Array.of(0, ...last.subarray(1))), isTacitCode('session.chunk-altered'))
  })

  it('are truncated until the final chunk was opened', () => {
    const { chunks, opener } = chunksOf('truncate', ['first', 'second', 'last'])
    for (const chunk of chunks) {
      assert.throws(() => opener.end(), isTacitCode('session.stream-truncated'))
      opener.open(chunk)
    }
    opener.end()
  })

  it('refuse a renumbered chunk', () => {
    const { chunks, opener } = chunksOf('renumber', ['first', 'second', 'last'])
    const [first, second] = chunks as [Uint8Array, Uint8Array]
    opener.open(first)
    assert.throws(() => opener.open(Uint8Array.of(0, 0, 0, 0, 1, ...first.subarray(5))), isTacitCode('session.chunk-altered'))
    opener.open(second)
  })

  it('refuse chunks of another session, job, attempt, direction or nonce', () => {
    const here = rawPair('here')
    const random = seededRandom('splice')
    const make = (session: Session, job: `0x${string}`, attempt: number) => {
      const sealer = session.sealStream({ jobId: job, attempt }, { random })
      return { nonce: sealer.attemptNonce, chunks: [sealer.seal(utf8('a')), sealer.seal(utf8('b'))] }
    }
    const right = make(here.worker, jobId, 0)
    const others = [
      make(rawPair('elsewhere').worker, jobId, 0),
      make(here.worker, `0x${'0c'.repeat(32)}`, 0),
      make(here.worker, jobId, 1),
      make(here.client, jobId, 0),
      make(rawPair('here').worker, jobId, 0),
    ]
    const opener = here.client.openStream({ jobId, attempt: 0 }, { attemptNonce: right.nonce })
    for (const other of others) assert.throws(() => opener.open(other.chunks[0] as Uint8Array), isTacitCode('session.wrong-session'))
    opener.open(right.chunks[0] as Uint8Array)
    for (const other of others) assert.throws(() => opener.open(other.chunks[1] as Uint8Array), isTacitCode('session.chunk-altered'))
    opener.open(right.chunks[1] as Uint8Array)
  })

  it('of a real session do not open in another real session to the same prekey', async () => {
    const one = await sessionPair('x25519', 'a')
    const two = await sessionPair('x25519', 'b')
    const sealer = one.client.sealStream({ jobId, attempt: 0 }, { random: one.random })
    const opener = two.worker.openStream({ jobId, attempt: 0 }, { attemptNonce: sealer.attemptNonce })
    assert.throws(() => opener.open(sealer.seal(utf8('x'))), isTacitCode('session.wrong-session'))
  })
})

describe('no (key, nonce) twice', () => {
  it('a finished sealer seals nothing more', () => {
    const { sealer } = stream()
    sealer.sealFinal(utf8('end'))
    assert.throws(() => sealer.seal(utf8('more')), isTacitCode('session.stream-finished'))
    assert.throws(() => sealer.sealFinal(utf8('more')), isTacitCode('session.stream-finished'))
  })

  it('an attempt is sealed once, and a whole stream opens once', () => {
    const { worker, client, sealer, opener } = stream('reuse')
    const random = seededRandom('again')
    assert.throws(() => worker.sealStream({ jobId, attempt: 0 }, { random }), isTacitCode('session.attempt-reused'))
    const first = sealer.seal(utf8('first'))
    const rival = client.openStream({ jobId, attempt: 0 }, { attemptNonce: sealer.attemptNonce })
    opener.open(first)
    assert.throws(() => rival.open(first), isTacitCode('session.attempt-reused'))
    assert.throws(
      () => client.openStream({ jobId, attempt: 0 }, { attemptNonce: sealer.attemptNonce }),
      isTacitCode('session.attempt-reused'),
    )
  })

  it('a made-up attempt nonce does not use up the attempt', () => {
    const { client, sealer, opener } = stream('made-up')
    const rival = client.openStream({ jobId, attempt: 0 }, { attemptNonce: new Uint8Array(32) })
    const first = sealer.seal(utf8('first'))
    assert.throws(() => rival.open(first), isTacitCode('session.wrong-session'))
    opener.open(first)
  })

  it('attempts of one job never share a key', () => {
    const pair = rawPair('attempts')
    const seen = new Set<string>()
    for (let attempt = 0; attempt < 20; attempt++) {
      const { sealer } = stream('attempts', attempt, pair)
      seen.add(Buffer.from(sealer.seal(new Uint8Array(32))).toString('hex'))
    }
    assert.equal(seen.size, 20)
  })

  it('the counter ends instead of wrapping', () => {
    const options = { attemptNonce: new Uint8Array(32), key: nodeAead.importKey(new Uint8Array(32)), baseNonce: new Uint8Array(12) }
    const sealer = new Sealer({ ...options, firstCounter: 2 ** 32 - 2 })
    sealer.seal(utf8('last but one'))
    assert.throws(() => sealer.seal(utf8('no')), isTacitCode('session.counter-exhausted'))
    sealer.sealFinal(utf8('last'))
    assert.throws(() => sealer.sealFinal(utf8('no')), isTacitCode('session.stream-finished'))
  })

  it('a backend that fails half-way does not get the same nonce again', () => {
    const nonces: string[] = []
    const failing = {
      seal: (nonce: Uint8Array) => {
        nonces.push(Buffer.from(nonce).toString('hex'))
        throw new Error('out of memory')
      },
      open: () => undefined,
    }
    const sealer = new Sealer({ attemptNonce: new Uint8Array(32), key: failing, baseNonce: new Uint8Array(12) })
    for (let i = 0; i < 3; i++) assert.throws(() => sealer.seal(utf8('x')))
    assert.equal(new Set(nonces).size, 3)
  })

  it('bad attempt numbers, nonces, job ids and chunk sizes are refused', () => {
    const { worker, client, sealer } = stream('bad')
    const random = seededRandom('bad')
    for (const attempt of [-1, 0.5, 2 ** 32, Number.NaN]) {
      assert.throws(() => worker.sealStream({ jobId, attempt }, { random }), isTacitCode('protocol.malformed'))
    }
    assert.throws(() => worker.sealStream({ jobId: '0x0b', attempt: 1 }, { random }), isTacitCode('protocol.malformed'))
    assert.throws(() => client.openStream({ jobId, attempt: 0 }, { attemptNonce: new Uint8Array(31) }), isTacitCode('protocol.malformed'))
    assert.throws(() => sealer.seal(new Uint8Array(maxChunkPlaintextBytes + 1)), isTacitCode('session.chunk-malformed'))
  })
})
