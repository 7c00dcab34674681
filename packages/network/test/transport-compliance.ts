// What every transport must keep. A transport's test file calls `testTransport` with a way to make one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isTacitCode } from './codes.ts'
import type { Channel, ChannelOptions, Dialer, Listener, MessageSocket } from '../src/index.ts'
import { windowBytes } from '../src/flow.ts'

/** One transport, ready: a listener, and what dials it. */
export type TransportUnderTest = AsyncDisposable & {
  readonly listener: Listener
  readonly dialer: Dialer
  /** An address of this kind where nothing listens. */
  readonly deadAddress: string
  /** A socket to the listener that speaks no channel yet, for peers that misbehave. */
  readonly rawSocket: () => Promise<MessageSocket>
}

export type MakeTransport = (options: {
  readonly listener?: ChannelOptions
  readonly dialer?: ChannelOptions
}) => Promise<TransportUnderTest>

const hello = Uint8Array.of(5, 1, 0, 1, 0, 0)

export function testTransport(name: string, make: MakeTransport): void {
  const withPair = async (
    test: (pair: { readonly near: Channel; readonly far: Channel; readonly transport: TransportUnderTest }) => Promise<void>,
    options: Parameters<MakeTransport>[0] = {},
  ): Promise<void> => {
    await using transport = await make(options)
    const accepting = first(transport.listener.accept())
    const near = await transport.dialer.dial(transport.listener.address)
    await test({ near, far: await accepting, transport })
  }

  describe(`${name} keeps the promises of a transport`, { timeout: 30_000 }, () => {
    it('delivers messages whole and in order, both ways, empty and largest included', () =>
      withPair(async ({ near, far }) => {
        const sizes = [0, 1, 2, 1_000, near.maxMessageBytes, 0, 65_536, 3]
        for (const [from, to] of [
          [near, far],
          [far, near],
        ] as const) {
          const sending = Promise.all(sizes.map((size, i) => from.send(pattern(size, i))))
          const received = await take(to, sizes.length)
          await sending
          for (const [i, size] of sizes.entries()) assert.deepEqual(received[i], pattern(size, i))
        }
      }))

    it('slows a sender whose messages are not read, in bounded memory', () =>
      withPair(async ({ near, far }) => {
        const size = 32_768
        let resolved = 0
        const sends = Array.from({ length: 64 }, (_, i) => near.send(pattern(size, i)).then(() => resolved++))
        await settle()
        const limit = Math.floor(windowBytes / size)
        assert.ok(resolved > 0 && resolved <= limit, `${resolved} messages of ${size} bytes were taken without a reader`)
        const received = await take(far, 64)
        await Promise.all(sends)
        assert.deepEqual(
          received.map((message) => message[0]),
          Array.from({ length: 64 }, (_, i) => i),
        )
      }))

    it('aborts a send that waits, and keeps its message to itself', () =>
      withPair(async ({ near, far }) => {
        const controller = new AbortController()
        const reason = new Error('changed my mind')
        const before = Array.from({ length: 20 }, (_, i) => near.send(pattern(32_768, i)))
        const aborted = near.send(Uint8Array.of(200), { signal: controller.signal })
        const after = near.send(Uint8Array.of(201))
        controller.abort(reason)
        await assert.rejects(aborted, (error) => error === reason)
        await assert.rejects(near.send(Uint8Array.of(202), { signal: controller.signal }), (error) => error === reason)
        const received = await take(far, 21)
        await Promise.all([...before, after])
        assert.deepEqual(
          received.map((message) => message[0]),
          [...Array(20).keys(), 201],
        )
      }))

    it('takes a copy of what it is given', () =>
      withPair(async ({ near, far }) => {
        const buffer = new Uint8Array(32_768)
        const sends = Array.from({ length: 30 }, (_, i) => near.send(buffer.fill(i)))
        buffer.fill(255)
        const received = await take(far, 30)
        await Promise.all(sends)
        assert.deepEqual(
          received.map((message) => message[100]),
          [...Array(30).keys()],
        )
      }))

    it('aborts a receive, and can receive again', () =>
      withPair(async ({ near, far }) => {
        const controller = new AbortController()
        const reason = new Error('enough')
        const receiving = take(far, 1, controller.signal)
        controller.abort(reason)
        await assert.rejects(receiving, (error) => error === reason)
        await near.send(Uint8Array.of(7))
        assert.deepEqual(await take(far, 1), [Uint8Array.of(7)])
      }))

    it('has one reader at a time, and readers may follow each other', () =>
      withPair(async ({ near, far }) => {
        const waiting = take(far, 1)
        await assert.rejects(take(far, 1), isTacitCode('network.receiver-busy'))
        await near.send(Uint8Array.of(1))
        await near.send(Uint8Array.of(2))
        assert.deepEqual(await waiting, [Uint8Array.of(1)])
        assert.deepEqual(await take(far, 1), [Uint8Array.of(2)])
      }))

    it('closes for both sides, after what was sent has arrived', () =>
      withPair(async ({ near, far }) => {
        await near.send(Uint8Array.of(1))
        await near.send(Uint8Array.of(2))
        await near.close('done here')
        assert.deepEqual(await all(far), [Uint8Array.of(1), Uint8Array.of(2)])
        assert.deepEqual(await all(near), [])
        assert.deepEqual(await near.closed, { reason: 'done here' })
        assert.deepEqual(await far.closed, { reason: 'done here' })
        await assert.rejects(near.send(Uint8Array.of(3)), isTacitCode('network.channel-closed'))
        await assert.rejects(far.send(Uint8Array.of(3)), isTacitCode('network.channel-closed'))
        await near.close()
        await far.close()
      }))

    it('ends a blocked send when the other side closes', () =>
      withPair(async ({ near, far }) => {
        const sends = Array.from({ length: 30 }, (_, i) => near.send(pattern(32_768, i)))
        const last = assert.rejects(sends[29] as Promise<void>, isTacitCode('network.channel-closed'))
        await far.close()
        await last
        await Promise.allSettled(sends)
      }))

    it('refuses a message above the limit of either side, and goes on', () =>
      withPair(
        async ({ near, far }) => {
          assert.equal(near.maxMessageBytes, 1_000)
          await assert.rejects(near.send(new Uint8Array(1_001)), isTacitCode('network.message-too-large'))
          await near.send(new Uint8Array(1_000))
          assert.equal((await take(far, 1))[0]?.length, 1_000)
          assert.equal(far.maxMessageBytes, 1_000)
          await assert.rejects(far.send(new Uint8Array(1_001)), isTacitCode('network.message-too-large'))
        },
        { listener: { maxMessageBytes: 1_000 }, dialer: { maxMessageBytes: 50_000 } },
      ))

    it('ends the channel of a peer that sends garbage or too much, and serves the next', () =>
      withPair(
        async ({ transport, near, far }) => {
          const credit = (bytes: number) => Uint8Array.of(1, 0, bytes >> 16, (bytes >> 8) & 255, bytes & 255)
          const offences: readonly [string, readonly Uint8Array[]][] = [
            ['network.protocol-violation', [new Uint8Array(0)]],
            ['network.protocol-violation', [Uint8Array.of(0, 1, 2)]],
            ['network.protocol-violation', [Uint8Array.of(5, 9, 0, 0, 0, 0)]],
            ['network.protocol-violation', [hello, hello]],
            ['network.protocol-violation', [hello, Uint8Array.of(99)]],
            ['network.protocol-violation', [hello, Uint8Array.of(1, 0, 0)]],
            ['network.protocol-violation', [hello, credit(1_000)]],
            ['network.protocol-violation', [hello, Uint8Array.of(2, 0)]],
            ['network.message-too-large', [hello, new Uint8Array(1_002)]],
            ['network.protocol-violation', [hello, ...Array.from({ length: 600 }, () => new Uint8Array(1_001))]],
          ]
          for (const [code, frames] of offences) {
            const accepting = first(transport.listener.accept())
            const raw = await transport.rawSocket()
            raw.attach({ message: () => undefined, text: () => undefined, closed: () => undefined })
            const victim = await accepting
            for (const frame of frames) raw.send(frame)
            assert.equal((await victim.closed).error?.code, code)
            raw.close(1000, '')
          }
          await near.send(Uint8Array.of(1))
          assert.deepEqual(await take(far, 1), [Uint8Array.of(1)])
        },
        { listener: { maxMessageBytes: 1_000 } },
      ))

    it('names a connection that was lost', () =>
      withPair(async ({ transport }) => {
        const accepting = first(transport.listener.accept())
        const raw = await transport.rawSocket()
        raw.attach({ message: () => undefined, text: () => undefined, closed: () => undefined })
        const victim = await accepting
        raw.send(hello)
        raw.send(Uint8Array.of(0, 42))
        const received: Uint8Array[] = []
        const reading = (async () => {
          for await (const message of victim.receive()) {
            received.push(message)
            raw.close(4007, 'gone')
          }
        })()
        await assert.rejects(reading, isTacitCode('network.connection-lost'))
        assert.deepEqual(received, [Uint8Array.of(42)])
        assert.equal((await victim.closed).error?.code, 'network.connection-lost')
        await assert.rejects(victim.send(Uint8Array.of(1)), isTacitCode('network.connection-lost'))
      }))

    it('keeps many channels apart', () =>
      withPair(async ({ transport }) => {
        const serving = (async () => {
          for await (const channel of transport.listener.accept()) {
            void (async () => {
              for await (const message of channel.receive()) await channel.send(message)
            })()
          }
        })()
        await Promise.all(
          Array.from({ length: 12 }, async (_, i) => {
            await using channel = await transport.dialer.dial(transport.listener.address)
            for (let j = 0; j < 10; j++) {
              await channel.send(pattern(100 + i, 10 * i + j))
              assert.deepEqual(await take(channel, 1), [pattern(100 + i, 10 * i + j)])
            }
          }),
        )
        await transport.listener.close()
        await serving
      }))

    it('does not reach an address where nothing listens, or a listener that was closed', () =>
      withPair(async ({ transport, near }) => {
        await assert.rejects(transport.dialer.dial(transport.deadAddress))
        await transport.listener.close()
        await assert.rejects(transport.dialer.dial(transport.listener.address))
        await near.closed
        await transport.listener.close()
      }))

    it('aborts a dial', () =>
      withPair(async ({ transport }) => {
        const reason = new Error('too late')
        await assert.rejects(
          transport.dialer.dial(transport.listener.address, { signal: AbortSignal.abort(reason) }),
          (error) => error === reason,
        )
        const controller = new AbortController()
        const dialing = transport.dialer.dial(transport.listener.address, { signal: controller.signal })
        controller.abort(reason)
        await assert.rejects(dialing, (error) => error === reason)
      }))

    it('aborts an accept', () =>
      withPair(async ({ transport }) => {
        const controller = new AbortController()
        const reason = new Error('closing time')
        const accepting = first(transport.listener.accept({ signal: controller.signal }))
        controller.abort(reason)
        await assert.rejects(accepting, (error) => error === reason)
      }))
  })
}

/** The first channel that comes in. */
export async function first(channels: AsyncIterable<Channel>): Promise<Channel> {
  for await (const channel of channels) return channel
  throw new Error('the listener was closed')
}

/** The next `count` messages. */
export async function take(channel: Channel, count: number, signal?: AbortSignal): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = []
  for await (const message of channel.receive(signal === undefined ? {} : { signal })) {
    messages.push(Uint8Array.from(message))
    if (messages.length === count) break
  }
  return messages
}

async function all(channel: Channel): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = []
  for await (const message of channel.receive()) messages.push(Uint8Array.from(message))
  return messages
}

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (seed + 31 * i) & 255)
}

/** Lets everything that is on its way arrive: turns of the event loop, no fixed time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}
