// One worker and any number of clients in this process, with a hostile relay between them. Sessions, streams, books and
// signatures are the real ones; the engine is a script, and the chain is a lock that everybody believes in.
import { randomBytes } from 'node:crypto'
import { type LedgerStore, MemoryLedgerStore, type WorkerSession, type WorkerSessionOptions } from '@tacit/client'
import type { ChannelView, ClientOrder, JobInput } from '@tacit/exchange'
import { createMemoryNetwork, dialChannel, type MessageSocket, type MessageSocketHandlers } from '@tacit/network'
import { MemoryJournal, type ServedModel, Worker } from '@tacit/node'
import { loadFastSignatures } from '@tacit/node/node'
import {
  createSigner,
  deriveChannelId,
  type Levels,
  parseAddress,
  parseBytes32,
  parseModelId,
  type Quote,
  type SignatureBackend,
  type Signed,
  type Signer,
  type StreamMode,
} from '@tacit/protocol'

export const domain = { chainId: 2n ** 32n + 7n, contract: parseAddress(`0x${'cc'.repeat(20)}`) }
export const model = parseModelId(`0x${'ab'.repeat(32)}`)
export const stepPrice = 10n
export const stepTokens = 4
const channelSalt = parseBytes32(`0x${'5a'.repeat(32)}`)
const levels: Levels = { privacy: 'sealed', verification: 'signed' }

/** What the relay does with a message: the messages that go on instead, or `cut` to end the connection. */
export type Tamper = (
  message: Uint8Array,
  where: { readonly direction: 'up' | 'down'; readonly index: number; readonly connection: number },
) => readonly Uint8Array[] | 'cut'

export const honest: Tamper = (message) => [message]

/** The text that the scripted engine gives to a prompt, of `tokens` tokens. */
export function scriptedText(prompt: string, tokens: number): string {
  return Array.from({ length: tokens }, (_, index) => `${prompt}-${index} `).join('')
}

function scriptedModel(): ServedModel {
  return {
    id: model,
    name: 'scripted',
    root: parseBytes32(`0x${'11'.repeat(32)}`),
    stepPrice,
    stepTokens,
    maxSteps: 64,
    deadlineSeconds: 60,
    levels: [levels],
    streamModes: ['paced', 'immediate'],
    notice: '',
    preflight: async (input) => (input.kind === 'chat' ? { ok: true } : { ok: false, code: 'input-mismatch', message: 'only chats' }),
    run: async function* (input, { maxTokens, signal }) {
      const prompt = input.kind === 'chat' ? (input.messages[0]?.content ?? '') : ''
      for (let index = 0; index < maxTokens; index++) {
        signal.throwIfAborted()
        yield { type: 'output', output: { kind: 'text', text: `${prompt}-${index} ` }, tokens: 1 }
      }
      yield { type: 'end', finishReason: 'length', inputUnits: 1, outputUnits: maxTokens, profile: 'scripted', traceRoot: null }
    },
  }
}

export type SmallWorld = {
  readonly worker: Worker
  readonly workerSigner: Signer
  readonly payer: Signer
  readonly journal: MemoryJournal
  readonly ledgers: LedgerStore
  readonly signatures: SignatureBackend
  /** Failures of the worker's own; stays empty when peers cannot hurt it. */
  readonly reported: readonly unknown[]
  /** Moves the clock of both sides. */
  readonly skipSeconds: (seconds: number) => void
  readonly options: (tamper?: Tamper, more?: Partial<WorkerSessionOptions>) => WorkerSessionOptions
  /** A bare connection, for peers that speak for themselves. */
  readonly connect: () => MessageSocket
  readonly order: (prompt: string, tokens: number, streamMode?: StreamMode) => ClientOrder
  readonly ask: (
    session: WorkerSession,
    prompt: string,
    tokens: number,
    options?: { readonly streamMode?: StreamMode; readonly maxPrice?: bigint },
  ) => Promise<Answer>
  readonly close: () => Promise<void>
}

export type Answer = {
  /** Everything that was delivered, also when it ended badly. */
  readonly text: string
  readonly error: unknown
  readonly hasReceipt: boolean
  readonly resumed: number
}

