import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { isTacitCode } from './codes.ts'
import { flipBit, info, jobId, notBefore, nowSeconds, seededRandom, sessionPair, worker } from './fixtures.ts'
import {
  acceptSession,
  encodeSessionInfo,
  generatePrekey,
  openSession,
  prekeyId,
  type SessionInfo,
  type SuiteName,
  suites,
} from '../src/index.ts'

const suiteNames = ['x-wing', 'x25519'] as const

describe('opening a session', () => {
  for (const suite of suiteNames) {
    it(`${suite}: both ends derive the same stream keys, in both directions`, async () => {
      const { client, worker, enc, random } = await sessionPair(suite)
      assert.equal(enc.length, suites[suite].encapsulationBytes + 16)
      const text = Buffer.from('attack at dawn')
      for (const [from, to] of [
        [client, worker],
        [worker, client],
      ] as const) {
        const sealer = from.sealStream({ jobId, attempt: 0 }, { random })
        const opener = to.openStream({ jobId, attempt: 0 }, { attemptNonce: sealer.attemptNonce })
        assert.deepEqual(Buffer.from(opener.open(sealer.seal(text)).plaintext), text)
        assert.deepEqual(opener.open(sealer.sealFinal(text)).final, true)
        opener.end()
      }
    })

    it(`${suite}: garbage, truncated, extended or altered encapsulations get the one neutral error`, async () => {
      const { secret, enc, random } = await sessionPair(suite)
      const accept = (bytes: Uint8Array) => acceptSession({ prekeySecret: secret, enc: bytes, info })
      const garbage = [new Uint8Array(0), enc.subarray(1), new Uint8Array([...enc, 0]), random(enc.length), new Uint8Array(enc.length)]
      const flips = Array.from({ length: 24 }, (_, i) => flipBit(enc, Math.floor((i * (enc.length * 8 - 1)) / 23)))
      for (const bytes of [...garbage, ...flips]) await assert.rejects(accept(bytes), isTacitCode('session.encapsulation-rejected'))
    })
  }

  it('every field of the info binds', async () => {
    const { secret, enc } = await sessionPair()
    const others: Partial<SessionInfo>[] = [
      { chainId: info.chainId + 1n },
      { sessionId: `0x${'52'.repeat(32)}` },
      { modelId: `0x${'3e'.repeat(32)}` },
      { worker: `0x${'a2'.repeat(20)}` },
    ]
    for (const other of others) {
      const accepting = acceptSession({ prekeySecret: secret, enc, info: { ...info, ...other } })
      await assert.rejects(accepting, isTacitCode('session.encapsulation-rejected'))
    }
  })

  it('another prekey of the same worker does not open it', async () => {
    const { enc } = await sessionPair('x25519', 'one')
    const { secret } = await sessionPair('x25519', 'two')
    await assert.rejects(acceptSession({ prekeySecret: secret, enc, info }), isTacitCode('session.encapsulation-rejected'))
  })

  it('an encapsulation draws fresh randomness', async () => {
    const { record, random } = await sessionPair()
    const one = await openSession({ prekey: record, info, nowSeconds, random })
    const two = await openSession({ prekey: record, info, nowSeconds, random })
    assert.notDeepEqual(one.enc, two.enc)
  })

  it('refuses a short random source', async () => {
    const { record } = await sessionPair()
    const opening = openSession({ prekey: record, info, nowSeconds, random: () => new Uint8Array(3) })
    await assert.rejects(opening, isTacitCode('session.random-source'))
  })

  it('info is encoded in 133 bytes, each field at its place', () => {
    const encoded = Buffer.from(encodeSessionInfo(info)).toString('hex')
    const expected = `0f${Buffer.from('tacit/session/1').toString('hex')}${'0'.repeat(55)}100000005${'51'.repeat(32)}${'3d'.repeat(32)}${'a1'.repeat(20)}`
    assert.equal(encoded, expected)
    assert.throws(() => encodeSessionInfo({ ...info, sessionId: '0x51' }), isTacitCode('protocol.malformed'))
    assert.throws(() => encodeSessionInfo({ ...info, chainId: -1n }), isTacitCode('protocol.malformed'))
  })
})

