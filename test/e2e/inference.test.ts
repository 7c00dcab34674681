import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { fetchChannel } from '@tacit/chain'
import { compileModel } from '@tacit/compiler'
import { RefusedError } from '@tacit/exchange'
import { digitInput, parseDigits, parseOnnx, splitDigits } from '@tacit/model'
import { loadZoo, zooDirectory } from '@tacit/node/node'
import { deriveTraceKey, type Openings, parseAddress, parseHex, toHex, traceRoot } from '@tacit/protocol'
import { verifyReceipt } from '@tacit/receipt'
import { loadModel } from '@tacit/runtime/node'
import { chat, collect, startTestNetwork, type TestNetwork } from './network.ts'

describe('a local network', () => {
  let world: TestNetwork
  before(async () => {
    world = await startTestNetwork({ redeemSeconds: 3600 })
  })
  after(() => world[Symbol.asyncDispose]())

  it('classifies real handwritten digits and hands out receipts that verify', async () => {
    const digits = splitDigits(
      parseDigits(gunzipSync(readFileSync(join(zooDirectory, 'data/digits/digits.csv.gz'))).toString('utf8')),
    ).heldOut.slice(0, 5)
    let right = 0
    for (const digit of digits) {
      const data = toHex(new Uint8Array(digitInput(digit).buffer))
      const { events, receipt } = await collect(
        world.client.infer({
          model: 'digits',
          streamMode: 'immediate',
          input: { kind: 'tensors', tensors: [{ name: 'x', type: 'f32', shape: [1, 64], data }] },
        }),
      )
      assert.equal(receipt?.verification.exitCode, 0, JSON.stringify(receipt?.verification.lines.filter((line) => line.status !== 'PASS')))
      const output = events.find((event) => event.type === 'output')
      assert.ok(output?.type === 'output' && output.output.kind === 'tensors')
      const logits = [...new Float32Array(Uint8Array.from(Buffer.from(output.output.tensors[0]?.data.slice(2) ?? '', 'hex')).buffer)]
      if (logits.indexOf(Math.max(...logits)) === digit.label) right++
    }
    assert.ok(right >= 4, `${right} of 5 right`)
  })

  it('signs the root of a layer trace that its openings and the model file reproduce', async () => {
    const data = Float32Array.from({ length: 64 }, (_, i) => (i % 17) / 16)
    const tensors = [{ name: 'x', type: 'f32' as const, shape: [1, 64], data: toHex(new Uint8Array(data.slice().buffer)) }]
    const { receipt } = await collect(world.client.infer({ model: 'digits', streamMode: 'immediate', input: { kind: 'tensors', tensors } }))
    const { session, job, delivered } = receipt?.file.receipt.document ?? assert.fail('no receipt')
    const openings = JSON.parse(readFileSync(receipt?.saved.openings ?? '', 'utf8')) as Openings // written by the client
    const key = (side: 'input' | 'output') => parseHex(openings[side]?.frankingKey ?? '0x', 'A franking key', 32)
    const traceKey = deriveTraceKey({ requestKey: key('input'), responseKey: key('output'), session, job })
    const file = loadZoo().find(({ card }) => card.name === 'digits')?.path ?? ''
    const { wasm, manifest } = await compileModel(parseOnnx(Uint8Array.from(readFileSync(file))), { profile: 'f32' })
    await using model = await loadModel(wasm, manifest)
    const { trace } = await model.run({ x: { type: 'f32', shape: [1, 64], data } }, { trace: 'hashes' })
    assert.equal(delivered.traceRoot, traceRoot(trace ?? [], traceKey))
    assert.match(delivered.profile, /engine=sandbox/)
  })

  it('streams words, charges by step, and refuses a stranger checkpoint', async () => {
    const { text, receipt, events } = await collect(world.client.infer({ ...chat('Tell me a tale.', 70), streamMode: 'immediate' }))
    assert.ok(text.length > 20)
    assert.ok(receipt !== undefined)
    assert.equal(receipt.verification.exitCode, 0)
    assert.ok(events.some((event) => event.type === 'notice' && /babbles/.test(event.notice)))
    const answered = events.find((event) => event.type === 'answered')
    assert.ok(answered?.type === 'answered' && answered.price >= 2n * 10n ** 15n, 'more than one step of 32 tokens')
    assert.ok(receipt.checkpoint !== null)
    const other = { ...receipt.checkpoint, chainId: (BigInt(receipt.checkpoint.chainId) + 1n).toString() }
    assert.equal((await verifyReceipt(receipt.file, { checkpoint: other })).exitCode, 1)
    assert.equal((await verifyReceipt(receipt.file, {})).exitCode, 2)
  })

  it('gives the same answer for the same seed, and another session another ciphertext', async () => {
    const first = await collect(world.client.infer({ ...chat('Who are you?', 24), streamMode: 'immediate' }))
    const second = await collect((await world.newClient('second')).infer({ ...chat('Who are you?', 24), streamMode: 'immediate' }))
    assert.equal(first.text, second.text)
    assert.notEqual(first.receipt?.id, second.receipt?.id)
  })

  it('answers requests side by side from a cold start', async () => {
    const client = await world.newClient('cold')
    const answers = await Promise.all(
      [24, 24, 40].map((tokens) => collect(client.infer({ ...chat('Who are you?', tokens), streamMode: 'immediate' }))),
    )
    for (const { receipt } of answers) assert.equal(receipt?.verification.exitCode, 0)
    await client.close()
  })

  it('answers more requests at once than its workers have places', async () => {
    const requests = Array.from({ length: 12 }, (_, index) =>
      collect(world.client.infer({ ...chat(`Tale ${index}`, 40), streamMode: 'immediate' })),
    )
    const results = await Promise.allSettled(requests)
    for (const result of results) {
      if (result.status === 'fulfilled') assert.equal(result.value.receipt?.verification.exitCode, 0)
      else assert.match(String(result.reason), /no free place|every worker/)
    }
    assert.ok(results.filter(({ status }) => status === 'fulfilled').length >= 8, 'as many as there are places are answered')
  })

  it('sends nothing to somebody whom the chain does not know as a worker', async () => {
    const stranger = parseAddress(`0x${'12'.repeat(20)}`)
    await assert.rejects(collect(world.client.infer({ ...chat('hi'), worker: stranger })), { code: 'client.worker-ineligible' })
  })

  it('refuses levels that nobody offers instead of lowering them', async () => {
    const request = { ...chat('hi'), levels: { privacy: 'attested', verification: 'proved' } as const }
    await assert.rejects(
      collect(world.client.infer(request)),
      (error) => error instanceof RefusedError && error.reason === 'level-not-offered',
    )
  })

  it('refuses a prompt that does not fit, names the numbers, and charges nothing', async () => {
    const before = await total(world)
    await assert.rejects(
      collect(world.client.infer({ ...chat('word '.repeat(3000)), streamMode: 'immediate' })),
      (error) => error instanceof RefusedError && error.reason === 'context-exceeded' && /\d+ tokens/.test(error.message),
    )
    assert.equal(await total(world), before)
  })

  it('refuses an unknown model and a tensor for a language model', async () => {
    await assert.rejects(collect(world.client.infer({ ...chat('hi'), model: 'nope' })), { code: 'client.unknown-model' })
    await assert.rejects(
      collect(world.client.infer({ model: 'babble', streamMode: 'immediate', input: { kind: 'tensors', tensors: [] } })),
      (error) => error instanceof RefusedError && error.reason === 'input-mismatch',
    )
  })

  it('keeps to the price limit', async () => {
    await assert.rejects(collect(world.client.infer({ ...chat('hi'), maxPrice: 1n })), { code: 'exchange.quote-rejected' })
  })

  it('resumes a paced stream when the relay dies in the middle of it', async () => {
    let killed = false
    const seen: string[] = []
    let text = ''
    for await (const event of world.client.infer(chat('Tell me a tale.', 120))) {
      seen.push(event.type)
      if (event.type === 'output' && event.output.kind === 'text') text += event.output.text
      if (event.type === 'output' && !killed) {
        killed = true
        process.kill(world.network.relay.pid, 'SIGKILL')
        await world.network.restartRelay()
      }
      if (event.type === 'receipt') assert.equal(event.verification.exitCode, 0)
    }
    assert.ok(seen.includes('resumed'), seen.join(' '))
    assert.ok(seen.includes('receipt'))
    assert.ok(text.length > 60)
  })

  it('goes to another worker when one dies in the middle, and money stays conserved', async () => {
    let killed = false
    const { receipt, events } = await collect(
      (async function* () {
        for await (const event of world.client.infer(chat('Tell me a tale.', 200))) {
          yield event
          if (event.type === 'output' && !killed) {
            killed = true
            const current = world.network.workers.find((worker) => worker.pid === pidOf(world, lastWorker))
            process.kill(current?.pid ?? 0, 'SIGKILL')
          }
          if (event.type === 'worker') lastWorker = event.worker
        }
      })(),
    )
    assert.ok(events.some((event) => event.type === 'restarted'))
    assert.equal(receipt?.verification.exitCode, 0)
  })

  it('redeems exactly what vouchers say, after a restart too', async () => {
    for (const [index] of world.network.workers.entries()) await world.network.restartWorker(index)
    let redeemed = 0n
    for (let tries = 0; tries < 40; tries++) {
      redeemed = 0n
      let signed = 0n
      for (const channel of world.store.channels()) {
        redeemed += (await fetchChannel(world.network.connection, channel.id)).claimedWei
        signed += world.store.ledgers.read(channel.id).signed
      }
      // The worker that was killed may lack the voucher of the step it died in; never more than one step a channel.
      if (redeemed > 0n && signed - redeemed <= 10n ** 15n) return
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    assert.fail(`redeemed ${redeemed}`)
  })
})

let lastWorker = ''

function pidOf(world: TestNetwork, worker: string): number {
  return world.network.workers.find(({ address }) => address === worker)?.pid ?? 0
}

async function total(world: TestNetwork): Promise<bigint> {
  return world.store.channels().reduce((sum, channel) => sum + world.store.ledgers.read(channel.id).committed, 0n)
}
