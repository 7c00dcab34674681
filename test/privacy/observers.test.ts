// What relay, dispatcher and chain have in their hands after real requests on a real network. SECURITY.md's table is this.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { createTransactionSender } from '@tacit/chain'
import { type InferEvent, TacitClient } from '@tacit/client'
import { digitInput, parseDigits } from '@tacit/model'
import { fetchJson } from '@tacit/network'
import { createNodeDialer, type HttpServer, serveHttp } from '@tacit/network/node'
import { openKeyFile, zooDirectory } from '@tacit/node/node'
import { canonicalBytes, encodeReceiptFile, type Json, toHex, utf8 } from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'
import { encodePixels, findMatches } from '../../packages/receipt/test/dictionary-attack.ts'
import { chat, collect, startTestNetwork, type TestNetwork } from '../e2e/network.ts'
import { chunksOf, findIn, framesOf, jobsOf, readRelayLog, type RelayLog, type SeenJob } from './relay-log.ts'

type Receipt = Extract<InferEvent, { type: 'receipt' }>
type Conversation = { readonly prompt: string; readonly text: string; readonly receipt: Receipt; readonly quoteModel: string }

/** Every third prompt has another length; all are one size class. */
const prompts = [
  'Tell me about kettle ZQXJV.',
  'Who sold the lighthouse WKPYB to the baker, and what did she pay for it?',
  'VFGHQ?',
] as const
const intervalMs = 20

