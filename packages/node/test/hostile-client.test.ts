// A worker and its clients over a network in memory: what is journaled, and what clients that misbehave can make it do.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { MemoryLedgerStore, WireChannel, WorkerSession } from '@tacit/client'
import type { ClientOrder, ClientReceipt } from '@tacit/exchange'
import { createMemoryNetwork } from '@tacit/network'
import { type Journal, MemoryJournal, receiptsRoot, redeemAll, type ServedModel, Worker } from '@tacit/node'
import { openSqliteJournal } from '@tacit/node/node'
import {
  createSigner,
  deriveChannelId,
  nobleSignatures,
  parseAddress,
  parseBytes32,
  parseModelId,
  parseSessionId,
  toHex,
  type Bytes32,
} from '@tacit/protocol'

const stepPrice = 10n
const stepTokens = 4
const now = (): number => Math.floor(Date.now() / 1000)
const random = (sizeBytes: number): Uint8Array<ArrayBuffer> => Uint8Array.from(randomBytes(sizeBytes))
const domain = { chainId: 2n ** 32n + 5n, contract: parseAddress(`0x${'cc'.repeat(20)}`) }
const model = parseModelId(`0x${'ab'.repeat(32)}`)
const salt = parseBytes32(`0x${'5a'.repeat(32)}`)
const payer = createSigner(new Uint8Array(32).fill(1))
const signer = createSigner(new Uint8Array(32).fill(2))
const channelId = deriveChannelId({ ...domain, payer: payer.address, payee: signer.address, model, salt })

/** A fake engine: as many words as are paid for, at once, unless it is held. */
function fakeModel(gate: { hold?: Promise<void>; runs: number }): ServedModel {
  return {
    id: model,
    name: 'fake',
    root: parseBytes32(`0x${'01'.repeat(32)}`),
    stepPrice,
    stepTokens,
    maxSteps: 100,
    deadlineSeconds: 60,
    levels: [{ privacy: 'sealed', verification: 'signed' }],
    streamModes: ['paced', 'immediate'],
    notice: '',
    preflight: async () => ({ ok: true }),
    async *run(_, { maxTokens }) {
      gate.runs++
      await gate.hold
      for (let i = 0; i < maxTokens; i++) yield { type: 'output', output: { kind: 'text', text: 'word ' }, tokens: 1 }
      yield { type: 'end', finishReason: 'length', inputUnits: 1, outputUnits: maxTokens, profile: 'fake', traceRoot: null }
    },
  }
}

function startWorker(journal: Journal, options: { readonly maxJobs?: number; readonly hold?: Promise<void> } = {}) {
  const network = createMemoryNetwork()
  const gate = { runs: 0, ...(options.hold === undefined ? {} : { hold: options.hold }) }
  const reports: unknown[] = []
  const worker = new Worker({
    domain,
    signer,
    signatures: nobleSignatures,
    random,
    now,
    nowMs: () => performance.now(),
    journal,
    models: [fakeModel(gate)],
    channel: async (key) => ({ id: channelId, payee: signer.address, locked: 1_000_000n, claimed: 0n, unusable: null, ...key }),
    maxJobs: options.maxJobs ?? 8,
    report: (error) => reports.push(error),
  })
  const listener = network.listen('worker')
  const serving = (async () => {
    for await (const channel of listener.accept()) void worker.serve(channel)
  })()
  const ledgers = new MemoryLedgerStore()
  const open = (): Promise<WorkerSession> =>
    WorkerSession.open({
      dial: () => network.dial('worker'),
      worker: signer.address,
      model,
      domain,
      payer,
      ledgers,
      random,
      now,
      signatures: nobleSignatures,
    })
  const stop = async (): Promise<void> => {
    worker.close()
    await listener.close()
    await serving
  }
  return { worker, network, ledgers, gate, reports, open, stop }
}

const orderOf = (maxTokens: number): ClientOrder => ({
  payer: payer.address,
  channel: channelId,
  channelSalt: salt,
  levels: { privacy: 'sealed', verification: 'signed' },
  streamMode: 'immediate',
  input: { kind: 'chat', messages: [{ role: 'user', content: 'hi' }], maxTokens, temperatureMilli: 0, topPMilli: 1000, seed: 0, stop: [] },
  maxPrice: 100_000n,
  allowedReaders: [],
  deadlineSeconds: 60,
})

