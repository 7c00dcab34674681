import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Address, createSigner, toHex } from '@tacit/protocol'
import { WebSocket } from 'ws'
import { isTacitCode } from './codes.ts'
import { manualTimers } from './manual-timers.ts'
import { first, type MakeTransport, take, testTransport } from './transport-compliance.ts'
import {
  type Channel,
  createBackOff,
  createRecorder,
  identityOf,
  listenThroughRelay,
  type RelayListenerOptions,
  type RelayStatus,
  type SocketFactory,
} from '../src/index.ts'
import { createNodeDialer, openNodeSocket, type RelayOptions, serveRelay } from '../src/node/index.ts'
import { encodeMux, type MuxMessage, parseMux } from '../src/relay/mux.ts'
import { createWebDialer, openWebSocket } from '../src/web/index.ts'

const signer = createSigner(Uint8Array.from({ length: 32 }, (_, i) => i + 1))
const other = createSigner(Uint8Array.from({ length: 32 }, (_, i) => i + 2))
const identity = identityOf(signer)
const quick = createBackOff({ firstMs: 2, longestMs: 10, random: () => 0.5 })

const make =
  (open: SocketFactory, dialerOf: typeof createNodeDialer): MakeTransport =>
  async ({ listener: listenerOptions = {}, dialer: dialerOptions = {} }) => {
    const relay = await serveRelay()
    const listener = await listenThroughRelay(relay.url, { ...listenerOptions, open, identity })
    return {
      listener,
      dialer: dialerOf(dialerOptions),
      deadAddress: `${relay.url}/connect/${other.address}`,
      rawSocket: () => openNodeSocket(listener.address, { signal: undefined, maxFrameBytes: 1 << 20 }),
      [Symbol.asyncDispose]: async () => {
        await listener.close()
        await relay.close()
      },
    }
  }

testTransport('relay, both ends in Node', make(openNodeSocket, createNodeDialer))
testTransport('relay, both ends with the global WebSocket', make(openWebSocket, createWebDialer))

/** A relay with one worker and a client on it. */
async function connected(options: RelayOptions = {}, listenerOptions: Partial<RelayListenerOptions> = {}) {
  const relay = await serveRelay(options)
  const listener = await listenThroughRelay(relay.url, { open: openNodeSocket, identity, backOff: quick, ...listenerOptions })
  const accepting = first(listener.accept())
  const near = await createNodeDialer().dial(listener.address)
  return { relay, listener, near, far: await accepting }
}

