// Answers about two topics, streamed through real sealed streams over a real relay whose recorder plays the observer. Only the
// language model is replaced: its words come from two vocabularies, at each topic's own pace and length, which is what gives
// topics away in the field (McDonald and Bar Or 2025, arXiv:2511.03675).
import { webcrypto } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClientStream, encodeFrame, parseFrame, releaseMode, WorkerStream } from '@tacit/exchange'
import { createSigner, deriveJobId, parseSessionId, toHex, utf8 } from '@tacit/protocol'
import { acceptSession, generatePrekey, openSession, type Session } from '@tacit/session'
import { nodeAead } from '@tacit/session/node'
import { type Channel, createRecorder, identityOf, listenThroughRelay, type RelayEvent } from '../../src/index.ts'
import { createNodeDialer, openNodeSocket, serveRelay } from '../../src/node/index.ts'

/** What gives a topic away: its words, and ranges for the rest. */
export type Topic = {
  readonly words: readonly string[]
  readonly promptBytes: readonly [number, number]
  readonly tokens: readonly [number, number]
  readonly tokenMs: readonly [number, number]
}

/** One message of a job, as the relay saw it. Times count from the connection's first message. */
export type SeenMessage = { readonly atMs: number; readonly up: boolean; readonly bytes: number }
/** One job as the relay saw it, with the answer to the question that the classifier is asked. */
export type Observation = { readonly topic: 0 | 1; readonly seen: readonly SeenMessage[] }

type Mode = 'paced' | 'immediate'
type Draw = () => number

const random = (sizeBytes: number): Uint8Array => webcrypto.getRandomValues(new Uint8Array(sizeBytes))
const sessionId = parseSessionId(`0x${'51'.repeat(32)}`)
const tokensPerStep = 16
const voucherBytes = 330

/** Runs `jobs` jobs of two topics, `concurrency` at a time, and returns what the relay's recorder has on each. */
export async function observeTraffic(options: {
  readonly mode: Mode
  readonly topics: readonly [Topic, Topic]
  readonly jobs: number
  readonly concurrency: number
  readonly draw: Draw
}): Promise<readonly Observation[]> {
  const { mode, topics, jobs, concurrency, draw } = options
  const topicOfJob = Array.from({ length: jobs }, () => (draw() < 0.5 ? 0 : 1))
  const { record, events } = createRecorder()
  const relay = await serveRelay({ recorder: record })
  const signer = createSigner(random(32))
  const listener = await listenThroughRelay(relay.url, { open: openNodeSocket, identity: identityOf(signer) })
  const { client, worker } = await openSessions(signer.address)
  const serving = (async () => {
    for await (const channel of listener.accept()) {
      void answer(channel, { session: worker, mode, topicOf: (index) => topics[topicOfJob[index] ?? 0] ?? topics[0], draw })
    }
  })()
  const dialer = createNodeDialer()
  let next = 0
  const runner = async (): Promise<void> => {
    for (let index = next++; index < jobs; index = next++) {
      const channel = await dialer.dial(listener.address)
      const [least, most] = topics[topicOfJob[index] ?? 0]?.promptBytes ?? [0, 0]
      await ask(channel, { session: client, mode, index, promptBytes: between(least, most, draw) })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, runner))
  await listener.close()
  await serving
  await relay.close()
  return observationsOf(events, topicOfJob)
}

async function openSessions(worker: `0x${string}`): Promise<{ readonly client: Session; readonly worker: Session }> {
  const nowSeconds = 1_800_000_000
  const { record, secret } = await generatePrekey({ worker, notBefore: nowSeconds, notAfter: nowSeconds + 3600, random })
  const info = { chainId: 5n, sessionId, modelId: toHex(new Uint8Array(32)), worker }
  const { enc, session } = await openSession({ prekey: record, info, nowSeconds, random, aead: nodeAead })
  return { client: session, worker: await acceptSession({ prekeySecret: secret, enc, info, aead: nodeAead }) }
}