async function run(session: WorkerSession, maxTokens: number): Promise<ClientReceipt> {
  const order = orderOf(maxTokens)
  const quote = await session.quote(order.levels, order.streamMode, order.input)
  for await (const event of session.run(order, quote)) if (event.type === 'receipt') return event.result
  return assert.fail('no receipt')
}

describe('the journal of a worker', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tacit-journal-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const journals: readonly (readonly [string, () => Journal])[] = [
    ['in memory', () => new MemoryJournal({ now })],
    ['on disk', () => openSqliteJournal(join(folder, `${randomBytes(4).toString('hex')}.sqlite`))],
  ]

  for (const [where, openJournal] of journals) {
    it(`${where} holds the voucher of the last step, which ends the job`, async () => {
      const journal = openJournal()
      const world = startWorker(journal)
      const session = await world.open()
      const result = await run(session, 3 * stepTokens)
      assert.equal(result.steps, 3)
      assert.equal(world.ledgers.read(channelId).signed, 3n * stepPrice)
      assert.deepEqual(journal.ledger(channelId), { credited: 3n * stepPrice, reserved: 3n * stepPrice })
      assert.deepEqual(
        journal.redeemable().map(({ amount, voucher }) => [amount, voucher.maxClaimableAmount]),
        [[3n * stepPrice, '30']],
      )
      await session.close()
      await world.stop()
      journal.close()
    })

    it(`${where} keeps the higher of two vouchers that came out of order, and redeems what was earned`, () => {
      const journal = openJournal()
      const entry = (amount: bigint, ledger: { readonly credited: bigint; readonly reserved: bigint }, job: number) =>
        journal.recordVoucher({
          job: parseBytes32(`0x${job.toString(16).padStart(64, '0')}`) as never,
          channel: { payer: payer.address, model, salt },
          voucher: { channelId, maxClaimableAmount: amount.toString(), signature: `0x${'00'.repeat(65)}` },
          ledger,
          acceptance: { document: { acceptedAt: 1 } as never, signature: '0x' },
        })
      entry(20n, { credited: 20n, reserved: 10n }, 1)
      assert.deepEqual(
        journal.redeemable().map(({ amount }) => amount),
        [10n],
      )
      entry(10n, { credited: 20n, reserved: 20n }, 2)
      assert.deepEqual(
        journal.redeemable().map(({ amount, voucher }) => [amount, voucher.maxClaimableAmount]),
        [[20n, '20']],
      )
      journal.close()
    })
  }
})

describe('redeeming', () => {
  it('goes in several transactions, and one that fails holds up no other', async () => {
    const redeemed: string[] = []
    const due = Array.from({ length: 300 }, (_, index) => ({
      channel: parseBytes32(`0x${index.toString(16).padStart(64, '0')}`) as never,
      key: { payer: payer.address, model, salt },
      voucher: { channelId, maxClaimableAmount: '10', signature: '0x' as const },
      amount: 10n,
      receipts: [],
      redeemed: 0n,
    }))
    const journal = {
      redeemable: () => due,
      recordBatch: () => {},
      markRedeemed: (channel: string) => redeemed.push(channel),
    } as unknown as Journal
    let calls = 0
    const redeeming = redeemAll(
      journal,
      async (claims) => {
        if (calls++ === 0) throw new Error('NothingRedeemed')
        assert.ok(claims.length <= 128)
        return claims.map(({ channel }) => ({ channel, claimed: 10n, settled: true }))
      },
      (sizeBytes) => new Uint8Array(sizeBytes).fill(5),
    )
    await assert.rejects(redeeming, /NothingRedeemed/)
    assert.equal(calls, 3)
    assert.equal(redeemed.length, 300 - 128)
  })
})

