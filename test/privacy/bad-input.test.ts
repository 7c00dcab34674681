// What strangers may send to a worker. Each gets a named answer, nothing is charged, nobody can be blamed, and the worker goes on.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { WireChannel, WorkerSession } from '@tacit/client'
import { encodeFrame, type Frame, RefusedError } from '@tacit/exchange'
import { type Channel, dialChannel } from '@tacit/network'
import {
  canonicalBytes,
  parseJson,
  parseSessionId,
  prekeySchema,
  type Prekey,
  type SessionId,
  type Signed,
  signedSchema,
  toHex,
} from '@tacit/protocol'
import { openSession, prekeyId } from '@tacit/session'
import { domain, model, scriptedText, type SmallWorld, startSmallWorld, type Tamper } from './small-world.ts'

const random = (sizeBytes: number): Uint8Array => Uint8Array.from(randomBytes(sizeBytes))
const newSession = (): SessionId => parseSessionId(toHex(random(32)))

describe('bad input to a worker', () => {
  let world: SmallWorld
  before(async () => {
    world = await startSmallWorld()
  })
  after(() => world?.close())

  async function dial(): Promise<Channel> {
    return dialChannel(world.connect(), { dialTimeoutMs: 1_500 })
  }

  async function exchangeFrames(frames: readonly Frame[]): Promise<Frame | undefined> {
    const channel = new WireChannel(await dial())
    for (const frame of frames) await channel.send(frame)
    let last: Frame | undefined
    for (let i = 0; i < frames.length; i++) {
      const next = await channel.next(AbortSignal.timeout(3_000))
      if (next === undefined) break
      last = next
    }
    await channel.close()
    return last
  }

  async function fetchPrekey(): Promise<Signed<Prekey>> {
    const frame = await exchangeFrames([{ type: 'prekey-request' }])
    assert.ok(frame?.type === 'prekey')
    return signedSchema(prekeySchema)(parseJson(frame.json, 'A prekey', 4096), 'prekey')
  }

  async function openFrame(session: SessionId): Promise<Extract<Frame, { type: 'open' }>> {
    const { document } = await fetchPrekey()
    const { enc } = await openSession({
      prekey: document,
      info: { chainId: domain.chainId, sessionId: session, modelId: model, worker: world.workerSigner.address },
      nowSeconds: Math.floor(Date.now() / 1000),
      random,
    })
    return { type: 'open', prekeyId: prekeyId(document), session, enc }
  }

  async function serves(): Promise<void> {
    await using session = await WorkerSession.open(world.options())
    assert.equal((await world.ask(session, 'fine', 6)).text, scriptedText('fine', 6))
    assert.deepEqual(world.reported, [])
  }

  it('answers a garbage encapsulation with a neutral fault: no session, no charge, no blame', async () => {
    const good = await openFrame(newSession())
    const before = world.worker.openSessions
    for (const enc of [
      random(good.enc.length),
      new Uint8Array(good.enc.length),
      good.enc.map((byte, index) => (index === 3 ? byte ^ 1 : byte)),
      random(100),
    ])
      assert.deepEqual(await exchangeFrames([{ ...good, session: newSession(), enc }]), { type: 'fault', fault: 'not-accepted' })
    // Keys for another session: whoever replays an encapsulation cannot open anything with it.
    assert.deepEqual(await exchangeFrames([{ ...good, session: newSession() }]), { type: 'fault', fault: 'not-accepted' })
    assert.equal(world.worker.openSessions, before)
    assert.deepEqual(world.journal.earnings(), [])
    assert.deepEqual(world.journal.redeemable(), [])
    await serves()
  })

  it('does not open a session under a name that is taken', async () => {
    const good = await openFrame(newSession())
    assert.deepEqual(await exchangeFrames([good]), { type: 'opened' })
    assert.deepEqual(await exchangeFrames([good]), { type: 'fault', fault: 'not-accepted' })
    assert.deepEqual(await exchangeFrames([{ ...(await openFrame(newSession())), session: good.session }]), {
      type: 'fault',
      fault: 'not-accepted',
    })
  })

  it('does not start a job twice, and answers a repeated START with the same stream', async () => {
    const good = await openFrame(newSession())
    const start = { type: 'start', session: good.session, jobIndex: 0, attemptNonce: random(32), paced: false } as const
    const first = await exchangeFrames([good, start])
    assert.ok(first?.type === 'started')
    const again = await exchangeFrames([start])
    assert.ok(again?.type === 'resumed' || again?.type === 'started')
    assert.deepEqual(again.attemptNonce, first.attemptNonce)
    assert.deepEqual(await exchangeFrames([{ ...start, attemptNonce: random(32) }]), { type: 'fault', fault: 'job-seen' })
  })

  it('names what it does not know: session, stream, prekey', async () => {
    const session = newSession()
    assert.deepEqual(await exchangeFrames([{ type: 'start', session, jobIndex: 0, attemptNonce: random(32), paced: true }]), {
      type: 'fault',
      fault: 'session-unknown',
    })
    assert.deepEqual(await exchangeFrames([{ type: 'resume', session, jobIndex: 0, next: 0 }]), { type: 'fault', fault: 'stream-lost' })
    const good = await openFrame(newSession())
    assert.deepEqual(await exchangeFrames([{ ...good, prekeyId: toHex(random(32)) }]), { type: 'fault', fault: 'prekey-unknown' })
    const known = await openFrame(session)
    assert.deepEqual(
      await exchangeFrames([
        known,
        { type: 'start', session, jobIndex: 1, attemptNonce: random(32), paced: false },
        { type: 'resume', session, jobIndex: 1, next: 4_000_000_000 },
      ]),
      { type: 'fault', fault: 'malformed' },
    )
  })

  it('survives every kind of nonsense, also in the middle of a session', async () => {
    for (let round = 0; round < 150; round++) {
      const channel = await dial()
      const good = round % 3 === 0 ? encodeFrame(await openFrame(newSession())) : undefined
      if (good !== undefined) await channel.send(good)
      const junk = random(1 + ((round * 37) % 400))
      if (round % 2 === 0) junk.set([1, 1 + (round % 13)].slice(0, junk.length)) // a known version and type, and nonsense after it
      await channel.send(junk).catch(() => {})
      await channel.close()
    }
    await serves()
  })

  it('takes no message above its limit', async () => {
    const channel = await dial()
    await assert.rejects(channel.send(new Uint8Array(channel.maxMessageBytes + 1)), { code: 'network.message-too-large' })
    // Within what a channel takes, and above what a frame may be.
    await channel.send(new Uint8Array(channel.maxMessageBytes).fill(1))
    const wire = new WireChannel(channel)
    assert.deepEqual(await wire.next(AbortSignal.timeout(3_000)), { type: 'fault', fault: 'malformed' })
    await serves()
  })

  it('refuses a prekey that is not the worker’s, or expired, before anything is sent', async () => {
    const genuine = await fetchPrekey()
    const instead =
      (signed: unknown): Tamper =>
      (message, { direction }) =>
        direction === 'down' && message[0] === 0 && message[2] === 10
          ? [Uint8Array.of(0, 1, 10, ...canonicalBytes(signed as never))]
          : [message]
    const { document, signature } = genuine
    const stranger = await startSmallWorld()
    const foreign = await stranger.worker.prekey()
    await stranger.close()
    for (const forged of [
      foreign,
      { document: { ...document, worker: world.workerSigner.address, publicKey: foreign.document.publicKey }, signature },
      { document: { ...document, notAfter: document.notAfter + 1 }, signature },
      { document: foreign.document, signature },
    ])
      await assert.rejects(WorkerSession.open(world.options(instead(forged))), { code: 'client.prekey-refused' })
    // The same prekey, a day later.
    const late = world.options(instead(genuine), { now: () => Math.floor(Date.now() / 1000) + 24 * 3600 })
    await assert.rejects(WorkerSession.open(late), { code: 'client.prekey-refused' })
  })

  it('no longer opens sessions under a prekey that has expired', async () => {
    const mine = await startSmallWorld()
    const { document } = await mine.worker.prekey()
    const session = newSession()
    const { enc } = await openSession({
      prekey: document,
      info: { chainId: domain.chainId, sessionId: session, modelId: model, worker: mine.workerSigner.address },
      nowSeconds: Math.floor(Date.now() / 1000),
      random,
    })
    mine.skipSeconds(13 * 3600)
    const channel = new WireChannel(await dialChannel(mine.connect(), { dialTimeoutMs: 1_500 }))
    await channel.send({ type: 'open', prekeyId: prekeyId(document), session, enc })
    assert.deepEqual(await channel.next(AbortSignal.timeout(3_000)), { type: 'fault', fault: 'prekey-unknown' })
    await channel.close()
    await mine.close()
  })

  it('refuses a voucher over the lock and charges nothing', async () => {
    const poor = await startSmallWorld({ locked: 5n })
    await using session = await WorkerSession.open(poor.options())
    const { error, text } = await poor.ask(session, 'word', 8)
    assert.ok(error instanceof RefusedError && error.reason === 'voucher-over-lock', String(error))
    assert.equal(text, '')
    assert.equal(poor.ledgers.read(poor.order('word', 8).channel).committed, 0n)
    assert.deepEqual(poor.journal.redeemable(), [])
    await poor.close()
  })

  it('delivers what the lock pays for when it runs out in the middle, and no more', async () => {
    const poor = await startSmallWorld({ locked: 25n })
    await using session = await WorkerSession.open(poor.options())
    const { text } = await poor.ask(session, 'word', 12)
    assert.ok(scriptedText('word', 8).startsWith(text), text)
    const [due] = poor.journal.redeemable()
    assert.ok(BigInt(due?.voucher.maxClaimableAmount ?? '99') <= 25n)
    await poor.close()
  })

  it('is busy, by name, when its table of sessions is full of jobs that run', async () => {
    const small = await startSmallWorld({ maxSessions: 1 })
    await using first = await WorkerSession.open(small.options())
    const quote = await first.quote({ privacy: 'sealed', verification: 'signed' }, 'paced', small.order('x', 40, 'paced').input)
    const running = first.run(small.order('x', 40, 'paced'), quote)
    for (let next = await running.next(); !next.done && next.value.type !== 'output'; next = await running.next());
    await assert.rejects(WorkerSession.open(small.options()), (error) => error instanceof RefusedError && error.reason === 'busy')
    await running.return()
    await small.close()
  })
})