/** A bare worker connection, for workers that misbehave. */
async function rawWorker(relayUrl: string) {
  const socket = await openNodeSocket(`${relayUrl}/serve`, { signal: undefined, maxFrameBytes: 1 << 20 })
  const inbox: MuxMessage[] = []
  let wake: () => void = () => undefined
  const ended = new Promise<number>((resolve) => {
    socket.attach({
      message: (bytes) => {
        inbox.push(parseMux(bytes))
        wake()
      },
      text: () => undefined,
      closed: ({ code }) => resolve(code),
    })
  })
  const next = async (): Promise<MuxMessage> => {
    for (;;) {
      const message = inbox.shift()
      if (message !== undefined) return message
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { socket, next, ended }
}

describe('a worker at a relay', { timeout: 30_000 }, () => {
  it('is refused without a proof that holds', async () => {
    await using relay = await serveRelay()
    const forged = { worker: other.address, sign: identity.sign }
    await assert.rejects(listenThroughRelay(relay.url, { open: openNodeSocket, identity: forged }), isTacitCode('network.relay-refused'))
    const garbage = { worker: signer.address, sign: async () => new Uint8Array(65) }
    await assert.rejects(listenThroughRelay(relay.url, { open: openNodeSocket, identity: garbage }), isTacitCode('network.relay-refused'))
    const failing = { worker: signer.address, sign: () => Promise.reject(new Error('locked')) }
    await assert.rejects(listenThroughRelay(relay.url, { open: openNodeSocket, identity: failing }), isTacitCode('network.relay-refused'))
    assert.deepEqual(relay.counts(), { workers: 0, clients: 0 })
  })

  it('cannot be passed off by another relay that hands on the challenge', async () => {
    await using relay = await serveRelay()
    // The worker believes it talks to evil.example; what it signs does not hold at the real relay.
    const raw = await rawWorker(relay.url)
    const challenge = await raw.next()
    assert.equal(challenge.type, 'challenge')
    if (challenge.type !== 'challenge') return
    const { relayProofDigest } = await import('../src/index.ts')
    const signature = await identity.sign(relayProofDigest({ origin: 'evil.example', worker: signer.address, nonce: challenge.nonce }))
    raw.socket.send(encodeMux({ type: 'proof', worker: signer.address, signature }))
    assert.equal(await raw.ended, 4002)
  })

  it('is subject to the verifier of the relay', async () => {
    const seen: Address[] = []
    await using relay = await serveRelay({
      verify: async ({ worker }) => {
        seen.push(worker)
        return false
      },
    })
    await assert.rejects(listenThroughRelay(relay.url, { open: openNodeSocket, identity }), isTacitCode('network.relay-refused'))
    assert.deepEqual(seen, [signer.address])
  })

  it('has a time limit for its proof', async () => {
    const timers = manualTimers()
    await using relay = await serveRelay({ timers })
    const raw = await rawWorker(relay.url)
    await raw.next()
    timers.advance(11_000)
    assert.equal(await raw.ended, 4002)
  })

  it('gives way to itself when it connects again', async () => {
    const statuses: RelayStatus[] = []
    const slow = createBackOff({ firstMs: 60_000, longestMs: 60_000, random: () => 1 })
    const { relay, listener, near } = await connected({}, { backOff: slow, onStatus: (status) => statuses.push(status) })
    await using again = await listenThroughRelay(relay.url, { open: openNodeSocket, identity })
    assert.equal((await near.closed).error?.code, 'network.connection-lost')
    await until(() => relay.counts().clients === 0)
    assert.equal(relay.counts().workers, 1)
    assert.deepEqual(
      statuses.map((status) => ('error' in status ? status.error.code : status.state)),
      ['connected', 'network.replaced'],
    )
    const accepting = first(again.accept())
    await using channel = await createNodeDialer().dial(again.address)
    await channel.send(Uint8Array.of(1))
    assert.deepEqual(await take(await accepting, 1), [Uint8Array.of(1)])
    await listener.close()
    await again.close()
    await relay.close()
  })

  it('that sends garbage is cut off, and nobody else', async () => {
    const { relay, listener, near, far } = await connected()
    const garbage = [
      new Uint8Array(0),
      Uint8Array.of(255),
      Uint8Array.of(1, 2),
      encodeMux({ type: 'accepted', heartbeatMs: 0 }),
      encodeMux({ type: 'data', id: 1, payload: new Uint8Array(4) }),
    ]
    for (const bytes of garbage) {
      const raw = await rawWorker(relay.url)
      await raw.next()
      raw.socket.send(bytes)
      assert.equal(await raw.ended, 4001)
    }
    await near.send(Uint8Array.of(9))
    assert.deepEqual(await take(far, 1), [Uint8Array.of(9)])
    await listener.close()
    await relay.close()
  })

  it('that answers no heartbeat is dropped', async () => {
    const timers = manualTimers()
    await using relay = await serveRelay({ timers, limits: { heartbeatMs: 1_000 } })
    const raw = await rawWorker(relay.url)
    const challenge = await raw.next()
    if (challenge.type !== 'challenge') return assert.fail()
    const { relayOrigin } = await import('../src/relay/identity.ts')
    const { relayProofDigest } = await import('../src/index.ts')
    const digest = relayProofDigest({ origin: relayOrigin(relay.url), worker: signer.address, nonce: challenge.nonce })
    raw.socket.send(encodeMux({ type: 'proof', worker: signer.address, signature: await identity.sign(digest) }))
    assert.deepEqual(await raw.next(), { type: 'accepted', heartbeatMs: 1_000 })
    timers.advance(1_000)
    assert.deepEqual(await raw.next(), { type: 'ping' })
    timers.advance(4_000)
    assert.equal(await raw.ended, 4006)
    await until(() => relay.counts().workers === 0)
  })
})

describe('a relay', { timeout: 30_000 }, () => {
  it('says so when the worker is not there', async () => {
    await using relay = await serveRelay()
    for (const dialer of [createNodeDialer(), createWebDialer()]) {
      await assert.rejects(dialer.dial(`${relay.url}/connect/${other.address}`), isTacitCode('network.worker-not-connected'))
      await assert.rejects(dialer.dial(`${relay.url}/elsewhere`), isTacitCode('network.relay-refused'))
    }
  })

  it('keeps to its limits on connections', async () => {
    const { relay, listener, near } = await connected({ limits: { maxClientsPerWorker: 2, maxClients: 3, maxWorkers: 1 } })
    const dialer = createNodeDialer()
    await using second = await dialer.dial(listener.address)
    await assert.rejects(dialer.dial(listener.address), isTacitCode('network.limit-reached'))
    const rival = listenThroughRelay(relay.url, { open: openNodeSocket, identity: identityOf(other) })
    await assert.rejects(rival, isTacitCode('network.limit-reached'))
    await near.close()
    await second.close()
    await listener.close()
    await relay.close()

    await using narrow = await serveRelay({ limits: { maxConnectionsPerAddress: 1 } })
    await using only = await listenThroughRelay(narrow.url, { open: openNodeSocket, identity })
    await assert.rejects(dialer.dial(only.address), isTacitCode('network.limit-reached'))
  })

  it('disconnects a client that is idle for too long', async () => {
    const timers = manualTimers()
    const { relay, listener, near } = await connected({ timers, limits: { idleMs: 1_000 } })
    timers.advance(600)
    await near.send(Uint8Array.of(1))
    assert.equal(relay.counts().clients, 1)
    timers.advance(3_000)
    assert.equal((await near.closed).error?.code, 'network.connection-lost')
    await listener.close()
    await relay.close()
  })

  it('cuts a client that floods it past the window, and bounds what waits for one that does not read', async () => {
    const { relay, listener, near, far } = await connected({ limits: { maxBufferedPerClientBytes: 200_000 } })
    // A client that stops reading its TCP connection altogether.
    const accepting = first(listener.accept())
    const socket = new WebSocket(listener.address)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(Uint8Array.of(5, 1, 0, 2, 0, 0))
    const victim = await accepting
    socket.pause()
    // Its channel holds back after one window, far below what the sockets could take.
    let resolved = 0
    const sends = Array.from({ length: 200 }, () =>
      victim.send(new Uint8Array(100_000)).then(
        () => resolved++,
        () => undefined,
      ),
    )
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(resolved <= 5, `${resolved} messages`)
    socket.terminate()
    await Promise.all(sends)
    assert.ok((await victim.closed).error !== undefined)
    await near.send(Uint8Array.of(1))
    assert.deepEqual(await take(far, 1), [Uint8Array.of(1)])
    await listener.close()
    await relay.close()
  })

  it('killed mid-stream: both ends are told, the worker comes back by itself, clients dial again', async () => {
    const statuses: string[] = []
    const { relay, listener, near, far } = await connected({}, { onStatus: ({ state }) => statuses.push(state) })
    const port = Number(new URL(relay.url).port)
    const endless = (async () => {
      for (;;) await far.send(new Uint8Array(1_000))
    })()
    const lost = assert.rejects(endless, isTacitCode('network.connection-lost'))
    const reading = assert.rejects(drain(near), isTacitCode('network.connection-lost'))
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    await relay.terminate()
    await Promise.all([lost, reading])
    assert.equal((await near.closed).error?.code, 'network.connection-lost')

    await using restarted = await serveRelay({ port })
    const accepting = first(listener.accept())
    const dialer = createNodeDialer()
    const { dialWithRetry } = await import('../src/index.ts')
    await using again = await dialWithRetry(dialer, listener.address, { backOff: quick, attempts: 50 })
    await again.send(Uint8Array.of(1))
    assert.deepEqual(await take(await accepting, 1), [Uint8Array.of(1)])
    assert.deepEqual([statuses[0], statuses.at(-1)], ['connected', 'connected'])
    assert.ok(statuses.includes('lost'))
    await listener.close()
    await until(() => restarted.counts().workers === 0)
  })

  it('stops cleanly, telling everybody', async () => {
    const { relay, listener, near, far } = await connected()
    await relay.close()
    assert.equal((await near.closed).error?.code, 'network.connection-lost')
    assert.equal((await far.closed).error?.code, 'network.connection-lost')
    await listener.close()
  })

  it('sees exactly what went over its connections, and the recorder keeps it', async () => {
    const { record, events } = createRecorder()
    const { relay, listener, near, far } = await connected({ recorder: record })
    const secret = new TextEncoder().encode('sealed, says the layer above')
    await near.send(secret)
    await take(far, 1)
    await far.send(Uint8Array.of(1, 2, 3))
    await take(near, 1)
    await near.close()
    await far.closed
    await listener.close()
    await relay.close()
    const clientEvents = events.filter(({ party }) => party === 'client')
    const data = clientEvents.flatMap((event) =>
      'bytes' in event && event.bytes[0] === 0 ? [[event.kind, toHex(event.bytes.subarray(1))]] : [],
    )
    assert.deepEqual(data, [
      ['received', toHex(secret)],
      ['sent', '0x010203'],
    ])
    assert.ok(clientEvents.every(({ worker }) => worker === signer.address))
    assert.deepEqual([clientEvents[0]?.kind, clientEvents.at(-1)?.kind], ['connected', 'closed'])
    // The same messages, wrapped, on the worker's connection.
    const wrapped = events.flatMap((event) => (event.party === 'worker' && 'bytes' in event ? [parseMux(event.bytes)] : []))
    assert.ok(wrapped.some((message) => message.type === 'data' && toHex(message.payload.subarray(1)) === toHex(secret)))
    const times = events.map(({ atMs }) => atMs)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    )
  })

  it('listens on loopback only unless told otherwise', async () => {
    await assert.rejects(serveRelay({ host: '0.0.0.0' }), isTacitCode('network.not-loopback'))
  })
})

/** Waits, by turns of the event loop, for what the other side is about to do. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

async function drain(channel: Channel): Promise<void> {
  for await (const message of channel.receive()) void message
}