describe('prekeys', () => {
  it('are refused outside their window', async () => {
    const { record, random } = await sessionPair()
    const open = (seconds: number) => openSession({ prekey: record, info, nowSeconds: seconds, random })
    await assert.rejects(open(record.notBefore - 1), isTacitCode('session.prekey-expired'))
    await assert.rejects(open(record.notAfter), isTacitCode('session.prekey-expired'))
    await open(record.notBefore)
    await open(record.notAfter - 1)
  })

  it('live at most a day', async () => {
    const make = (notAfter: number) => generatePrekey({ suite: 'x25519', worker, notBefore, notAfter, random: seededRandom('window') })
    await make(notBefore + 86_400)
    for (const notAfter of [notBefore + 86_401, notBefore, notBefore - 1]) {
      await assert.rejects(make(notAfter), isTacitCode('session.prekey-expired'))
    }
    await assert.rejects(make(notBefore + 0.5), isTacitCode('session.prekey-invalid'))
  })

  it('of another worker, suite or shape are refused before anything is sent', async () => {
    const { record, random } = await sessionPair()
    const bad = [
      { ...record, worker: `0x${'a2'.repeat(20)}` as const },
      { ...record, suite: 'toString' as SuiteName },
      { ...record, suite: 'x-wing' as const },
      { ...record, publicKey: '0x00' as const },
      { ...record, publicKey: `0x${'00'.repeat(32)}` as const },
    ]
    for (const prekey of bad) {
      await assert.rejects(openSession({ prekey, info, nowSeconds, random }), isTacitCode('session.prekey-invalid'))
    }
  })

  it('have an id that every field changes', async () => {
    const { record } = await sessionPair()
    const variants = [
      record,
      { ...record, notAfter: record.notAfter - 1 },
      { ...record, notBefore: record.notBefore + 1 },
      { ...record, worker: `0x${'a2'.repeat(20)}` as const },
      { ...record, publicKey: `0x${'01'.repeat(32)}` as const },
    ]
    assert.equal(new Set(variants.map(prekeyId)).size, variants.length)
  })

  it('open nothing after erasure', async () => {
    const { secret, enc } = await sessionPair()
    secret.erase()
    assert.equal(secret.erased, true)
    await assert.rejects(acceptSession({ prekeySecret: secret, enc, info }), isTacitCode('session.prekey-erased'))
  })
})

describe('secrets', () => {
  it('never print or serialise', async () => {
    const { secret, client, worker, random } = await sessionPair()
    const sealer = client.sealStream({ jobId, attempt: 0 }, { random })
    const opener = worker.openStream({ jobId, attempt: 0 }, { attemptNonce: sealer.attemptNonce })
    for (const value of [secret, client, worker, sealer, opener]) {
      assert.equal(JSON.stringify({ value }), '{"value":"[redacted]"}')
      assert.equal(inspect(value, { showHidden: true, depth: 10 }), '[redacted]')
      assert.equal(inspect([value]), '[ [redacted] ]')
      assert.equal(`${value}`, '[redacted]')
      assert.equal(String(value), '[redacted]')
    }
  })

  it('do not survive a structured clone, so no copy can seal', async () => {
    const { client, random } = await sessionPair()
    const sealer = client.sealStream({ jobId, attempt: 0 }, { random })
    const clone = structuredClone({ ...sealer }) as unknown as { seal?: unknown }
    assert.equal(clone.seal, undefined)
    assert.deepEqual(Object.keys(clone), ['attemptNonce'])
  })

  it('are gone after erase()', async () => {
    const { client, random } = await sessionPair()
    client.erase()
    assert.throws(() => client.sealStream({ jobId, attempt: 0 }, { random }), isTacitCode('session.erased'))
  })
})
