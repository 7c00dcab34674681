// What can be missing or lying around a request: money, the chain, the dispatcher. Each has a name, and none costs anything.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTransactionSender, dripTo, fetchFreeBalance } from '@tacit/chain'
import { type EmbeddedChain, startEmbeddedChain } from '@tacit/chain/embedded'
import { chooseWorkers, type InferEvent, MemoryClientStore, type NetworkDescription, TacitClient } from '@tacit/client'
import { fetchJson } from '@tacit/network'
import { createNodeDialer, type HttpServer, serveHttp } from '@tacit/network/node'
import { openKeyFile } from '@tacit/node/node'
import {
  createSigner,
  noScope,
  parseBytes32,
  parseSessionId,
  type Recommendation,
  type Signed,
  type Signer,
  signDocument,
  toHex,
} from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'
import { chat, collect, startTestNetwork, type TestNetwork } from './network.ts'

const random = (sizeBytes: number): Uint8Array => Uint8Array.from(randomBytes(sizeBytes))
const now = (): number => Math.floor(Date.now() / 1000)

describe('a network in which something is missing or lies', () => {
  let world: TestNetwork
  let chainAgain: EmbeddedChain | undefined
  before(async () => {
    world = await startTestNetwork({ redeemSeconds: 3600 })
  })
  after(async () => {
    await world?.[Symbol.asyncDispose]()
    await chainAgain?.stop()
  })

  const modelId = (): Recommendation['model'] => world.network.models.find(({ card }) => card.name === 'babble')?.id ?? assert.fail()

  function clientFor(payer: Signer, description: NetworkDescription = world.network.description): TacitClient {
    const { network } = world
    return new TacitClient({
      network: description,
      chain: network.connection,
      payer,
      sender: createTransactionSender(network.connection, payer),
      store: new MemoryClientStore(),
      dialer: createNodeDialer(),
      random,
      signatures: network.signatures,
      aead: nodeAead,
      now,
    })
  }

  const choose = (description: NetworkDescription): ReturnType<typeof chooseWorkers> =>
    chooseWorkers(world.network.connection, description, {
      model: modelId(),
      sessionSalt: parseBytes32(toHex(random(32))),
      clientNonce: parseBytes32(toHex(random(32))),
      now: now(),
    })

  it('says that the pool is empty before anything is locked or sent', async () => {
    const payer = openKeyFile(join(world.dataDir, 'poor', 'wallet.key'), world.network.signatures)
    await dripTo(createTransactionSender(world.network.connection, world.network.chain.keys.faucet), payer.address)
    const events: string[] = []
    await assert.rejects(
      async () => {
        for await (const event of clientFor(payer).infer({ ...chat('hi'), streamMode: 'immediate' })) events.push(event.type)
      },
      { code: 'client.pool-empty' },
    )
    assert.ok(!events.includes('started'))
    assert.equal(await fetchFreeBalance(world.network.connection, payer.address), 0n)
  })

  it('takes the workers from the chain when the dispatcher is down', async () => {
    const gone: HttpServer = await serveHttp({ routes: {} })
    await gone.close()
    const description = { ...world.network.description, dispatcherUrl: gone.url }
    const choice = await choose(description)
    assert.equal(choice.recommendation, null)
    assert.ok(choice.note !== null && choice.note !== '')
    assert.equal(choice.ranking.length, 2)
    const payer = openKeyFile(join(world.dataDir, 'client', 'wallet.key'), world.network.signatures)
    await using client = clientFor(payer, description)
    const { receipt, text } = await collect(client.infer({ ...chat('hi', 8), model: modelId(), streamMode: 'immediate' }))
    assert.equal(receipt?.verification.exitCode, 0)
    assert.ok(text.length > 0)
  })

  it('follows an honest recommendation', async () => {
    const choice = await choose(world.network.description)
    assert.equal(choice.note, null)
    assert.equal(choice.recommendation?.document.ranking.length, 2)
  })

  it('ignores a dispatcher that lies, says why, and goes on without it', async () => {
    const { description, signatures } = world.network
    const liar = createSigner(random(32), signatures)
    const domain = { chainId: world.network.connection.chainId, contract: description.deployment.contracts.paymentPool }
    const resign = (document: Recommendation): Signed<Recommendation> => signDocument('Recommendation', document, noScope, domain, liar)
    const other = toHex(random(32))
    const lies: readonly (readonly [string, (honest: Signed<Recommendation>) => unknown, Signer | undefined])[] = [
      ['its ranking is another one', ({ document }) => resign({ ...document, ranking: document.ranking.toReversed() }), liar],
      ['it leaves the best worker out of its ranking', ({ document }) => resign({ ...document, ranking: document.ranking.slice(1) }), liar],
      ['it is for another session', ({ document }) => resign({ ...document, session: parseSessionId(other) }), liar],
      ['it is for another client', ({ document }) => resign({ ...document, client: parseBytes32(other) }), liar],
      ['it is for another chain', ({ document }) => resign({ ...document, chainId: '1' }), liar],
      ['it has expired', ({ document }) => resign({ ...document, expiresAt: now() - 1 }), liar],
      ['somebody else signed it', ({ document }) => resign(document), undefined],
      [
        'a number was changed after it was signed',
        ({ document, signature }) => ({ document: { ...document, block: '1' }, signature }),
        undefined,
      ],
      ['it is no recommendation', () => ({ hello: 'world' }), undefined],
      ['it is nothing', () => null, undefined],
    ]
    for (const [name, lie, signer] of lies) {
      const proxy = await serveHttp({
        routes: {
          'POST /v1/recommend': async ({ body }) => {
            const honest = await fetchJson(`${description.dispatcherUrl}/v1/recommend`, {
              body: JSON.parse(Buffer.from(body).toString('utf8')),
            })
            return { json: lie(honest as Signed<Recommendation>) }
          },
        },
      })
      const choice = await choose({ ...description, dispatcherUrl: proxy.url, dispatcher: signer?.address ?? description.dispatcher })
      await proxy.close()
      assert.equal(choice.recommendation, null, name)
      assert.ok(choice.note !== null && choice.note !== '', name)
      assert.equal(choice.ranking.length, 2, name)
    }
  })

  // The last test: it takes the chain away from everybody and brings it back.
  it('works on within the lock while the chain is stopped, and with receipts again when it is back', async () => {
    const { network, client } = world
    const worker = network.workers[0]?.address
    assert.ok(worker !== undefined)
    const request = { ...chat('Tell me a tale.', 40), worker, streamMode: 'immediate' } as const
    assert.equal((await collect(client.infer(request))).receipt?.verification.exitCode, 0)
    await network.chain.stop()
    const seen: InferEvent[] = []
    for await (const event of client.infer(request)) seen.push(event)
    // The answer came, signed and paid; its receipt is kept although the chain cannot say anything about it now.
    const kept = seen.find((event) => event.type === 'receipt')
    assert.ok(kept?.type === 'receipt' && kept.checkpoint === null)
    assert.equal(kept.verification.exitCode, 2)
    assert.deepEqual(world.store.findReceipt(kept.id), kept.file)
    assert.ok(seen.filter((event) => event.type === 'output').length > 10)
    chainAgain = await startEmbeddedChain({ dataDir: world.dataDir, port: network.chain.port })
    assert.ok(chainAgain.isRestored)
    const { receipt } = await collect(client.infer(request))
    assert.equal(receipt?.verification.exitCode, 0)
    for (const [index] of network.workers.entries()) await network.restartWorker(index)
  })
})
