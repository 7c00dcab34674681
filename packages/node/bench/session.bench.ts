// The cost of privacy: what session, relay and voucher add to the first token and to a whole answer, over plain HTTP to the
// same engine. Both ways are measured in turn, in one run; immediate release, so that pacing is not part of it.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { MemoryLedgerStore, WorkerSession } from '@tacit/client'
import type { ClientOrder } from '@tacit/exchange'
import { createNodeDialer } from '@tacit/network/node'
import {
  createSigner,
  createVoucherDigest,
  deriveChannelId,
  nobleSignatures,
  parseBytes32,
  recoverSigner,
  type SignatureBackend,
} from '@tacit/protocol'
import { nobleAead } from '@tacit/session'
import { nodeAead } from '@tacit/session/node'
import { measureChunk, measureHandshake } from '../../session/bench/measure.ts'
import { loadFastSignatures } from '../src/node/index.ts'
import { benchDomain, benchModel, benchWorkerKey } from './session-peer.ts'

const rounds = { 1: 300, 1000: 40 } as const

export async function run(report: (line: string) => void): Promise<Record<string, number | null>> {
  const signatures = await loadFastSignatures()
  const { child, relayUrl, plainUrl } = await startPeer()
  const metrics: Record<string, number | null> = {}
  try {
    const session = await openSession(relayUrl, signatures)
    const order = createOrder(session.payer)
    const quote = await session.session.quote(order(1).levels, 'immediate', order(1).input)
    for (const tokens of [1, 1000] as const) {
      const plain: Sample[] = []
      const sealed: Sample[] = []
      for (let i = -5; i < rounds[tokens]; i++) {
        const a = await overPlainHttp(plainUrl, tokens)
        const b = await overSession(() => session.session.run(order(tokens), quote))
        if (i < 0) continue
        plain.push(a)
        sealed.push(b)
      }
      const first = (samples: readonly Sample[], q: number): number =>
        quantile(
          samples.map((sample) => sample.firstMs),
          q,
        )
      const all = (samples: readonly Sample[], q: number): number =>
        quantile(
          samples.map((sample) => sample.totalMs),
          q,
        )
      const prefix = tokens === 1 ? 'ttft' : 'ttft1000'
      metrics[`${prefix}.plain_p50_ms`] = first(plain, 0.5)
      metrics[`${prefix}.added_p50_ms`] = first(sealed, 0.5) - first(plain, 0.5)
      metrics[`${prefix}.added_p99_ms`] = first(sealed, 0.99) - first(plain, 0.99)
      metrics[`total${tokens}.plain_p50_ms`] = all(plain, 0.5)
      metrics[`total${tokens}.sealed_p50_ms`] = all(sealed, 0.5)
      report(
        `${tokens} token(s): plain ${first(plain, 0.5).toFixed(2)} ms to the first, session + relay + voucher ${first(sealed, 0.5).toFixed(2)} ms`,
      )
    }
    await session.session.close()
  } finally {
    child.kill()
  }
  Object.assign(metrics, await voucherChecks(signatures))
  metrics['seal.us_per_chunk'] = (await measureChunk(nodeAead)).sealUs
  metrics['seal.noble_us_per_chunk'] = (await measureChunk(nobleAead)).sealUs
  const wrap = await measureHandshake('x-wing')
  metrics['wrap.ms'] = wrap.wrapMs
  metrics['unwrap.ms'] = wrap.unwrapMs
  return metrics
}

type Sample = { readonly firstMs: number; readonly totalMs: number }

async function overPlainHttp(url: string, tokens: number): Promise<Sample> {
  const started = performance.now()
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ tokens }) })
  let firstMs = 0
  for await (const chunk of response.body ?? []) if (firstMs === 0 && chunk.length > 0) firstMs = performance.now() - started
  return { firstMs, totalMs: performance.now() - started }
}

