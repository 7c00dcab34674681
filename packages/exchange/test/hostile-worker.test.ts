// What a worker that lies can make a client sign.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  advanceClientJob,
  type ClientContext,
  type ClientJob,
  type ClientLedger,
  type ClientOrder,
  concedeStep,
  creditVoucher,
  doubtStep,
  emptyClientLedger,
  outputBytes,
  type WorkerMessage,
} from '@tacit/exchange'
import {
  commitVoucher,
  createSigner,
  deriveJobId,
  deriveSessionId,
  documentId,
  type FinishReason,
  nobleSignatures,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseModelId,
  type Quote,
  type ReceiptCore,
  sha256Hash,
  signDocument,
} from '@tacit/protocol'

const price = 10n
const stepTokens = 4
const zero = parseBytes32(`0x${'00'.repeat(32)}`)
const payer = createSigner(new Uint8Array(32).fill(1))
const worker = createSigner(new Uint8Array(32).fill(2))
const domain = { chainId: 2n ** 32n + 5n, contract: parseAddress(`0x${'cc'.repeat(20)}`) }
const model = parseModelId(`0x${'ab'.repeat(32)}`)
const session = deriveSessionId({
  chainId: domain.chainId,
  contract: domain.contract,
  payer: payer.address,
  worker: worker.address,
  salt: new Uint8Array(32),
})
const scope = { session, job: deriveJobId(session, 0) }
const order: ClientOrder = {
  payer: payer.address,
  channel: parseChannelId(`0x${'dd'.repeat(32)}`),
  channelSalt: zero,
  levels: { privacy: 'sealed', verification: 'signed' },
  streamMode: 'paced',
  input: {
    kind: 'chat',
    messages: [{ role: 'user', content: 'hello' }],
    maxTokens: 400,
    temperatureMilli: 0,
    topPMilli: 1000,
    seed: 1,
    stop: [],
  },
  maxPrice: 10_000n,
  allowedReaders: [],
  deadlineSeconds: 60,
}
const context: ClientContext = {
  domain,
  ...scope,
  worker: worker.address,
  model,
  signer: payer,
  signatures: nobleSignatures,
  sessionSalt: zero,
  commit: (_, __, bytes) => sha256Hash(bytes),
  signVoucher: (amount) => ({ channelId: order.channel, maxClaimableAmount: amount.toString(), signature: `0x${'00'.repeat(65)}` }),
}
const quote: Quote = {
  type: 'tacit-quote/1',
  worker: worker.address,
  model,
  privacy: 'sealed',
  verification: 'signed',
  streamMode: 'paced',
  stepPrice: price.toString(),
  stepTokens,
  maxSteps: 100,
  readers: [worker.address],
  deadlineSeconds: 60,
  expiresAt: 2000,
}
const signedQuote = signDocument('Quote', quote, { session, job: zero }, domain, worker)

/** A client with a durable ledger, one job after the other. */
class Client {
  ledger: ClientLedger = emptyClientLedger
  job: ClientJob = { phase: 'quoting' }

  order(): void {
    this.job = { phase: 'quoting' }
    this.#feed({ type: 'order', quote: signedQuote, frankingKey: `0x${'11'.repeat(32)}`, requestSalt: zero })
  }

  accept(): void {
    assert.ok(this.job.phase === 'ordered')
    const acceptance = {
      type: 'tacit-acceptance/1' as const,
      ...scope,
      worker: worker.address,
      request: documentId(this.job.request.document),
      acceptedAt: 1000,
    }
    this.hear({
      t: 'accepted',
      acceptance: signDocument('Acceptance', acceptance, scope, domain, worker),
      frankingKey: `0x${'22'.repeat(32)}`,
      notice: '',
    })
  }

  askForVoucher(): void {
    assert.ok(this.job.phase === 'streaming')
    const { step, outputTokens, delivered, voucher } = this.job
    const document = {
      type: 'tacit-step/1' as const,
      ...scope,
      step,
      outputTokens,
      outputHash: sha256Hash(outputBytes(delivered)),
      voucherAmount: voucher.maxClaimableAmount,
    }
    this.hear({ t: 'step', receipt: signDocument('StepReceipt', document, scope, domain, worker) })
  }

  hear(message: WorkerMessage): void {
    this.#feed({ type: 'message', message })
  }

  loseConnection(): void {
    this.#feed({ type: 'lost', error: new Error('gone') })
  }

  #feed(event: Record<string, unknown> & { readonly type: string }): void {
    const step = advanceClientJob(this.job, { ...event, now: 1000, ledger: this.ledger } as never, order, context)
    this.job = step.job
    for (const effect of step.effects) {
      if (effect.type === 'persist-ledger') this.ledger = effect.ledger
      if (effect.type === 'short') this.ledger = concedeStep(this.ledger, effect.needed, price) ?? this.ledger
    }
  }
}

describe('a worker that refuses order after order', () => {
  it('gets no second voucher by saying that its books are ahead', () => {
    const client = new Client()
    for (let i = 0; i < 20; i++) {
      client.order()
      client.hear({ t: 'refused', code: 'voucher-short', message: 'more', needed: (client.ledger.committed + price).toString() })
      client.hear({ t: 'refused', code: 'voucher-short', message: 'more', needed: '20' })
    }
    assert.equal(client.ledger.signed, price)
  })

  it('is believed one step for each connection that was lost, and no more', () => {
    const client = new Client()
    client.order()
    client.loseConnection()
    for (let i = 0; i < 20; i++) {
      client.order()
      client.hear({ t: 'refused', code: 'voucher-short', message: 'more', needed: (client.ledger.committed + price).toString() })
    }
    assert.equal(client.ledger.signed, 2n * price)
  })

  it('is believed at once when several jobs side by side were lost', () => {
    let ledger: ClientLedger = { signed: 3n * price, committed: 3n * price, doubtful: 0n }
    for (let i = 0; i < 3; i++) ledger = doubtStep(ledger, price)
    assert.equal(concedeStep(ledger, 5n * price, price), undefined)
    assert.deepEqual(concedeStep(ledger, 4n * price, price), { signed: 3n * price, committed: 3n * price, doubtful: 0n })
  })
})

