// Relays and workers are killed while an answer streams. In everything that the relays saw, no two different chunks stand under
// one key and nonce: what is sent again is the same ciphertext, byte for byte.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTransactionSender } from '@tacit/chain'
import { TacitClient } from '@tacit/client'
import type { Dialer } from '@tacit/network'
import { createNodeDialer } from '@tacit/network/node'
import { openKeyFile } from '@tacit/node/node'
import { nodeAead } from '@tacit/session/node'
import { chat, startTestNetwork, type TestNetwork } from '../e2e/network.ts'
import { chunksOf, readRelayLog, type SeenChunk } from './relay-log.ts'

const relayKills = 3
/** What the relay forwards in this time before it dies is lost on the way to the client, so that it must be sent again. */
const lossMs = 150

describe('a stream that is resumed again and again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tacit-resume-'))
  const recordRelayTo = join(folder, 'relay.jsonl')
  let world: TestNetwork
  let resumed = 0
  let restarted = 0
  let kills = 0
  let chunks: readonly SeenChunk[]

  before(async () => {
    world = await startTestNetwork({ workers: 2, redeemSeconds: 3600, recordRelayTo })
    await killRelayWhileStreaming()
    await killWorkerWhileStreaming()
    await world.network.restartRelay() // ends the relay's file
    chunks = chunksOf(readRelayLog(recordRelayTo))
  })
  after(async () => {
    await world?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  function clientOnLossyLink(link: { loses: boolean }): TacitClient {
    const { network } = world
    const payer = openKeyFile(join(world.dataDir, 'client', 'wallet.key'), network.signatures)
    return new TacitClient({
      network: network.description,
      chain: network.connection,
      payer,
      sender: createTransactionSender(network.connection, payer),
      store: world.store,
      dialer: lossyDialer(createNodeDialer(), link),
      random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
      signatures: network.signatures,
      aead: nodeAead,
      now: () => Math.floor(Date.now() / 1000),
    })
  }

  async function killRelayWhileStreaming(): Promise<void> {
    const link = { loses: false }
    await using client = clientOnLossyLink(link)
    let outputs = 0
    let next = 5
    for await (const event of client.infer(chat('Tell me a tale.', 1500))) {
      if (event.type === 'resumed') resumed++
      if (event.type === 'receipt') assert.equal(event.verification.exitCode, 0)
      if (event.type !== 'output' || ++outputs < next || kills === relayKills) continue
      kills++
      next = outputs + 40
      link.loses = true
      await new Promise((resolve) => setTimeout(resolve, lossMs))
      process.kill(world.network.relay.pid, 'SIGKILL')
      await world.network.restartRelay()
      link.loses = false
    }
  }

  async function killWorkerWhileStreaming(): Promise<void> {
    let current = ''
    for await (const event of world.client.infer(chat('Tell me a tale.', 300))) {
      if (event.type === 'worker') current = event.worker
      if (event.type === 'restarted') restarted++
      if (event.type !== 'output' || restarted > 0) continue
      const worker = world.network.workers.find(({ address }) => address === current)
      if (worker !== undefined) process.kill(worker.pid, 'SIGKILL')
    }
    for (const index of world.network.workers.keys()) await world.network.restartWorker(index)
  }

  it('was broken and resumed, and came to its end', () => {
    assert.equal(kills, relayKills)
    assert.ok(resumed >= relayKills, `${resumed} times resumed`)
    assert.equal(restarted, 1)
  })

  it('never shows two chunks of one stream under one counter', () => {
    const seen = new Map<string, string>()
    for (const { stream, counter, bytes } of chunks) {
      const known = seen.get(`${stream}#${counter}`)
      assert.ok(known === undefined || known === bytes, `${stream} has two chunks ${counter}`)
      seen.set(`${stream}#${counter}`, bytes)
    }
    assert.ok(seen.size > 100, `${seen.size} chunks`)
    console.log(`${chunks.length} chunks in the relays' records, ${seen.size} different, ${resumed} resumes`)
  })

  it('sends stored ciphertext again: some chunks were seen more than once, byte for byte the same', () => {
    const times = new Map<string, number>()
    for (const { stream, counter, bytes } of chunks)
      times.set(`${stream}#${counter}#${bytes}`, (times.get(`${stream}#${counter}#${bytes}`) ?? 0) + 1)
    assert.ok([...times.values()].some((count) => count > 1))
  })

  it('never repeats a ciphertext in another place', () => {
    const places = new Map<string, string>()
    for (const { stream, counter, bytes } of chunks) {
      const body = bytes.slice(10) // without marker and counter
      const place = `${stream}#${counter}`
      assert.equal(places.get(body) ?? place, place, 'the same ciphertext in two places')
      places.set(body, place)
    }
  })
})

function lossyDialer(dialer: Dialer, link: { readonly loses: boolean }): Dialer {
  return {
    async dial(address, options) {
      const channel = await dialer.dial(address, options)
      return {
        remote: channel.remote,
        maxMessageBytes: channel.maxMessageBytes,
        closed: channel.closed,
        send: (message, sendOptions) => channel.send(message, sendOptions),
        receive: async function* (receiveOptions) {
          // Once a message is lost, so is everything after it: the order of what arrives is kept.
          let broken = false
          for await (const message of channel.receive(receiveOptions)) {
            broken ||= link.loses
            if (!broken) yield message
          }
        },
        close: (reason) => channel.close(reason),
        [Symbol.asyncDispose]: () => channel.close(),
      }
    },
  }
}