async function overSession(start: () => ReturnType<WorkerSession['run']>): Promise<Sample> {
  const started = performance.now()
  let firstMs = 0
  for await (const event of start()) if (firstMs === 0 && event.type === 'output') firstMs = performance.now() - started
  return { firstMs, totalMs: performance.now() - started }
}

async function openSession(
  relayUrl: string,
  signatures: SignatureBackend,
): Promise<{ readonly session: WorkerSession; readonly payer: ReturnType<typeof createSigner> }> {
  const payer = createSigner(new Uint8Array(32).fill(7), signatures)
  const worker = createSigner(benchWorkerKey, signatures).address
  const dialer = createNodeDialer()
  const session = await WorkerSession.open({
    dial: (options) => dialer.dial(`${relayUrl}/connect/${worker}`, options),
    worker,
    model: benchModel,
    domain: benchDomain,
    payer,
    ledgers: new MemoryLedgerStore(),
    random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
    now: () => Math.floor(Date.now() / 1000),
    signatures,
    aead: nodeAead,
  })
  return { session, payer }
}

function createOrder(payer: ReturnType<typeof createSigner>): (tokens: number) => ClientOrder {
  const salt = parseBytes32(`0x${'01'.repeat(32)}`)
  const payee = createSigner(benchWorkerKey).address
  const channel = deriveChannelId({ ...benchDomain, payer: payer.address, payee, model: benchModel, salt })
  return (tokens) => ({
    payer: payer.address,
    channel,
    channelSalt: salt,
    levels: { privacy: 'sealed', verification: 'signed' },
    streamMode: 'immediate',
    input: {
      kind: 'chat',
      messages: [{ role: 'user', content: 'x'.repeat(1000) }],
      maxTokens: tokens,
      temperatureMilli: 0,
      topPMilli: 1000,
      seed: 0,
      stop: [],
    },
    maxPrice: 1_000_000n,
    allowedReaders: [],
    deadlineSeconds: 60,
  })
}

async function startPeer(): Promise<{ readonly child: ChildProcess; readonly relayUrl: string; readonly plainUrl: string }> {
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      '--conditions=tacit-source',
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('./session-peer.ts', import.meta.url)),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const [line] = await new Promise<string[]>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (text) => resolve([text]))
    child.once('exit', (code) => reject(new Error(`the peer ended with ${code}`)))
  })
  return { child, ...(JSON.parse(line ?? '{}') as { relayUrl: string; plainUrl: string }) }
}

/** One voucher checked three ways: as the worker does it, in pure JavaScript, and as viem does it. */
async function voucherChecks(fast: SignatureBackend): Promise<Record<string, number>> {
  const signer = createSigner(new Uint8Array(32).fill(9))
  const digest = createVoucherDigest(benchDomain)
  const voucher = {
    channelId: deriveChannelId({
      ...benchDomain,
      payer: signer.address,
      payee: signer.address,
      model: benchModel,
      salt: parseBytes32(`0x${'02'.repeat(32)}`),
    }),
    maxClaimableAmount: 12345n,
  }
  const signature = signer.sign(digest(voucher))
  const time = async (check: () => unknown, repeats: number): Promise<number> => {
    for (let i = 0; i < 20; i++) await check()
    const samples: number[] = []
    for (let i = 0; i < repeats; i++) {
      const started = performance.now()
      await check()
      samples.push(performance.now() - started)
    }
    return quantile(samples, 0.5)
  }
  const ours = await time(() => recoverSigner(digest(voucher), signature, fast) === signer.address, 400)
  const noble = await time(() => recoverSigner(digest(voucher), signature, nobleSignatures) === signer.address, 150)
  const hash = `0x${Buffer.from(digest(voucher)).toString('hex')}` as const
  const { recoverAddress } = await import('viem')
  const viem = await time(() => recoverAddress({ hash, signature }), 150)
  return {
    'voucher_check.ms': ours,
    'voucher_check.noble_ms': noble,
    'voucher_check.viem_ms': viem,
    'voucher_check.viem_speedup': viem / ours,
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}
