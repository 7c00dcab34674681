// What must stand on chain before a worker can be paid: published models, a registration, stake per model.
import {
  deriveModelId,
  dripTo,
  ensureAllowance,
  fetchEligibility,
  fetchGasBalance,
  fetchModel,
  fetchWorker,
  publishModel,
  registerWorker,
  resumeWorker,
  setWorkerProfile,
  stakeFor,
  type TransactionSender,
  type WorkerProfile,
} from '@tacit/chain'
import { cardHash, type ModelCard, type ModelId, modelRoot, parseBytes32, type Signer } from '@tacit/protocol'

const token = 10n ** 18n
const minStakeWei = 1_000n * token
/** A step of a local model costs a thousandth of a token. */
const stepPriceWei = token / 1000n
const engineClasses = { gguf: 1, onnx: 2, ollama: 3 } as const

/**
 * Publishes a model under the sender's account, unless that is done.
 * @returns its id.
 */
export async function publishCard(owner: TransactionSender, card: ModelCard): Promise<ModelId> {
  const root = modelRoot(card.commitments)
  const hash = cardHash(card)
  // The card is part of the salt: a model whose card changed is published anew.
  const salt = parseBytes32(hash)
  const id = deriveModelId(owner.address, root, salt)
  if ((await fetchModel(owner.connection, id)) !== undefined) return id
  await publishModel(owner, {
    commitmentsRoot: root,
    manifestHash: hash,
    salt,
    pricePerStepWei: stepPriceWei,
    minStakeWei,
    engineClass: engineClasses[card.format],
    ownerBps: 2_000,
    allowListed: false,
  })
  return id
}

export type Enrolment = {
  readonly models: readonly ModelId[]
  readonly profile: WorkerProfile
  /** Staked for each model for which the worker is not eligible yet. */
  readonly stakeWei: (model: ModelId) => Promise<bigint> | bigint
}

/** Registers a worker that `operator` runs and stakes for each model, as far as that is not done yet. */
export async function enrolWorker(operator: TransactionSender, identity: Signer, { models, profile, stakeWei }: Enrolment): Promise<void> {
  const { connection } = operator
  const known = await fetchWorker(connection, identity.address)
  if (known === undefined) await registerWorker(operator, { profile, identity })
  else {
    if (known.endpoint !== profile.endpoint || known.capacity !== profile.capacity)
      await setWorkerProfile(operator, identity.address, profile)
    if (known.status === 'draining') await resumeWorker(operator, identity.address)
  }
  const stakes = await Promise.all(
    models.map(async (modelId) => {
      const isDone = await fetchEligibility(connection, identity.address, modelId)
      return { modelId, amountWei: isDone ? 0n : await stakeWei(modelId) }
    }),
  )
  const open = stakes.filter(({ amountWei }) => amountWei > 0n)
  // One allowance for all of them: side by side they would overwrite each other's.
  const totalWei = open.reduce((sum, { amountWei }) => sum + amountWei, 0n)
  if (totalWei > 0n) await ensureAllowance(operator, connection.deployment.contracts.workerRegistry, totalWei)
  await Promise.all(open.map((stake) => stakeFor(operator, { worker: identity.address, ...stake })))
}

/** Gives an account of a local network gas, when it has none. */
export async function ensureGas(from: TransactionSender, account: Signer['address']): Promise<void> {
  if ((await fetchGasBalance(from.connection, account)) === 0n) await dripTo(from, account)
}