describe('a worker that counts tokens that it did not deliver', () => {
  it('gets one voucher more at most', () => {
    const client = new Client()
    client.order()
    client.accept()
    client.hear({ t: 'output', tokens: 65_536, output: { kind: 'text', text: '' } })
    for (let i = 0; i < 50 && client.job.phase === 'streaming'; i++) client.askForVoucher()
    assert.equal(client.job.phase, 'failed')
    assert.ok(client.ledger.signed <= 2n * price, `signed ${client.ledger.signed}`)
  })

  it('is told apart from one whose last tokens are not text', () => {
    const client = new Client()
    client.order()
    client.accept()
    client.hear({ t: 'output', tokens: stepTokens, output: { kind: 'text', text: 'a' } })
    client.askForVoucher()
    assert.equal(client.job.phase, 'streaming')
  })
})

describe('a job that the worker stops while a voucher travels', () => {
  // The receipt that a worker writes after one step, with the voucher it had then.
  function endsAfterFirstStep(client: Client, finishReason: FinishReason, steps: number, amount: bigint): void {
    assert.ok(client.job.phase === 'streaming')
    const { request, acceptance, outputFrankingKey, delivered } = client.job
    const core: ReceiptCore = {
      type: 'tacit-receipt/1',
      chainId: domain.chainId.toString(),
      contract: domain.contract,
      ...scope,
      worker: worker.address,
      model,
      modelRoot: zero,
      ordered: {
        privacy: 'sealed',
        verification: 'signed',
        streamMode: 'paced',
        request: documentId(request.document),
        readers: [worker.address],
        deadline: request.document.deadline,
      },
      delivered: {
        inputCommitment: request.document.inputCommitment,
        outputCommitment: context.commit(outputFrankingKey, 'response', outputBytes(delivered)),
        traceRoot: null,
        inputUnits: 4,
        outputUnits: 4,
        profile: 'test',
        finishReason,
      },
      payment: { voucherCommitment: commitVoucher({ salt: zero, channelId: order.channel, amount }), steps },
      acceptedAt: acceptance.document.acceptedAt,
      completedAt: 1000,
    }
    const receipt = signDocument('Receipt', core, scope, domain, worker)
    client.hear({ t: 'receipt', receipt, voucherSalt: zero, inputUnits: 4, outputUnits: 4 })
  }

  function oneStepAndAVoucher(): Client {
    const client = new Client()
    client.order()
    client.accept()
    client.hear({ t: 'output', tokens: stepTokens, output: { kind: 'text', text: 'four' } })
    client.askForVoucher()
    assert.equal(client.ledger.committed, 2n * price)
    return client
  }

  it('ends with the receipt of the step that was delivered, and the next order is paid with that voucher', () => {
    const client = oneStepAndAVoucher()
    endsAfterFirstStep(client, 'cancelled', 1, price)
    assert.ok(client.job.phase === 'done')
    assert.equal(client.job.result.steps, 1)
    assert.equal(client.job.result.voucher.maxClaimableAmount, price.toString())
    assert.deepEqual(client.ledger, { signed: 2n * price, committed: price, doubtful: 0n })
  })

  it('ends with the newest voucher when that arrived in time', () => {
    const client = oneStepAndAVoucher()
    endsAfterFirstStep(client, 'cancelled', 2, 2n * price)
    assert.ok(client.job.phase === 'done')
    assert.equal(client.job.result.steps, 2)
    assert.equal(client.ledger.committed, 2n * price)
  })

  it('is misbehaviour when nothing was cut, when more was delivered, or when the voucher is neither', () => {
    const whole = oneStepAndAVoucher()
    endsAfterFirstStep(whole, 'stop', 1, price)
    const more = oneStepAndAVoucher()
    more.hear({ t: 'output', tokens: 1, output: { kind: 'text', text: '!' } })
    endsAfterFirstStep(more, 'cancelled', 1, price)
    const neither = oneStepAndAVoucher()
    endsAfterFirstStep(neither, 'cancelled', 1, price - 1n)
    for (const { job } of [whole, more, neither]) assert.ok(job.phase === 'failed' && /the receipt names another/.test(job.error.message))
  })
})

describe('a worker that never stops', () => {
  it('does not fill the memory of the client', () => {
    const client = new Client()
    client.order()
    client.accept()
    const text = 'x'.repeat(1 << 20)
    for (let i = 0; i < 8; i++) client.hear({ t: 'output', tokens: 0, output: { kind: 'text', text } })
    assert.equal(client.job.phase, 'failed')
  })
})

describe('vouchers that overtake each other', () => {
  it('pay for the steps of both jobs', () => {
    const first = creditVoucher({ credited: 0n, reserved: 0n }, 2n * price, 1000n, price)
    assert.ok(first.ok)
    const second = creditVoucher(first.ledger, price, 1000n, price)
    assert.deepEqual(second, { ok: true, ledger: { credited: 2n * price, reserved: 2n * price } })
    assert.equal(creditVoucher({ credited: 2n * price, reserved: 2n * price }, 2n * price, 1000n, price).ok, false)
  })
})
