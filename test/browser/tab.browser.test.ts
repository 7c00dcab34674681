// Both roles in a tab: a client that pays, infers and verifies, and a worker that serves.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { createTransactionSender, depositToPool, dripTo, fetchChannel, fetchModel } from '@tacit/chain'
import { digitInput, parseDigits, splitDigits } from '@tacit/model'
import { enrolWorker, loadZoo, zooDirectory } from '@tacit/node/node'
import { createSigner, type Hex, modelRoot, parseHex, toHex } from '@tacit/protocol'
import { collect, startTestNetwork, type TestNetwork } from '../e2e/network.ts'
import { type OpenedPage, openPage } from './open-page.ts'
import type { ClientConfig, PageApi, WorkerConfig } from './page.ts'

const token = 10n ** 18n
const digits = splitDigits(parseDigits(gunzipSync(readFileSync(join(zooDirectory, 'data/digits/digits.csv.gz'))).toString('utf8'))).heldOut

describe('in a tab', () => {
  let world: TestNetwork
  let opened: OpenedPage

  before(async () => {
    world = await startTestNetwork({ workers: 1, redeemSeconds: 3600 })
    const { description } = world.network
    const file = loadZoo().find(({ card }) => card.name === 'digits')
    opened = await openPage({
      chainUrl: description.chainUrl,
      dispatcherUrl: description.dispatcherUrl ?? '',
      files: { 'digits.onnx': file?.path ?? '' },
    })
  })
  after(async () => {
    await opened?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  // The functions below are sent to the page as text: they see the page's globals and their one argument.
  const inPage = {
    client: (config: ClientConfig) =>
      opened.page.evaluate((argument) => (globalThis as unknown as { tacit: PageApi }).tacit.runClient(argument), config),
    startWorker: (config: WorkerConfig) =>
      opened.page.evaluate((argument) => (globalThis as unknown as { tacit: PageApi }).tacit.startWorker(argument), config),
    redeem: () => opened.page.evaluate(() => (globalThis as unknown as { tacit: PageApi }).tacit.redeem()),
    jobs: () => opened.page.evaluate(() => (globalThis as unknown as { tacit: PageApi }).tacit.jobs()),
    stopWorker: () => opened.page.evaluate(() => (globalThis as unknown as { tacit: PageApi }).tacit.stopWorker()),
    measure: () => opened.page.evaluate(() => (globalThis as unknown as { tacit: PageApi }).tacit.measureVoucherCheck()),
  }

  it('runs the client: lock, sealed session, answer, receipt verified against a checkpoint', async () => {
    const { network } = world
    const payerKey = toHex(randomBytes(32))
    const payer = createSigner(parseHex(payerKey, 'A key', 32), network.signatures)
    await dripTo(createTransactionSender(network.connection, network.chain.keys.owner), payer.address)
    await depositToPool(createTransactionSender(network.connection, payer), { amountWei: 5n * token })
    const digit = digits[3]
    assert.ok(digit !== undefined)
    const result = await inPage.client({
      network: { ...network.description, chainUrl: `${opened.origin}/chain`, dispatcherUrl: opened.origin },
      payerKey,
      model: 'digits',
      pixels: toHex(new Uint8Array(digitInput(digit).buffer)),
    })
    assert.equal(result.logits.indexOf(Math.max(...result.logits)), digit.label)
    assert.equal(result.verification, 0)
    assert.equal(result.withoutCheckpoint, 2)
    assert.equal(result.tampered, 1)
    assert.ok(result.viaDispatcher)
    console.log(
      `client in a tab: ${(opened.bundleBytes / 1024).toFixed(0)} KiB of script, first answer with lock ${result.answerMs.toFixed(0)} ms`,
    )
  })

  it('runs the worker: serves a client outside, gets its voucher redeemed', async () => {
    const { network } = world
    const model = network.models.find(({ card }) => card.name === 'digits')
    assert.ok(model !== undefined)
    const identityKey: Hex = toHex(randomBytes(32))
    const identity = createSigner(parseHex(identityKey, 'A key', 32), network.signatures)
    const owner = createTransactionSender(network.connection, network.chain.keys.owner)
    await dripTo(owner, identity.address)
    await enrolWorker(owner, identity, {
      models: [model.id],
      profile: { endpoint: network.description.relayUrl, region: 'local', capacity: 2 },
      stakeWei: () => 2_000n * token,
    })
    const stepPrice = (await fetchModel(network.connection, model.id))?.pricePerStepWei ?? 0n
    const address = await inPage.startWorker({
      chainUrl: `${opened.origin}/chain`,
      deployment: network.description.deployment,
      relayUrl: network.description.relayUrl,
      identityKey,
      model: {
        id: model.id,
        name: 'digits',
        root: modelRoot(model.card.commitments),
        stepPrice: stepPrice.toString(),
        url: '/files/digits.onnx',
      },
    })
    assert.equal(address, identity.address)
    for (const [index, streamMode] of (['paced', 'immediate'] as const).entries()) {
      const digit = digits[10 + index]
      assert.ok(digit !== undefined)
      const data = toHex(new Uint8Array(digitInput(digit).buffer))
      const { events, receipt } = await collect(
        world.client.infer({
          model: 'digits',
          worker: identity.address,
          streamMode,
          input: { kind: 'tensors', tensors: [{ name: 'x', type: 'f32', shape: [1, 64], data }] },
        }),
      )
      assert.equal(receipt?.verification.exitCode, 0)
      assert.equal(receipt?.file.receipt.document.worker, identity.address)
      const output = events.find((event) => event.type === 'output')
      assert.ok(output?.type === 'output' && output.output.kind === 'tensors')
      const logits = [...new Float32Array(parseHex(output.output.tensors[0]?.data ?? '0x', 'The answer').buffer)]
      assert.equal(logits.indexOf(Math.max(...logits)), digit.label)
    }
    assert.deepEqual(await inPage.jobs(), ['receipt', 'receipt'])
    assert.equal(BigInt(await inPage.redeem()), 2n * stepPrice)
    assert.equal(await inPage.redeem(), '0')
    assert.deepEqual(await inPage.jobs(), ['receipt redeemed', 'receipt redeemed'])
    const channel = world.store.channel(identity.address, model.id)
    assert.ok(channel !== undefined)
    assert.equal((await fetchChannel(network.connection, channel.id)).claimedWei, 2n * stepPrice)
    await inPage.stopWorker()
  })

  it('checks vouchers fast enough', async () => {
    const { libauth, noble } = await inPage.measure()
    console.log(`voucher check in a tab: libauth ${libauth.toFixed(3)} ms, noble ${noble.toFixed(3)} ms (medians)`)
    assert.ok(libauth > 0 && libauth < noble)
  })
})
