import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isTacitCode } from './codes.ts'
import { manualTimers } from './manual-timers.ts'
import { first, take } from './transport-compliance.ts'
import {
  acceptChannel,
  type Channel,
  createBackOff,
  createMemoryNetwork,
  dialChannel,
  dialWithRetry,
  UnreachableError,
} from '../src/index.ts'
import { memorySocketPair } from '../src/memory.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('heartbeat', () => {
  it('keeps an idle channel whose other end is alive', async () => {
    const timers = manualTimers()
    const network = createMemoryNetwork({ heartbeatMs: 1_000, timers })
    const listener = network.listen('worker')
    const accepting = first(listener.accept())
    const near = await network.dial('worker')
    const far = await accepting
    for (let i = 0; i < 20; i++) {
      timers.advance(700)
      await turn()
    }
    await near.send(Uint8Array.of(1))
    assert.deepEqual(await take(far, 1), [Uint8Array.of(1)])
    await listener.close()
  })

  it('gives up a channel whose other end is silent', async () => {
    const timers = manualTimers()
    const [near, far] = memorySocketPair()
    far.attach({ message: () => undefined, text: () => undefined, closed: () => undefined })
    const channel = acceptChannel(near, { heartbeatMs: 1_000, timers })
    timers.advance(1_500)
    await turn()
    timers.advance(1_000)
    assert.equal((await channel.closed).error?.code, 'network.connection-lost')
  })
})

describe('dialing', () => {
  it('does not count as done before the other end has said hello', async () => {
    const timers = manualTimers()
    const [near, far] = memorySocketPair()
    far.attach({ message: () => undefined, text: () => undefined, closed: () => undefined })
    const dialing = dialChannel(near, { dialTimeoutMs: 500, timers })
    await turn()
    timers.advance(600)
    await assert.rejects(dialing, isTacitCode('network.timed-out'))
  })

  it('is retried with growing pauses while nobody answers, and only then', async () => {
    const timers = manualTimers()
    const pauses: number[] = []
    let failures = 3
    const channel = {} as Channel
    const dialer = {
      dial: async () => {
        if (failures-- > 0) throw new UnreachableError('nowhere')
        return channel
      },
    }
    const backOff = createBackOff({ firstMs: 100, longestMs: 1_000, random: () => 1 })
    const dialing = dialWithRetry(dialer, 'nowhere', { backOff, timers, onFailure: (_, retryMs) => pauses.push(retryMs) })
    for (let i = 0; i < 20; i++) {
      await turn()
      timers.advance(200)
    }
    assert.equal(await dialing, channel)
    assert.deepEqual(pauses, [100, 200, 400])

    const fatal = { dial: () => Promise.reject(new TypeError('a bug')) }
    await assert.rejects(dialWithRetry(fatal, 'x', { backOff, timers }), TypeError)
    const never = { dial: () => Promise.reject(new UnreachableError('x')) }
    await assert.rejects(dialWithRetry(never, 'x', { attempts: 1, timers }), isTacitCode('network.unreachable'))
    const reason = new Error('stop')
    const controller = new AbortController()
    const stopped = dialWithRetry(never, 'x', { backOff, timers, signal: controller.signal })
    await turn()
    controller.abort(reason)
    await assert.rejects(stopped, (error) => error === reason)
  })

  it('backs off between half of the first pause and the longest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, draw) => {
        const delay = createBackOff({ firstMs: 200, longestMs: 15_000, random: () => draw }).delayMs(failures)
        assert.ok(delay >= 100 && delay <= 15_000)
      }),
    )
  })
})

describe('a channel', () => {
  it('carries any sequence of messages at any pace of reading', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 40 }),
        fc.infiniteStream(fc.boolean()),
        async (sizes, pauses) => {
          const network = createMemoryNetwork()
          const listener = network.listen('worker')
          const accepting = first(listener.accept())
          const near = await network.dial('worker')
          const far = await accepting
          const sending = (async () => {
            for (const size of sizes) await near.send(new Uint8Array(size))
            await near.close()
          })()
          const received: number[] = []
          for await (const message of far.receive()) {
            received.push(message.length)
            if (pauses.next().value === true) await turn()
          }
          await sending
          assert.deepEqual(received, sizes)
          await listener.close()
        },
      ),
      { numRuns: 30 },
    )
  })
})
