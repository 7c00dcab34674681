// A payer and a worker with durable memory and a job between them that can be cut at any effect. Everything that is not
// in a ledger or a journal is lost when its side dies.
import assert from 'node:assert/strict'
import {
  advanceClientJob,
  advanceWorkerJob,
  type ChannelView,
  type ClientContext,
  type ClientEvent,
  type ClientJob,
  type ClientLedger,
  type ClientMessage,
  type ClientOrder,
  concedeStep,
  emptyClientLedger,
  type EngineEnd,
  encodeMessage,
  type JobOutput,
  parseClientMessage,
  parseWorkerMessage,
  type WorkerContext,
  type WorkerEvent,
  type WorkerJob,
  type WorkerLedger,
  type WorkerMessage,
  wantsOutput,
} from '@tacit/exchange'
import {
  createSigner,
  createVoucherDigest,
  deriveChannelId,
  deriveJobId,
  deriveSessionId,
  documentId,
  isSignedBy,
  nobleSignatures,
  parseAddress,
  parseBytes32,
  parseHex,
  parseModelId,
  type Quote,
  type SignedVoucher,
  signDocument,
} from '@tacit/protocol'
import { frank } from '@tacit/session'

export const stepPrice = 10n
export const stepTokens = 4
const locked = 1_000_000n
const zero = parseBytes32(`0x${'00'.repeat(32)}`)
const salt = parseBytes32(`0x${'5a'.repeat(32)}`)
const payer = createSigner(new Uint8Array(32).fill(1))
const workerSigner = createSigner(new Uint8Array(32).fill(2))
const domain = { chainId: 2n ** 32n + 5n, contract: parseAddress(`0x${'cc'.repeat(20)}`) }
const model = parseModelId(`0x${'ab'.repeat(32)}`)
const channelId = deriveChannelId({
  chainId: domain.chainId,
  contract: domain.contract,
  payer: payer.address,
  payee: workerSigner.address,
  model,
  salt,
})
const digest = createVoucherDigest(domain)

/** Where to cut: after this many effects of one side, or of both together for a lost connection. */
export type Cut = { readonly who: 'worker' | 'client' | 'connection'; readonly after: number }

export type JobResult = { readonly outcome: 'receipt' | 'failed' | 'cut'; readonly error: string; readonly received: number }

export class World {
  // Durable.
  client: ClientLedger = emptyClientLedger
  worker: WorkerLedger = { credited: 0n, reserved: 0n }
  /** The highest voucher that the worker's disk holds: what it can redeem. */
  redeemable = 0n
  receipts = 0
  // What an outside observer counts.
  tokensReceived = 0
  stepsReceived = 0
  stepsSent = 0
  cuts = 0
  jobs = 0
  sentUnpaid = 0

  runJob(tokens: number, cut?: Cut): JobResult {
    const run = new JobRun(this, tokens, cut)
    const result = run.run()
    this.jobs++
    if (result.outcome === 'cut') this.cuts++
    return result
  }

  /** What must hold after any history. */
  check(): void {
    assert.equal(this.sentUnpaid, 0, 'nothing is sent that is not paid for')
    assert.ok(this.redeemable <= this.client.signed, 'the worker holds no voucher that was not signed')
    assert.ok(this.redeemable <= locked)
    const paidForNothing = this.redeemable - stepPrice * BigInt(this.stepsReceived)
    assert.ok(paidForNothing <= stepPrice * BigInt(this.cuts), `the payer lost ${paidForNothing} in ${this.cuts} cuts`)
    const unpaidWork = stepPrice * BigInt(this.stepsSent) - this.redeemable
    assert.ok(unpaidWork <= 0n, `the worker lost ${unpaidWork}`)
    assert.ok(
      this.client.signed <= stepPrice * BigInt(this.stepsReceived + this.cuts + 1),
      'at most one undelivered step is signed beyond what cuts explain',
    )
  }
}