describe('a client that opens streams and orders nothing', () => {
  it('is told that the worker is busy before it fills memory and journal', async () => {
    const journal = new MemoryJournal({ now })
    const world = startWorker(journal)
    let busy = 0
    const channels: WireChannel[] = []
    const opened = await openRaw(world.network)
    for (let index = 0; index < 40; index++) {
      const channel = new WireChannel(await world.network.dial('worker'))
      channels.push(channel)
      await channel.send({ type: 'start', session: opened, jobIndex: index, attemptNonce: random(32), paced: true })
      const frame = await channel.next()
      if (frame?.type === 'fault' && frame.fault === 'busy') busy++
    }
    assert.equal(busy, 8)
    for (const channel of channels) await channel.close()
    await world.stop()
    // One channel carries one stream at a time.
    const again = startWorker(new MemoryJournal({ now }))
    const one = await openRaw(again.network)
    const channel = new WireChannel(await again.network.dial('worker'))
    for (let index = 0; index < 200; index++) {
      await channel.send({ type: 'start', session: one, jobIndex: index, attemptNonce: random(32), paced: true })
      for (let frame = await channel.next(); frame?.type !== 'started'; frame = await channel.next())
        assert.equal(frame?.type, 'cell', 'a stream that was left makes room')
    }
    await channel.close()
    await again.stop()
  })

  async function openRaw(network: ReturnType<typeof createMemoryNetwork>) {
    const { openSession, prekeyId } = await import('@tacit/session')
    const channel = new WireChannel(await network.dial('worker'))
    await channel.send({ type: 'prekey-request' })
    const frame = await channel.next()
    assert.ok(frame?.type === 'prekey')
    const { document: prekey } = JSON.parse(new TextDecoder().decode(frame.json)) as { document: Parameters<typeof prekeyId>[0] }
    const session = parseSessionId(toHex(random(32)))
    const info = { chainId: domain.chainId, sessionId: session, modelId: model, worker: signer.address }
    const { enc } = await openSession({ prekey, info, nowSeconds: now(), random })
    await channel.send({ type: 'open', prekeyId: prekeyId(prekey), session, enc })
    assert.equal((await channel.next())?.type, 'opened')
    await channel.close()
    return session
  }
})

describe('many orders at once', () => {
  it('never run more jobs than the worker has places', async () => {
    const held = Promise.withResolvers<void>()
    const world = startWorker(new MemoryJournal({ now }), { maxJobs: 2, hold: held.promise })
    const session = await world.open()
    const order = orderOf(stepTokens)
    const quote = await session.quote(order.levels, order.streamMode, order.input)
    const outcomes = Array.from({ length: 10 }, async () => {
      for await (const event of session.run(order, quote)) if (event.type === 'receipt') return 'receipt'
      return 'none'
    }).map((outcome) => outcome.catch((error: Error) => error.message))
    setTimeout(() => held.resolve(), 300)
    const all = await Promise.all(outcomes)
    assert.equal(world.gate.runs, 2, all.join('; '))
    assert.equal(all.filter((outcome) => outcome === 'receipt').length, 2)
    assert.equal(world.worker.runningJobs, 0)
    await session.close()
    await world.stop()
  })

  it('are all paid when there is room, whatever order their vouchers come in', async () => {
    const world = startWorker(new MemoryJournal({ now }), { maxJobs: 20 })
    const session = await world.open()
    await run(session, stepTokens)
    await Promise.all(Array.from({ length: 8 }, () => run(session, 2 * stepTokens)))
    assert.equal(world.ledgers.read(channelId).signed, 17n * stepPrice)
    await session.close()
    await world.stop()
  })

  it('posts a root from which nobody can find a published receipt', async () => {
    const receipt = `0x${'ab'.repeat(32)}`
    const due = [{ channel: channelId, amount: 1n, receipts: [receipt], redeemed: 0n }]
    const batches: { readonly root: string; readonly blind: Bytes32 }[] = []
    const journal = {
      redeemable: () => due,
      recordBatch: (batch: (typeof batches)[number]) => batches.push(batch),
      markRedeemed: () => {},
    } as unknown as Journal
    const roots: string[] = []
    for (const fill of [1, 2]) {
      const random = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(fill)
      await redeemAll(
        journal,
        async (_, root) => {
          roots.push(root)
          return []
        },
        random,
      )
    }
    assert.notEqual(roots[0], roots[1])
    assert.ok(!roots.includes(receiptsRoot([parseBytes32(receipt)])))
    assert.deepEqual(
      roots,
      batches.map(({ blind }) => receiptsRoot([blind, parseBytes32(receipt)])),
    )
  })
})
