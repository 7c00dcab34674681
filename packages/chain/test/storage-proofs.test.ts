import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { verifyMerkleProof } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { hexToBytes, keccak256 } from 'viem'
import {
  deriveModelSlots,
  deriveStakeSlot,
  deriveWorkerRegistryLocation,
  deriveWorkerSlot,
  parseHex,
  type RegistrationProof,
  registrationProofSchema,
  toHex,
  unpackModelHead,
  unpackModelTerms,
  unpackStakeSlot,
  unpackWorkerSlot,
} from '@tacit/protocol'
import {
  fetchCheckpoint,
  fetchModel,
  fetchModelProof,
  fetchRegistrationProof,
  fetchStake,
  fetchWorker,
  ProofUnavailableError,
  retireModel,
  workerRegistryAbi,
} from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { randomWord, startTemporaryChain, token, warp } from './support/local-chain.ts'
import { type Market, openMarket } from './support/market.ts'

// An independent, obvious verifier: the one that users rely on is in @tacit/receipt.
async function prove(root: string, key: string, nodes: readonly string[]): Promise<Uint8Array | null> {
  const proof = nodes.map((node) => parseHex(node, 'A node'))
  assert.equal(keccak256(proof[0] ?? new Uint8Array()), root)
  return await verifyMerkleProof(hexToBytes(keccak256(hexToBytes(key as `0x${string}`))), proof)
}

async function readStorageRoot(stateRoot: string, contract: string, accountProof: readonly string[]): Promise<string> {
  const account = await prove(stateRoot, contract, accountProof)
  return toHex((RLP.decode(account ?? new Uint8Array()) as Uint8Array[])[2] ?? new Uint8Array())
}

async function readSlot(storageRoot: string, slot: string, nodes: readonly string[]): Promise<bigint> {
  const value = await prove(storageRoot, slot, nodes)
  return value === null ? 0n : BigInt(toHex(RLP.decode(value) as Uint8Array))
}

async function readProof(proof: RegistrationProof): Promise<{ worker: bigint; stake: bigint; blockHash: string }> {
  const header = RLP.decode(parseHex(proof.blockHeader, 'A header')) as Uint8Array[]
  const storageRoot = await readStorageRoot(toHex(header[3] ?? new Uint8Array()), proof.registry, proof.accountProof)
  return {
    worker: await readSlot(storageRoot, deriveWorkerSlot(proof.worker), proof.workerProof),
    stake: await readSlot(storageRoot, deriveStakeSlot(proof.worker, proof.model), proof.stakeProof),
    blockHash: keccak256(proof.blockHeader),
  }
}

describe('storage proofs', () => {
  let chain: EmbeddedChain
  let market: Market
  before(async () => {
    chain = await startTemporaryChain()
    market = await openMarket(chain)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  it('derives the location that the contract states', async () => {
    const address = chain.deployment.contracts.workerRegistry
    const stated = await chain.connection.client.readContract({ address, abi: workerRegistryAbi, functionName: 'STORAGE_LOCATION' })
    assert.equal(BigInt(stated), deriveWorkerRegistryLocation())
  })

  it('shows identity, status and stake under the hash of the checkpoint', async () => {
    const { worker, modelId } = market
    const proof = await fetchRegistrationProof(chain.connection, { worker: worker.address, model: modelId })
    const { blockHash, ...slots } = await readProof(proof)
    const header = RLP.decode(parseHex(proof.blockHeader, 'A header')) as Uint8Array[]
    const blockNumber = BigInt(toHex(header[8] ?? new Uint8Array()))
    const checkpoint = await fetchCheckpoint(chain.connection, { blockNumber })
    assert.equal(checkpoint.blockHash, blockHash)
    const { endpoint, region, worker: identity, ...registered } = (await fetchWorker(chain.connection, worker.address)) ?? assert.fail()
    assert.deepEqual(unpackWorkerSlot(slots.worker), registered)
    assert.equal(registered.status, 'active')
    assert.deepEqual([identity, region, endpoint], [worker.address, 'local', 'ws://127.0.0.1:1'])
    assert.deepEqual(unpackStakeSlot(slots.stake), await fetchStake(chain.connection, worker.address, modelId))
    assert.equal(unpackStakeSlot(slots.stake).stakedWei, 3_000n * token)
  })

  it('shows what a model was published with, and when it was retired', async () => {
    const { owner, modelId } = market
    const slots = deriveModelSlots(modelId)
    const read = async () => {
      const proof = await fetchModelProof(chain.connection, { model: modelId })
      const header = RLP.decode(parseHex(proof.blockHeader, 'A header')) as Uint8Array[]
      const storageRoot = await readStorageRoot(toHex(header[3] ?? new Uint8Array()), proof.registry, proof.accountProof)
      return {
        head: unpackModelHead(await readSlot(storageRoot, slots.head, proof.headProof)),
        root: await readSlot(storageRoot, slots.root, proof.rootProof),
        terms: unpackModelTerms(await readSlot(storageRoot, slots.terms, proof.termsProof)),
      }
    }
    const published = (await fetchModel(chain.connection, modelId)) ?? assert.fail()
    assert.deepEqual(await read(), {
      head: { owner: owner.address, status: 'active' },
      root: BigInt(published.commitmentsRoot),
      terms: { pricePerStepWei: token, minStakeWei: 2_000n * token },
    })
    await retireModel(owner, modelId)
    assert.equal((await read()).head.status, 'retired')
  })

  it('shows that a stranger is not registered', async () => {
    const proof = await fetchRegistrationProof(chain.connection, { worker: market.client.address, model: market.modelId })
    const { worker, stake } = await readProof(proof)
    assert.deepEqual([worker, stake], [0n, 0n])
  })

  it('can be asked for an earlier block, and says so when there is none', async () => {
    const { worker, modelId } = market
    const early = BigInt(chain.deployment.blockNumber)
    const before = await readProof(
      await fetchRegistrationProof(chain.connection, { worker: worker.address, model: modelId, blockNumber: early }),
    )
    assert.equal(before.worker, 0n)
    const request = fetchRegistrationProof(chain.connection, { worker: worker.address, model: modelId, blockNumber: 10_000_000n })
    await assert.rejects(request, ProofUnavailableError)
  })

  it('still fits after hours of chain time', async () => {
    await warp(chain.connection, 7_200)
    const proof = await fetchRegistrationProof(chain.connection, { worker: market.worker.address, model: market.modelId })
    assert.equal(unpackStakeSlot((await readProof(proof)).stake).stakedWei, 3_000n * token)
  })

  it('parses its own form and refuses every other', async () => {
    const proof = await fetchRegistrationProof(chain.connection, { worker: market.worker.address, model: market.modelId })
    assert.deepEqual(registrationProofSchema(JSON.parse(JSON.stringify(proof)), 'proof'), proof)
    const wrong: readonly unknown[] = [
      null,
      [],
      { ...proof, type: 'tacit-registration/2' },
      { ...proof, extra: 1 },
      { ...proof, chainId: '01' },
      { ...proof, worker: randomWord() },
      { ...proof, blockHeader: `0x${'00'.repeat(3_000)}` },
      { ...proof, accountProof: Array.from({ length: 66 }, () => '0x00') },
      { ...proof, stakeProof: [`0x${'00'.repeat(1_025)}`] },
      Object.fromEntries(Object.entries(proof).slice(1)),
    ]
    for (const value of wrong) assert.throws(() => registrationProofSchema(value, 'proof'), { code: 'protocol.malformed' })
  })
})