class JobRun {
  readonly #world: World
  readonly #tokens: number
  readonly #cut: Cut | undefined
  #effects = { worker: 0, client: 0, connection: 0 }
  #isCut = false
  readonly #toWorker: Uint8Array[] = []
  readonly #toClient: Uint8Array[] = []
  #client: ClientJob = { phase: 'quoting' }
  #workerJob: WorkerJob = { phase: 'idle' }
  #produced = 0
  #running = false
  #limit = 0
  #received: JobOutput[] = []
  #receivedInStep = 0
  #sentInStep = 0
  readonly #clientContext: ClientContext
  readonly #workerContext: WorkerContext
  readonly #order: ClientOrder
  readonly #quote: ReturnType<typeof signQuote>

  constructor(world: World, tokens: number, cut: Cut | undefined) {
    this.#world = world
    this.#tokens = tokens
    this.#cut = cut
    const sessionSalt = parseBytes32(`0x${world.jobs.toString(16).padStart(64, '0')}`)
    const session = deriveSessionId({
      chainId: domain.chainId,
      contract: domain.contract,
      payer: payer.address,
      worker: workerSigner.address,
      salt: parseHex(sessionSalt, 'salt', 32),
    })
    const job = deriveJobId(session, 1)
    const shared = {
      domain,
      session,
      job,
      worker: workerSigner.address,
      model,
      signatures: nobleSignatures,
      commit: ((frankingKey, direction, plaintext) =>
        parseBytes32(
          frank({ plaintext, frankingKey: parseHex(frankingKey, 'key', 32), context: { sessionId: session, jobId: job, direction } }),
        )) as ClientContext['commit'],
    }
    this.#clientContext = {
      ...shared,
      signer: payer,
      sessionSalt,
      signVoucher: (amount) => ({
        channelId,
        maxClaimableAmount: amount.toString(),
        signature: payer.sign(digest({ channelId, maxClaimableAmount: amount })),
      }),
    }
    this.#workerContext = {
      ...shared,
      signer: workerSigner,
      modelRoot: zero,
      notice: '',
      isVoucherSigned: (voucher: SignedVoucher, who) =>
        isSignedBy(
          who,
          digest({ channelId: voucher.channelId, maxClaimableAmount: BigInt(voucher.maxClaimableAmount) }),
          voucher.signature,
        ),
    }
    this.#order = {
      payer: payer.address,
      channel: channelId,
      channelSalt: salt,
      levels: { privacy: 'sealed', verification: 'signed' },
      streamMode: 'paced',
      input: {
        kind: 'chat',
        messages: [{ role: 'user', content: 'hello' }],
        maxTokens: tokens,
        temperatureMilli: 0,
        topPMilli: 1000,
        seed: 1,
        stop: [],
      },
      maxPrice: 10_000n,
      allowedReaders: [],
      deadlineSeconds: 60,
    }
    this.#quote = signQuote(session)
  }

  run(): JobResult {
    this.#feedClient({ type: 'order', quote: this.#quote, frankingKey: `0x${'11'.repeat(32)}`, requestSalt: zero })
    for (let turn = 0; turn < 10_000 && !this.#isCut; turn++) {
      const up = this.#toWorker.shift()
      if (up !== undefined) {
        this.#feedWorkerMessage(parseClientMessage(up))
        continue
      }
      const down = this.#toClient.shift()
      if (down !== undefined) {
        this.#feedClient({ type: 'message', message: parseWorkerMessage(down) })
        continue
      }
      if (this.#client.phase === 'done') break
      if (this.#client.phase === 'failed') break
      if (!this.#running || !wantsOutput(this.#workerJob)) break
      this.#produce()
    }
    if (this.#isCut && (this.#client.phase === 'ordered' || this.#client.phase === 'streaming') && this.#cut?.who !== 'client') {
      // The client lives and learns that the connection is gone for good.
      this.#isCut = false
      this.#feedClient({ type: 'lost', error: new Error('the connection is gone') })
      this.#isCut = true
    }
    if (this.#client.phase === 'done') this.#world.receipts++
    const error = this.#client.phase === 'failed' ? this.#client.error.message : ''
    return { outcome: this.#isCut ? 'cut' : this.#client.phase === 'done' ? 'receipt' : 'failed', error, received: this.#received.length }
  }

  #produce(): void {
    if (this.#produced < Math.min(this.#tokens, this.#limit)) {
      this.#produced++
      this.#feedWorker({ type: 'output', item: { output: { kind: 'text', text: `t${this.#produced} ` }, tokens: 1 } })
    } else this.#feedWorker({ type: 'engine-end', end: this.#end() })
  }

  #end(): EngineEnd {
    return { finishReason: 'stop', inputUnits: 3, outputUnits: this.#produced, profile: 'test', traceRoot: null, voucherSalt: zero }
  }

  #feedWorkerMessage(message: ClientMessage): void {
    if (message.t === 'order') {
      const view: ChannelView = {
        id: channelId,
        payer: payer.address,
        payee: workerSigner.address,
        model,
        salt,
        locked,
        claimed: 0n,
        unusable: null,
      }
      this.#feedWorker({
        type: 'order',
        order: message,
        quote: this.#quote.document,
        channel: view,
        preflight: null,
        frankingKey: `0x${'22'.repeat(32)}`,
      })
    } else if (message.t === 'voucher') this.#feedWorker({ type: 'voucher', voucher: message.voucher })
  }

  #feedWorker(event: WithoutFacts<WorkerEvent>): void {
    const step = advanceWorkerJob(this.#workerJob, { ...event, now: 1000, ledger: this.#world.worker } as WorkerEvent, this.#workerContext)
    this.#workerJob = step.job
    for (const effect of step.effects) {
      if (this.#spend('worker')) return
      if (effect.type === 'persist-voucher') {
        this.#world.worker = effect.ledger
        const amount = BigInt(effect.voucher.maxClaimableAmount)
        if (amount > this.#world.redeemable) this.#world.redeemable = amount
        this.#sentInStep = 0
      } else if (effect.type === 'persist-ledger') this.#world.worker = effect.ledger
      else if (effect.type === 'run') {
        this.#running = true
        this.#limit = effect.maxTokens
      } else if (effect.type === 'send') this.#sendDown(effect.message)
    }
  }

  #sendDown(message: WorkerMessage): void {
    if (message.t === 'output') {
      if (this.#sentInStep === 0) this.#world.stepsSent++
      this.#sentInStep += message.tokens
      if (stepPrice * BigInt(this.#world.stepsSent) > this.#world.redeemable || this.#sentInStep > stepTokens) this.#world.sentUnpaid++
    }
    this.#toClient.push(encodeMessage(message))
  }

  #feedClient(event: WithoutFacts<ClientEvent>): void {
    const step = advanceClientJob(
      this.#client,
      { ...event, now: 1000, ledger: this.#world.client } as ClientEvent,
      this.#order,
      this.#clientContext,
    )
    this.#client = step.job
    for (const effect of step.effects) {
      if (this.#spend('client')) return
      if (effect.type === 'persist-ledger') this.#world.client = effect.ledger
      else if (effect.type === 'send') {
        if (effect.message.t === 'voucher' || effect.message.t === 'order') this.#receivedInStep = 0
        this.#toWorker.push(encodeMessage(effect.message))
      } else if (effect.type === 'deliver') {
        if (this.#receivedInStep === 0) this.#world.stepsReceived++
        this.#receivedInStep++
        this.#received.push(effect.output)
        this.#world.tokensReceived++
      } else if (effect.type === 'short') {
        const conceded = concedeStep(this.#world.client, effect.needed, stepPrice)
        if (conceded !== undefined) this.#world.client = conceded
      }
    }
  }

  // Counts an effect; true when the power goes before it happens.
  #spend(who: 'worker' | 'client'): boolean {
    if (this.#isCut) return true
    this.#effects[who]++
    this.#effects.connection++
    if (this.#cut !== undefined && this.#effects[this.#cut.who] > this.#cut.after) this.#isCut = true
    return this.#isCut
  }
}

type WithoutFacts<E> = E extends unknown ? Omit<E, 'now' | 'ledger'> : never

function signQuote(session: ReturnType<typeof deriveSessionId>) {
  const document: Quote = {
    type: 'tacit-quote/1',
    worker: workerSigner.address,
    model,
    privacy: 'sealed',
    verification: 'signed',
    streamMode: 'paced',
    stepPrice: stepPrice.toString(),
    stepTokens,
    maxSteps: 1000,
    readers: [workerSigner.address],
    deadlineSeconds: 600,
    expiresAt: 5000,
  }
  assert.equal(documentId(document).length, 66)
  return signDocument('Quote', document, { session, job: zero }, domain, workerSigner)
}
