// What the dispatcher of a local network offers to those who join: cards that the registry confirms, and the faucet.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTransactionSender, deriveModelId, fetchGasBalance, fetchTokenBalance } from '@tacit/chain'
import { type EmbeddedChain, startEmbeddedChain } from '@tacit/chain/embedded'
import { fetchJson } from '@tacit/network'
import { cardHash, type ModelCard, modelRoot, parseAddress, parseBytes32 } from '@tacit/protocol'
import { loadZoo } from '../src/node/local-network/zoo.ts'
import { ensureGas, publishCard } from '../src/node/enrolment.ts'
import { openKeyFile } from '../src/node/key-file.ts'
import { loadFastSignatures } from '../src/node/fast-signatures.ts'
import type { Role } from '../src/node/roles/role-host.ts'
import { startDispatcherRole } from '../src/node/roles/dispatcher-role.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'tacit-services-'))
let chain: EmbeddedChain
let role: Role
let url = ''
const card: ModelCard = {
  type: 'tacit-model-card/1',
  name: 'somebodys',
  description: '',
  kind: 'language',
  format: 'gguf',
  sizeBytes: 1,
  commitments: { artifact: parseBytes32(`0x${'5a'.repeat(32)}`), q8: null, proof: null, fhe: null },
  contextTokens: 64,
  inputs: [],
  outputs: [],
  labels: [],
  inputDivisor: 1,
  notice: '',
  licence: '',
}

before(async () => {
  chain = await startEmbeddedChain({ dataDir })
  const owner = createTransactionSender(chain.connection, chain.keys.owner)
  await ensureGas(owner, openKeyFile(join(dataDir, 'dispatcher.key'), await loadFastSignatures()).address)
  const listen = { host: '127.0.0.1', port: 0, exposeBeyondLoopback: false }
  const base = { chainUrl: chain.url, deployment: chain.deployment, relayUrl: 'ws://127.0.0.1:1', dataDir, listen }
  role = await startDispatcherRole({ role: 'dispatcher', ...base, faucet: true, models: [] }, (event) => {
    if (event.event === 'ready') url = event.url ?? ''
  })
})
after(async () => {
  await role.stop()
  await chain.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('the cards of a dispatcher', () => {
  it('show what the registry confirms, whoever hands it in, and nothing else', async () => {
    const owner = createTransactionSender(chain.connection, chain.keys.owner)
    const offer = (body: unknown) => fetchJson(`${url}/v1/models`, { body })
    const id = deriveModelId(owner.address, modelRoot(card.commitments), cardHash(card))
    await assert.rejects(offer({ id, card }), { code: 'network.bad-status', status: 409 })
    assert.equal(await publishCard(owner, card), id)
    for (const forged of [
      { ...card, description: 'better' },
      { ...card, commitments: { ...card.commitments, q8: card.commitments.artifact } },
    ])
      await assert.rejects(offer({ id, card: forged }), { code: 'network.bad-status', status: 409 })
    for (const garbage of [{}, { id }, { id, card: null }, { id, card, more: 1 }, 'x'])
      await assert.rejects(offer(garbage), { code: 'network.bad-status', status: 400 })
    assert.deepEqual(await fetchJson(`${url}/v1/models`), [])
    await offer({ id, card })
    await offer({ id, card })
    const shown = (await fetchJson(`${url}/v1/models`)) as readonly { readonly id: string; readonly card: { readonly name: string } }[]
    assert.deepEqual(
      shown.map((entry) => [entry.id, entry.card.name]),
      [[id, 'somebodys']],
    )
  })

  it('publishes no model twice', async () => {
    const owner = createTransactionSender(chain.connection, chain.keys.owner)
    const first = loadZoo()[0]?.card ?? card
    assert.equal(await publishCard(owner, first), await publishCard(owner, first))
  })
})

describe('the faucet of a local network', () => {
  it('gives gas and tokens to somebody who has nothing, once in its time, and refuses garbage', async () => {
    const recipient = parseAddress(`0x${'77'.repeat(20)}`)
    const ask = (address: unknown) => fetchJson(`${url}/v1/faucet`, { body: { address } })
    await ask(recipient)
    assert.ok((await fetchGasBalance(chain.connection, recipient)) > 0n)
    assert.ok((await fetchTokenBalance(chain.connection, recipient)) > 0n)
    await assert.rejects(ask(recipient), { code: 'network.bad-status', status: 429 })
    for (const garbage of ['', '0x12', null, 5]) await assert.rejects(ask(garbage), { code: 'network.bad-status', status: 400 })
  })
})
