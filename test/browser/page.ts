// What runs inside the tab: the same client and worker code as everywhere, with the web's sockets, clock and randomness.
import { connectChain, createTransactionSender, type Deployment } from '@tacit/chain'
import { MemoryClientStore, type NetworkDescription, TacitClient } from '@tacit/client'
import { parseOnnx } from '@tacit/model'
import { identityOf, listenThroughRelay } from '@tacit/network'
import { createWebDialer, openWebSocket } from '@tacit/network/web'
import {
  createChannelReader,
  createRedeemer,
  fetchAgreedShares,
  loadFastSignatures,
  MemoryJournal,
  redeemAll,
  serveTensorEngine,
  Worker,
} from '@tacit/node'
import {
  createSigner,
  createVoucherDigest,
  type Hex,
  type ModelId,
  nobleSignatures,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseHex,
  recoverSigner,
  type SignatureBackend,
} from '@tacit/protocol'
import { verifyReceipt } from '@tacit/receipt'
import { openReferenceEngine } from '@tacit/runtime'

export type ClientConfig = {
  readonly network: NetworkDescription
  readonly payerKey: Hex
  readonly model: string
  readonly pixels: Hex
}

export type ClientResult = {
  readonly logits: readonly number[]
  readonly verification: number
  readonly withoutCheckpoint: number
  readonly tampered: number
  readonly viaDispatcher: boolean
  readonly answerMs: number
}

export type WorkerConfig = {
  readonly chainUrl: string
  readonly deployment: Deployment
  readonly relayUrl: string
  readonly identityKey: Hex
  readonly model: { readonly id: ModelId; readonly name: string; readonly root: Hex; readonly stepPrice: string; readonly url: string }
}

export type PageApi = typeof api

const now = (): number => Math.floor(Date.now() / 1000)
const random = (sizeBytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(sizeBytes))

const api = {
  /** Opens a session from the tab, locks, pays, gets an answer and checks the receipt. */
  async runClient({ network, payerKey, model, pixels }: ClientConfig): Promise<ClientResult> {
    const signatures = await loadFastSignatures()
    const payer = createSigner(parseHex(payerKey, 'A key', 32), signatures)
    const chain = await connectChain(network.chainUrl, { deployment: network.deployment })
    await using client = new TacitClient({
      network,
      chain,
      payer,
      sender: createTransactionSender(chain, payer),
      store: new MemoryClientStore(),
      dialer: createWebDialer(),
      random,
      signatures,
      now,
    })
    const input = { kind: 'tensors', tensors: [{ name: 'x', type: 'f32', shape: [1, 64], data: pixels }] } as const
    let logits: readonly number[] = []
    let viaDispatcher = false
    const started = performance.now()
    for await (const event of client.infer({ model, streamMode: 'paced', input })) {
      if (event.type === 'worker') viaDispatcher = event.choice.recommendation !== null
      if (event.type === 'output' && event.output.kind === 'tensors')
        logits = [...new Float32Array(parseHex(event.output.tensors[0]?.data ?? '0x', 'The answer').buffer)]
      if (event.type !== 'receipt') continue
      const { receipt } = event.file
      const acceptedAt = receipt.document.acceptedAt + 1
      const tampered = { ...event.file, receipt: { ...receipt, document: { ...receipt.document, acceptedAt } } }
      return {
        logits,
        viaDispatcher,
        answerMs: performance.now() - started,
        verification: event.verification.exitCode,
        withoutCheckpoint: (await verifyReceipt(event.file, {})).exitCode,
        tampered: (await verifyReceipt(tampered, event.checkpoint === null ? {} : { checkpoint: event.checkpoint })).exitCode,
      }
    }
    throw new Error('the answer ended without a receipt')
  },

  /** Serves a model from the tab until `stopWorker`; resolves when the relay has accepted it. */
  async startWorker({ chainUrl, deployment, relayUrl, identityKey, model }: WorkerConfig): Promise<string> {
    const signatures = await loadFastSignatures()
    const signer = createSigner(parseHex(identityKey, 'A key', 32), signatures)
    const chain = await connectChain(chainUrl, { deployment })
    const bytes = new Uint8Array(await (await fetch(model.url)).arrayBuffer())
    const engine = openReferenceEngine(parseOnnx(bytes), { digest: await digestOf(bytes) })
    const journal = new MemoryJournal({ now })
    const worker = new Worker({
      domain: { chainId: chain.chainId, contract: deployment.contracts.paymentPool },
      signer,
      signatures,
      random,
      now,
      nowMs: () => performance.now(),
      journal,
      models: [
        serveTensorEngine(engine, {
          id: model.id,
          name: model.name,
          root: parseBytes32(model.root),
          stepPrice: BigInt(model.stepPrice),
          deadlineSeconds: 60,
        }),
      ],
      channel: createChannelReader(chain, signer.address, await fetchAgreedShares(chain, [model.id])),
      report: (error) => console.error(error),
    })
    const listener = await listenThroughRelay(relayUrl, { open: openWebSocket, identity: identityOf(signer) })
    const serving = (async () => {
      for await (const channel of listener.accept()) void worker.serve(channel)
    })()
    running = {
      redeem: () =>
        redeemAll(journal, createRedeemer(createTransactionSender(chain, signer)), (sizeBytes) =>
          crypto.getRandomValues(new Uint8Array(sizeBytes)),
        ),
      jobs: () => journal.earnings().map(({ outcome, redeemed }) => `${outcome}${redeemed ? ' redeemed' : ''}`),
      stop: async () => {
        worker.close()
        await listener.close()
        await serving
      },
    }
    return signer.address
  },

  async redeem(): Promise<string> {
    return ((await running?.redeem()) ?? 0n).toString()
  },

  jobs(): readonly string[] {
    return running?.jobs() ?? []
  },

  async stopWorker(): Promise<void> {
    await running?.stop()
  },

  /** Milliseconds to check one voucher, the way a worker does it, with each backend. */
  async measureVoucherCheck(): Promise<{ readonly libauth: number; readonly noble: number }> {
    const fast = await loadFastSignatures()
    return { libauth: medianCheckMs(fast, 400), noble: medianCheckMs(nobleSignatures, 60) }
  },
}

let running:
  | { readonly redeem: () => Promise<bigint>; readonly jobs: () => readonly string[]; readonly stop: () => Promise<void> }
  | undefined

function medianCheckMs(signatures: SignatureBackend, repetitions: number): number {
  const payer = createSigner(new Uint8Array(32).fill(7), signatures)
  const digest = createVoucherDigest({ chainId: 31_337n, contract: parseAddress(`0x${'cc'.repeat(20)}`) })
  const channelId = parseChannelId(`0x${'ab'.repeat(32)}`)
  const batch = 10
  const times: number[] = []
  for (let i = 0; i < repetitions / batch; i++) {
    const vouchers = Array.from({ length: batch }, (_, j) => {
      const maxClaimableAmount = BigInt(i * batch + j + 1)
      return { maxClaimableAmount, signature: payer.sign(digest({ channelId, maxClaimableAmount })) }
    })
    // Tabs have a coarse clock, so several are timed at once.
    const started = performance.now()
    for (const { maxClaimableAmount, signature } of vouchers)
      if (recoverSigner(digest({ channelId, maxClaimableAmount }), signature, signatures) !== payer.address)
        throw new Error('a check failed')
    times.push((performance.now() - started) / batch)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<`sha256:${string}`> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return `sha256:${[...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

Object.assign(globalThis, { tacit: api })
