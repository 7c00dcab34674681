import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseAddress } from '@tacit/protocol'
import {
  connectChain,
  createTransactionSender,
  defaultParameters,
  deployContracts,
  deploymentSchema,
  drainWorker,
  dripTo,
  fetchEligibility,
  fetchGasBalance,
  fetchModel,
  fetchModelIds,
  fetchParameters,
  fetchStake,
  fetchStakerIds,
  fetchTokenBalance,
  fetchTreasury,
  fetchWorker,
  fetchWorkerIds,
  publishModel,
  registerWorker,
  repriceModel,
  requestUnstake,
  resumeWorker,
  retireModel,
  setWorkerAllowed,
  setWorkerProfile,
  stakeFor,
  TransactionRevertedError,
  withdrawStake,
} from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { fundedSender, randomSigner, randomWord, startTemporaryChain, token, warp } from './support/local-chain.ts'

const reverts = (reason: string) => (error: unknown) => error instanceof TransactionRevertedError && error.reason === reason
const profile = { endpoint: 'ws://127.0.0.1:1', region: 'local', capacity: 2 }
const terms = { pricePerStepWei: 3n, minStakeWei: 1_500n * token, ownerBps: 100 }

describe('registries', () => {
  let chain: EmbeddedChain
  before(async () => {
    chain = await startTemporaryChain()
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const publication = () => ({
    ...terms,
    commitmentsRoot: randomWord(),
    manifestHash: randomWord(),
    salt: randomWord(),
    engineClass: 7,
    allowListed: true,
  })

  it('takes a worker through its life, run by an operator with a key of its own', async () => {
    const owner = await fundedSender(chain)
    const operator = await fundedSender(chain)
    const identity = randomSigner()
    const worker = identity.address
    const { modelId } = await publishModel(owner, publication())
    assert.equal(await fetchWorker(chain.connection, worker), undefined)
    await assert.rejects(
      registerWorker(operator, { profile, identity: { ...randomSigner(), address: worker } }),
      reverts('IdentityConsentMissing'),
    )
    await registerWorker(operator, { profile, identity })
    assert.ok((await fetchWorkerIds(chain.connection)).includes(worker))
    const stake = { worker, modelId, amountWei: 1_500n * token }
    await assert.rejects(stakeFor(operator, stake), reverts('ModelNotOpen'))
    await setWorkerAllowed(owner, modelId, { worker, allowed: true })
    await stakeFor(operator, stake)
    assert.equal(await fetchEligibility(chain.connection, worker, modelId), true)
    const free = await fundedSender(chain)
    await registerWorker(free, { profile })
    assert.deepEqual(await fetchStakerIds(chain.connection, modelId), [worker], 'registering alone gets nobody on the list')
    assert.deepEqual(await fetchStakerIds(chain.connection, modelId, { offset: 1 }), [])
    await setWorkerProfile(operator, worker, { ...profile, capacity: 9 })
    await drainWorker(operator, worker)
    assert.equal(await fetchEligibility(chain.connection, worker, modelId), false)
    const drained = (await fetchWorker(chain.connection, worker)) ?? assert.fail()
    assert.deepEqual([drained.status, drained.capacity, drained.operator], ['draining', 9, operator.address])
    await resumeWorker(operator, worker)
    await requestUnstake(operator, { ...stake, amountWei: 500n * token })
    assert.equal(await fetchEligibility(chain.connection, worker, modelId), false)
    const { stakedWei, thawingWei } = await fetchStake(chain.connection, worker, modelId)
    assert.deepEqual([stakedWei, thawingWei], [1_000n * token, 500n * token])
    await assert.rejects(withdrawStake(operator, { worker, modelId, to: operator.address }), reverts('StillThawing'))
    await requestUnstake(operator, { ...stake, amountWei: 1n })
    assert.deepEqual(await fetchStakerIds(chain.connection, modelId), [], 'thawing stake keeps nobody on it')
    await warp(chain.connection, defaultParameters.stakeThawSeconds + 1)
    const before = await fetchTokenBalance(chain.connection, operator.address)
    await withdrawStake(operator, { worker, modelId, to: operator.address })
    assert.equal((await fetchTokenBalance(chain.connection, operator.address)) - before, 500n * token + 1n)
  })

  it('keeps models as their owners published them', async () => {
    const owner = await fundedSender(chain)
    const first = publication()
    const { modelId } = await publishModel(owner, first)
    const { modelId: second } = await publishModel(owner, { ...publication(), previous: modelId })
    const ids = await fetchModelIds(chain.connection)
    assert.deepEqual(ids.slice(-2), [modelId, second])
    assert.equal((await fetchModel(chain.connection, second))?.version, 2)
    await repriceModel(owner, modelId, { ...terms, pricePerStepWei: 8n })
    await retireModel(owner, modelId)
    const { salt: _, ...stated } = first
    const expected = { ...stated, modelId, owner: owner.address, status: 'retired', version: 1, pricePerStepWei: 8n }
    assert.deepEqual(await fetchModel(chain.connection, modelId), expected)
    await assert.rejects(publishModel(owner, first), reverts('ModelExists'))
    await assert.rejects(retireModel(await fundedSender(chain), second), reverts('NotModelOwner'))
    await assert.rejects(publishModel(owner, { ...publication(), ownerBps: 5_001 }), reverts('OwnerShareTooHigh'))
    assert.equal(await fetchModel(chain.connection, second.replace(/.{4}$/, '0000') as typeof second), undefined)
  })

  it('starts with the stated parameters and the owner as treasury', async () => {
    assert.deepEqual(await fetchParameters(chain.connection), defaultParameters)
    assert.equal(await fetchTreasury(chain.connection), chain.keys.owner.address)
  })

  it('serves each recipient of the faucet once a minute', async () => {
    const faucet = createTransactionSender(chain.connection, chain.keys.faucet)
    const to = randomSigner().address
    await dripTo(faucet, to)
    assert.equal(await fetchTokenBalance(chain.connection, to), 10_000n * token)
    assert.equal(await fetchGasBalance(chain.connection, to), token)
    await assert.rejects(dripTo(faucet, to), reverts('CoolingDown'))
  })

  it('deploys a second network without a faucet, whose contracts do not mix with the first', async () => {
    const { url, chainId, connection } = chain
    const deployment = await deployContracts({ url, chainId, client: connection.client }, { owner: chain.keys.owner, profile: 'public' })
    assert.equal(deployment.contracts.faucet, null)
    assert.deepEqual(deploymentSchema(JSON.parse(JSON.stringify(deployment)), 'deployment'), deployment)
    const second = await connectChain(url, { deployment })
    assert.deepEqual(await fetchWorkerIds(second), [])
    await assert.rejects(dripTo(createTransactionSender(second, chain.keys.faucet), randomSigner().address), {
      code: 'chain.deployment-missing',
    })
  })

  it('refuses a deployment that is not there, and another chain', async () => {
    const nowhere = parseAddress(`0x${'11'.repeat(20)}`)
    const { deployment } = chain
    const missing = { ...deployment, contracts: { ...deployment.contracts, paymentPool: nowhere } }
    await assert.rejects(connectChain(chain.url, { deployment: missing }), { code: 'chain.deployment-missing' })
    await assert.rejects(connectChain(chain.url, { deployment: { ...deployment, chainId: '1' } }), { code: 'chain.wrong-chain' })
  })
})