describe('what others see of a request', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tacit-observers-'))
  const recordRelayTo = join(folder, 'relay.jsonl')
  const dispatcherSaw: Uint8Array[] = []
  const chainSaw: Uint8Array[] = []
  const conversations: Conversation[] = []
  let world: TestNetwork
  let dispatcherProxy: HttpServer
  let log: RelayLog
  let digitReceipt: Receipt
  const digit = parseDigits(gunzipSync(readFileSync(join(zooDirectory, 'data/digits/digits.csv.gz'))).toString('utf8'))[1234]

  before(async () => {
    world = await startTestNetwork({ workers: 1, redeemSeconds: 3600, recordRelayTo })
    dispatcherProxy = await recordingProxy(world.network.description.dispatcherUrl ?? '', dispatcherSaw)
    const client = recordedClient()
    for (const prompt of prompts) conversations.push(await converse(client, prompt, 24))
    conversations.push(await converse(client, prompts[0], 400)) // a far longer answer, the next size class up
    const data = toHex(new Uint8Array(digitInput(digit ?? assert.fail()).buffer))
    const { receipt } = await collect(
      client.infer({ model: 'digits', input: { kind: 'tensors', tensors: [{ name: 'x', type: 'f32', shape: [1, 64], data }] } }),
    )
    digitReceipt = receipt ?? assert.fail('no receipt')
    await client.close()
    await world.network.restartWorker(0) // redeems, so that the chain holds all that it will ever hold
    await recordChain()
    await world.network.restartRelay() // closes the relay's file
    log = readRelayLog(recordRelayTo)
  })
  after(async () => {
    await dispatcherProxy?.close()
    await world?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  function recordedClient(): TacitClient {
    const { network } = world
    const payer = openKeyFile(join(world.dataDir, 'client', 'wallet.key'), network.signatures)
    return new TacitClient({
      network: { ...network.description, dispatcherUrl: dispatcherProxy.url },
      chain: network.connection,
      payer,
      sender: createTransactionSender(network.connection, payer),
      store: world.store,
      dialer: createNodeDialer(),
      random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
      signatures: network.signatures,
      aead: nodeAead,
      now: () => Math.floor(Date.now() / 1000),
    })
  }

  async function converse(client: TacitClient, prompt: string, maxTokens: number): Promise<Conversation> {
    const { text, receipt, events } = await collect(client.infer({ ...chat(prompt, maxTokens), streamMode: 'paced' }))
    const quote = events.find((event) => event.type === 'quote')
    assert.ok(receipt !== undefined && quote?.type === 'quote')
    return { prompt, text, receipt, quoteModel: quote.quote.document.model }
  }

  // Everything the chain ever showed to anybody: blocks, transactions, receipts with their logs.
  async function recordChain(): Promise<void> {
    const { url } = world.network.chain
    const call = (method: string, params: readonly unknown[]): Promise<unknown> =>
      fetchJson(url, { body: { jsonrpc: '2.0', id: 1, method, params }, maxBytes: 1 << 24 }).then(
        (answer) => (answer as { result: unknown }).result,
      )
    const height = Number(await call('eth_blockNumber', []))
    for (let number = 0; number <= height; number++) {
      const block = await call('eth_getBlockByNumber', [`0x${number.toString(16)}`, true])
      const receipts = await call('eth_getBlockReceipts', [`0x${number.toString(16)}`])
      chainSaw.push(utf8(JSON.stringify([block, receipts])))
    }
  }

  const paced = (): readonly SeenJob[] => log.connections.flatMap(jobsOf).filter((job) => job.paced)
  const shape = (job: SeenJob): readonly string[] => job.sightings.map(({ direction, bytes }) => `${direction} ${bytes.length}`)

  const short = (): readonly Conversation[] => conversations.slice(0, prompts.length)

  it('is recorded at all: the relay forwarded every job', () => {
    assert.equal(paced().length, conversations.length + 1)
    assert.ok(short().every(({ text }) => text.length > 0))
    assert.equal(new Set(short().map(({ text }) => text)).size, prompts.length, 'the answers differ')
  })

  it('is the same number, size and order of messages for every prompt and answer of a class', () => {
    const [first, ...rest] = paced().slice(0, prompts.length)
    assert.ok(first !== undefined && rest.length === prompts.length - 1)
    for (const job of rest) {
      for (const direction of ['up', 'down'] as const)
        assert.deepEqual(
          shape(job).filter((line) => line.startsWith(direction)),
          shape(first).filter((line) => line.startsWith(direction)),
        )
    }
    assert.ok(shape(first).length > 30)
  })

  it('is the same for a classification and a short chat: not even the kind of model shows', () => {
    const chatShape = shape(paced()[0] ?? assert.fail())
    const digitShape = shape(paced().at(-1) ?? assert.fail())
    assert.deepEqual(digitShape.toSorted(), chatShape.toSorted())
  })

  it('comes on one schedule: a cell every 20 ms from the start, whatever the engine does', () => {
    for (const job of paced()) {
      const cells = job.sightings.filter(({ direction, bytes }) => direction === 'down' && bytes.length > 1000)
      const start = cells[0]?.atMs ?? 0
      // A late tick does not move later ones: the schedule hangs on the start. What is left is this machine's load.
      const lateness = cells.map(({ atMs }, index) => atMs - start - index * intervalMs).toSorted((a, b) => a - b)
      const median = lateness[Math.floor(lateness.length / 2)] ?? Number.NaN
      assert.ok(Math.abs(median) < 2 * intervalMs, `cells are off their schedule by ${median.toFixed(1)} ms at the median`)
      assert.ok(Math.min(...lateness) > -2 * intervalMs, 'no cell comes early')
    }
  })

  it('tells the size class and nothing finer', () => {
    const cells = (job: SeenJob): number =>
      job.sightings.filter(({ direction, bytes }) => direction === 'down' && bytes.length > 1000).length
    const totals = paced().map(cells)
    for (const total of totals) assert.ok(Number.isInteger(Math.log2(total / 16)), `${total} cells`)
  })

  it('holds no prompt, answer, model, payer, channel or published id in what the relay saw', () => {
    const { payer } = world.client
    for (const { receipt, quoteModel } of conversations) {
      const { document, signature } = receipt.file.receipt
      const channel = world.store.channel(document.worker, document.model)?.id ?? assert.fail()
      const secrets: readonly (readonly [string, string])[] = [
        ['payer', payer],
        ['model', quoteModel],
        ['model root', document.modelRoot],
        ['channel', channel],
        ['session', document.session],
        ['job', document.job],
        ['receipt id', receipt.id],
        ['receipt signature', signature.slice(0, 66)],
        ['input commitment', document.delivered.inputCommitment],
        ['output commitment', document.delivered.outputCommitment],
        ['voucher commitment', document.payment.voucherCommitment],
        ['request', document.ordered.request],
      ]
      for (const [name, value] of secrets)
        assert.deepEqual(findIn(log.everything, Buffer.from(value.slice(2), 'hex')), [], `the relay saw the ${name}`)
    }
    for (const { prompt, text } of conversations) {
      for (const word of [...prompt.split(' '), ...text.split(/\s+/)].filter((part) => part.length >= 6))
        assert.ok(!log.everything.some((bytes) => Buffer.from(bytes).includes(word)), `the relay saw "${word}"`)
    }
    // The search has teeth: what the relay is known to see is found by it.
    const worker = conversations[0]?.receipt.file.receipt.document.worker ?? ''
    assert.notDeepEqual(findIn(log.everything, Buffer.from(worker.slice(2), 'hex')), [])
  })

  it('names a session on the wire by a handle that occurs in no receipt', () => {
    const published = Buffer.concat([
      ...conversations.map(({ receipt }) => encodeReceiptFile(receipt.file)),
      encodeReceiptFile(digitReceipt.file),
    ])
    const handles = new Set<string>()
    for (const connection of log.connections)
      for (const { frame } of framesOf(connection)) if ('session' in frame) handles.add(frame.session)
    assert.ok(handles.size >= 2)
    for (const handle of handles) assert.deepEqual(findIn([published], Buffer.from(handle.slice(2), 'hex')), [])
  })

  it('shares no value of eight bytes or more between a receipt and the relay, except the worker and the prekey', () => {
    const allowed = new Set(conversations.map(({ receipt }) => receipt.file.receipt.document.worker as string))
    const everything = Buffer.concat(log.everything)
    for (const { receipt } of conversations) {
      const published = new TextDecoder().decode(canonicalBytes(receipt.file.receipt as unknown as Json))
      for (const [value] of published.matchAll(/0x[0-9a-f]{16,}/g)) {
        if (allowed.has(value)) continue
        assert.ok(!everything.includes(Buffer.from(value.slice(2), 'hex')), `${value} is in the receipt and at the relay`)
        assert.ok(!everything.includes(value.slice(2)), `${value} is in the receipt and at the relay`)
      }
    }
  })

  it('never holds two chunks of one stream under one counter', () => {
    const seen = new Map<string, string>()
    for (const { stream, counter, bytes } of chunksOf(log)) {
      const known = seen.get(`${stream}#${counter}`)
      assert.ok(known === undefined || known === bytes, `${stream} chunk ${counter}`)
      seen.set(`${stream}#${counter}`, bytes)
    }
    assert.ok(seen.size > 100)
  })

  it('leaves the dispatcher with the model and one-time values: no payer, no prompt, no session of a receipt', () => {
    assert.equal(dispatcherSaw.length > 0, true)
    const asks = dispatcherSaw
      .filter((bytes) => bytes.length > 2)
      .map((bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, string>)
    assert.ok(asks.length >= conversations.length)
    for (const ask of asks) assert.deepEqual(Object.keys(ask).toSorted(), ['client', 'model', 'session'])
    assert.equal(new Set(asks.map(({ session }) => session)).size, asks.length, 'each request has its own name')
    assert.equal(new Set(asks.map(({ client }) => client)).size, asks.length, 'each request has its own nonce')
    assert.ok(
      asks.some(({ model }) => model === conversations[0]?.quoteModel),
      'the model is what it needs, and sees',
    )
    for (const { receipt, prompt } of conversations) {
      const { session, job, ordered, delivered } = receipt.file.receipt.document
      const channel = world.store.channel(receipt.file.receipt.document.worker, receipt.file.receipt.document.model)?.id ?? ''
      for (const value of [world.client.payer, session, job, ordered.request, delivered.inputCommitment, receipt.id, channel])
        assert.deepEqual(findIn(dispatcherSaw, Buffer.from(value.slice(2), 'hex')), [])
      assert.ok(!dispatcherSaw.some((bytes) => Buffer.from(bytes).includes(prompt)))
    }
    // Neither can it be tied to what the relay saw.
    for (const { session, client } of asks)
      for (const value of [session, client]) assert.deepEqual(findIn(log.everything, Buffer.from((value ?? '').slice(2), 'hex')), [])
  })

  it('leaves the chain with locks and sums: no request, session, commitment or text', () => {
    assert.ok(chainSaw.length > 5)
    for (const { receipt, prompt, text } of conversations) {
      const { session, job, ordered, delivered, payment } = receipt.file.receipt.document
      for (const value of [
        session,
        job,
        ordered.request,
        delivered.inputCommitment,
        delivered.outputCommitment,
        payment.voucherCommitment,
        receipt.id,
      ])
        assert.deepEqual(findIn(chainSaw, Buffer.from(value.slice(2), 'hex')), [], 'the chain holds it')
      for (const secret of [prompt, text.slice(0, 12)])
        for (const form of [secret, Buffer.from(secret).toString('hex')])
          assert.ok(!chainSaw.some((bytes) => Buffer.from(bytes).includes(form)))
    }
    // Teeth: the payer of a lock is public.
    assert.notDeepEqual(findIn(chainSaw, Buffer.from(world.client.payer.slice(2), 'hex')), [])
    assert.ok(world.store.channels().length > 0)
  })

  it('leaves the holder of a receipt with nothing to compare guesses with, the right one among them', () => {
    const candidates = parseDigits(gunzipSync(readFileSync(join(zooDirectory, 'data/digits/digits.csv.gz'))).toString('utf8')).map(
      (candidate, index) => ({
        name: `digit ${index}`,
        encodings: [
          ...encodePixels([...candidate.pixels], 'x'),
          canonicalBytes({
            kind: 'tensors',
            tensors: [{ name: 'x', type: 'f32', shape: [1, 64], data: toHex(new Uint8Array(digitInput(candidate).buffer)) }],
          }),
          utf8(String(candidate.label)),
        ],
      }),
    )
    const published = JSON.parse(new TextDecoder().decode(encodeReceiptFile(digitReceipt.file))) as Json
    assert.deepEqual(findMatches(published, candidates.slice(1100, 1400)), [])
  })
})

async function recordingProxy(upstream: string, saw: Uint8Array[]): Promise<HttpServer> {
  return serveHttp({
    routes: {
      'GET /v1/models': async () => ({ json: await fetchJson(`${upstream}/v1/models`, { maxBytes: 4 << 20 }) }),
      'POST /v1/recommend': async ({ body }) => {
        saw.push(Uint8Array.from(body))
        return { json: await fetchJson(`${upstream}/v1/recommend`, { body: JSON.parse(Buffer.from(body).toString('utf8')) }) }
      },
    },
  })
}
