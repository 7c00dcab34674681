// npm run bench -- relay: what a relay costs over a direct WebSocket, both on loopback in one process, in one run.
import { createSigner } from '@tacit/protocol'
import { type Channel, identityOf, type Listener, listenThroughRelay } from '../src/index.ts'
import { createNodeDialer, listenWebSocket, openNodeSocket, serveRelay } from '../src/node/index.ts'

const roundTrips = 400
const tokens = 5_000

export async function run(report: (line: string) => void): Promise<Readonly<Record<string, number>>> {
  const relay = await serveRelay()
  const direct = await listenWebSocket()
  const relayed = await listenThroughRelay(relay.url, {
    open: openNodeSocket,
    identity: identityOf(createSigner(new Uint8Array(32).fill(7))),
  })
  const results = {
    direct: { connect: [] as number[], roundTrip: [] as number[], tokensMs: [] as number[] },
    relayed: { connect: [] as number[], roundTrip: [] as number[], tokensMs: [] as number[] },
  }
  const serving = [serve(direct), serve(relayed)]
  for (let round = -1; round < 7; round++) {
    // Interleaved, so that a busy moment hits both.
    for (const [name, listener] of [
      ['direct', direct],
      ['relayed', relayed],
    ] as const) {
      const seen = await measure(listener)
      if (round < 0) continue
      results[name].connect.push(seen.connectMs)
      results[name].roundTrip.push(seen.roundTripMs)
      results[name].tokensMs.push(seen.tokensMs)
    }
  }
  await relayed.close()
  await direct.close()
  await Promise.all(serving)
  await relay.close()
  report(`${roundTrips} round trips of 1 kB and ${tokens} tokens of 64 B per round; medians of 7 rounds`)
  const [d, r] = [results.direct, results.relayed]
  return {
    'direct.connect_ms': median(d.connect),
    'relay.connect_ms': median(r.connect),
    'direct.round_trip_ms': median(d.roundTrip),
    'relay.round_trip_ms': median(r.roundTrip),
    'direct.tokens_per_s': Math.round((1_000 * tokens) / median(d.tokensMs)),
    'relay.tokens_per_s': Math.round((1_000 * tokens) / median(r.tokensMs)),
    'relay.round_trip_ratio': Number((median(r.roundTrip) / median(d.roundTrip)).toFixed(2)),
    'relay.tokens_speedup': Number((median(d.tokensMs) / median(r.tokensMs)).toFixed(2)),
  }
}

async function serve(listener: Listener): Promise<void> {
  for await (const channel of listener.accept()) void echo(channel)
}

/** Echoes messages; an empty one asks for a stream of tokens. */
async function echo(channel: Channel): Promise<void> {
  for await (const message of channel.receive()) {
    if (message.length > 0) await channel.send(message)
    else for (let i = 0; i < tokens; i++) await channel.send(new Uint8Array(64))
  }
}

async function measure(
  listener: Listener,
): Promise<{ readonly connectMs: number; readonly roundTripMs: number; readonly tokensMs: number }> {
  const start = performance.now()
  const channel = await createNodeDialer().dial(listener.address)
  const connectMs = performance.now() - start
  const messages = channel.receive()
  const times: number[] = []
  for (let i = 0; i < roundTrips; i++) {
    const sent = performance.now()
    await channel.send(new Uint8Array(1_024))
    await messages.next()
    times.push(performance.now() - sent)
  }
  const asked = performance.now()
  await channel.send(new Uint8Array(0))
  for (let i = 0; i < tokens; i++) await messages.next()
  const tokensMs = performance.now() - asked
  await channel.close()
  return { connectMs, roundTripMs: median(times), tokensMs }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Number((sorted[sorted.length >> 1] ?? Number.NaN).toFixed(3))
}