export async function startSmallWorld({ locked = 1_000_000n, maxSessions = 64 } = {}): Promise<SmallWorld> {
  const signatures = await loadFastSignatures()
  const workerSigner = createSigner(Uint8Array.from(randomBytes(32)), signatures)
  const payer = createSigner(Uint8Array.from(randomBytes(32)), signatures)
  const network = createMemoryNetwork({ heartbeatMs: 0 })
  const listener = network.listen('worker')
  const reported: unknown[] = []
  let skipped = 0
  const now = (): number => Math.floor(Date.now() / 1000) + skipped
  const journal = new MemoryJournal({ now })
  const ledgers = new MemoryLedgerStore()
  const random = (sizeBytes: number): Uint8Array => Uint8Array.from(randomBytes(sizeBytes))
  const channelOf = (salt: typeof channelSalt): ChannelView => ({
    id: deriveChannelId({ ...domain, payer: payer.address, payee: workerSigner.address, model, salt }),
    payer: payer.address,
    payee: workerSigner.address,
    model,
    salt,
    locked,
    claimed: 0n,
    unusable: null,
  })
  const worker = new Worker({
    domain,
    signer: workerSigner,
    signatures,
    random,
    now,
    nowMs: () => performance.now(),
    journal,
    models: [scriptedModel()],
    channel: async ({ salt }) => channelOf(salt),
    maxSessions,
    report: (error) => void reported.push(error),
  })
  const serving = (async () => {
    for await (const channel of listener.accept()) void worker.serve(channel)
  })()
  let connections = 0
  const input = (prompt: string, tokens: number): JobInput => ({
    kind: 'chat',
    messages: [{ role: 'user', content: prompt }],
    maxTokens: tokens,
    temperatureMilli: 0,
    topPMilli: 1000,
    seed: 1,
    stop: [],
  })
  const order = (prompt: string, tokens: number, streamMode: StreamMode = 'immediate'): ClientOrder => ({
    payer: payer.address,
    channel: channelOf(channelSalt).id,
    channelSalt,
    levels,
    streamMode,
    input: input(prompt, tokens),
    maxPrice: 10_000_000n,
    allowedReaders: [],
    deadlineSeconds: 60,
  })
  const quotes = new WeakMap<WorkerSession, Map<StreamMode, Signed<Quote>>>()
  return {
    worker,
    workerSigner,
    payer,
    journal,
    ledgers,
    signatures,
    reported,
    skipSeconds: (seconds) => {
      skipped += seconds
    },
    connect: () => network.connect('worker'),
    options: (tamper = honest, more = {}) => ({
      dial: ({ signal }) =>
        dialChannel(new TamperingSocket(network.connect('worker'), tamper, connections++), {
          signal,
          dialTimeoutMs: 1_500,
          heartbeatMs: 0,
        }),
      worker: workerSigner.address,
      model,
      domain,
      payer,
      ledgers,
      random,
      now,
      signatures,
      ...more,
    }),
    order,
    ask: async (session, prompt, tokens, { streamMode = 'immediate' } = {}) => {
      let text = ''
      let hasReceipt = false
      let resumed = 0
      try {
        const held = quotes.get(session) ?? new Map<StreamMode, Signed<Quote>>()
        quotes.set(session, held)
        const quote = held.get(streamMode) ?? (await session.quote(levels, streamMode, input(prompt, tokens)))
        held.set(streamMode, quote)
        for await (const event of session.run(order(prompt, tokens, streamMode), quote)) {
          if (event.type === 'output' && event.output.kind === 'text') text += event.output.text
          if (event.type === 'receipt') hasReceipt = true
          if (event.type === 'resumed') resumed++
        }
        return { text, error: undefined, hasReceipt, resumed }
      } catch (error) {
        return { text, error, hasReceipt, resumed }
      }
    },
    close: async () => {
      worker.close()
      await listener.close()
      await serving
    },
  }
}

// The relay's place: it sees whole messages in both directions and may do anything to them.
class TamperingSocket implements MessageSocket {
  readonly remote = 'through a hostile relay'
  readonly #inner: MessageSocket
  readonly #tamper: Tamper
  readonly #connection: number
  #handlers: MessageSocketHandlers | undefined
  #up = 0
  #down = 0
  #cut = false

  constructor(inner: MessageSocket, tamper: Tamper, connection: number) {
    this.#inner = inner
    this.#tamper = tamper
    this.#connection = connection
  }

  attach(handlers: MessageSocketHandlers): void {
    this.#handlers = handlers
    this.#inner.attach({
      ...handlers,
      message: (bytes) => {
        for (const message of this.#pass(bytes, 'down', this.#down++)) handlers.message(message)
      },
    })
  }

  send(bytes: Uint8Array): void {
    for (const message of this.#pass(bytes, 'up', this.#up++)) this.#inner.send(message)
  }

  close(code: number, reason: string): void {
    this.#inner.close(code, reason)
  }

  #pass(bytes: Uint8Array, direction: 'up' | 'down', index: number): readonly Uint8Array[] {
    if (this.#cut) return []
    const passed = this.#tamper(Uint8Array.from(bytes), { direction, index, connection: this.#connection })
    if (passed !== 'cut') return passed
    this.#cut = true
    this.#inner.close(4007, 'the relay stops')
    this.#handlers?.closed({ code: 4007, reason: 'the relay stops' })
    return []
  }
}