/** The client: one request, a voucher whenever a step asks for one. */
async function ask(
  channel: Channel,
  {
    session,
    mode,
    index,
    promptBytes,
  }: { readonly session: Session; readonly mode: Mode; readonly index: number; readonly promptBytes: number },
): Promise<void> {
  const stream = new ClientStream(session, deriveJobId(sessionId, index), releaseMode(mode), random)
  const start = { type: 'start', session: sessionId, jobIndex: index, attemptNonce: stream.attemptNonce, paced: mode === 'paced' } as const
  await channel.send(encodeFrame(start))
  for (const chunk of stream.begin(new Uint8Array(promptBytes))) await channel.send(encodeFrame({ type: 'cell', chunk }))
  for await (const bytes of channel.receive()) {
    const frame = parseFrame(bytes)
    if (frame.type === 'started') stream.bind(frame.attemptNonce)
    if (frame.type !== 'cell') continue
    const { replies, final } = stream.receive(frame.chunk, (messages) =>
      messages.filter((message) => message[0] === stepMark).map(() => new Uint8Array(voucherBytes)),
    )
    for (const chunk of replies) await channel.send(encodeFrame({ type: 'cell', chunk }))
    if (final) break
  }
  await channel.close()
}

const stepMark = 0xff

/** The worker: words at the topic's pace, a step's end every few of them, released as the mode says. */
async function answer(
  channel: Channel,
  options: { readonly session: Session; readonly mode: Mode; readonly topicOf: (index: number) => Topic; readonly draw: Draw },
): Promise<void> {
  let stream: WorkerStream | undefined
  let releasing: Promise<void> | undefined
  for await (const bytes of channel.receive()) {
    const frame = parseFrame(bytes)
    if (frame.type === 'start') {
      const jobId = deriveJobId(sessionId, frame.jobIndex)
      const { session, mode } = options
      stream = new WorkerStream({
        session,
        jobId,
        attemptNonce: frame.attemptNonce,
        mode: releaseMode(mode),
        startMs: performance.now(),
        random,
      })
      await channel.send(encodeFrame({ type: 'started', attemptNonce: stream.attemptNonce }))
      releasing = release(channel, stream, speak(stream, options.topicOf(frame.jobIndex), options.draw), mode)
    } else if (frame.type === 'cell') stream?.receive(frame.chunk)
  }
  await releasing?.catch(() => undefined)
}

async function* speak(stream: WorkerStream, { words, tokens, tokenMs }: Topic, draw: Draw): AsyncGenerator<void> {
  const count = between(...tokens, draw)
  for (let i = 1; i <= count; i++) {
    await sleep(between(...tokenMs, draw))
    stream.send(utf8(words[between(0, words.length - 1, draw)] ?? ''))
    if (i % tokensPerStep === 0) stream.send(Uint8Array.from({ length: 300 }, () => stepMark))
    yield
  }
  stream.finish()
}

async function release(channel: Channel, stream: WorkerStream, spoken: AsyncGenerator<void>, mode: Mode): Promise<void> {
  const sendDue = async (): Promise<number | undefined> => {
    const { chunks, nextMs } = stream.release(performance.now())
    for (const chunk of chunks) await channel.send(encodeFrame({ type: 'cell', chunk }))
    return nextMs
  }
  if (mode === 'immediate') {
    for await (const _ of spoken) await sendDue()
    await sendDue()
    return
  }
  const speaking = (async () => {
    for await (const _ of spoken);
  })()
  for (let nextMs = await sendDue(); nextMs !== undefined; nextMs = await sendDue()) {
    const waitMs = nextMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
  }
  await speaking
}

/** Sorts the recorder's events by connection of a client; the start frame, in clear, says which job it was. */
function observationsOf(events: readonly RelayEvent[], topicOfJob: readonly (0 | 1 | number)[]): readonly Observation[] {
  const byConnection = new Map<number, RelayEvent[]>()
  for (const event of events) {
    if (event.party === 'client') byConnection.set(event.connection, [...(byConnection.get(event.connection) ?? []), event])
  }
  return [...byConnection.values()].flatMap((connection) => {
    const messages = connection.flatMap((event) => ('bytes' in event ? [event] : []))
    const index = messages
      .map(({ bytes }) => (bytes[0] === 0 ? parseFrame(bytes.subarray(1)) : undefined))
      .find((frame) => frame?.type === 'start')
    if (index?.type !== 'start') return []
    const startMs = messages[0]?.atMs ?? 0
    const seen = messages.map(({ atMs, kind, bytes }) => ({ atMs: atMs - startMs, up: kind === 'received', bytes: bytes.length }))
    return [{ topic: topicOfJob[index.jobIndex] === 1 ? (1 as const) : (0 as const), seen }]
  })
}

function between(least: number, most: number, draw: Draw): number {
  return least + Math.floor(draw() * (most - least + 1))
}
