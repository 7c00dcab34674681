// Puts the contracts on a chain, all at once: addresses follow from the owner's nonces, so nothing waits for anything.
import { type Abi, encodeDeployData, getContractAddress } from 'viem'
import { type Hex, parseAddress, type Signer } from '@tacit/protocol'
import { type ContractCall, encodeCall } from './call.ts'
import type { ChainClient, ChainConnection } from './connection.ts'
import type { DeployedContracts, Deployment } from './deployment.ts'
import { aiConfigAbi, aiConfigBytecode } from './generated/ai-config.ts'
import { faucetAbi, faucetBytecode } from './generated/faucet.ts'
import { modelRegistryAbi, modelRegistryBytecode } from './generated/model-registry.ts'
import { paymentPoolAbi, paymentPoolBytecode } from './generated/payment-pool.ts'
import { proofAnchorsAbi, proofAnchorsBytecode } from './generated/proof-anchors.ts'
import { proofDisputesAbi, proofDisputesBytecode } from './generated/proof-disputes.ts'
import { tacitTokenAbi, tacitTokenBytecode } from './generated/tacit-token.ts'
import { verifierMachineAbi, verifierMachineBytecode } from './generated/verifier-machine.ts'
import { workerRegistryAbi, workerRegistryBytecode } from './generated/worker-registry.ts'
import type { ConfigParameters } from './bindings/ai-config.ts'
import type { DisputeTerms } from './bindings/dispute-reads.ts'
import { createTransactionSender } from './transaction-sender.ts'

/** Who deploys what. */
export type DeployOptions = {
  /** Deploys, owns AIConfig and WorkerRegistry, receives the token supply, and is the treasury until it says otherwise. */
  readonly owner: Signer
  /** `local` adds the faucet. */
  readonly profile: 'local' | 'public'
  readonly parameters?: ConfigParameters
  /** Bonds and time of disputes about layer proofs; they never change. */
  readonly disputes?: DisputeTerms
  readonly signal?: AbortSignal
}

/** The parameters that a new network starts with. */
export const defaultParameters: ConfigParameters = {
  protocolFeeBps: 300,
  maxOwnerBps: 5_000,
  slashRewardBps: 2_000,
  maxSlashBps: 10_000,
  unlockDelaySeconds: 3_600,
  stakeThawSeconds: 2 * 86_400,
  disputeWindowSeconds: 86_400,
  minStakeFloor: 1_000n * 10n ** 18n,
}

/** The terms of disputes that a new network has. */
export const defaultDisputeTerms: DisputeTerms = {
  posterBondWei: 1_000n * 10n ** 18n,
  challengerBondWei: 500n * 10n ** 18n,
  winnerBps: 5_000,
  moveSeconds: 3_600,
}

const supplyWei = 10n ** 27n
const faucetTokensWei = 10n ** 26n
const faucetDripWei = 10_000n * 10n ** 18n
const faucetGasDripWei = 10n ** 18n
const faucetGasWei = 10n ** 24n

/**
 * Deploys every contract from the checked-in artifacts.
 *
 * @throws DevelopmentKeyError, InsufficientGasFundsError, TransactionTimeoutError, ChainUnreachableError
 */
export async function deployContracts(
  chain: { readonly url: string; readonly chainId: bigint; readonly client: ChainClient },
  options: DeployOptions,
): Promise<Deployment> {
  const from = options.owner.address
  const firstNonce = await chain.client.getTransactionCount({ address: from, blockTag: 'pending' })
  const addressAt = (position: number): DeployedContracts['tacitToken'] =>
    parseAddress(getContractAddress({ from, nonce: BigInt(firstNonce + position) }).toLowerCase())
  const contracts = {
    tacitToken: addressAt(0),
    aiConfig: addressAt(1),
    modelRegistry: addressAt(2),
    workerRegistry: addressAt(3),
    paymentPool: addressAt(4),
    proofDisputes: addressAt(6),
    proofAnchors: addressAt(7),
    faucet: options.profile === 'local' ? addressAt(8) : null,
  } satisfies DeployedContracts
  const unfinished: ChainConnection = {
    ...chain,
    deployment: { type: 'tacit-deployment/1', chainId: chain.chainId.toString(), blockNumber: '0', contracts },
  }
  const sender = createTransactionSender(unfinished, options.owner)
  const calls = deploymentCalls(contracts, { ...options, owner: from, machine: addressAt(5) })
  const sendOptions = options.signal === undefined ? {} : { signal: options.signal }
  const receipts = await Promise.all(calls.map((call) => sender.send(call, sendOptions)))
  const blockNumber = receipts.reduce((last, receipt) => (receipt.blockNumber > last ? receipt.blockNumber : last), 0n)
  return { ...unfinished.deployment, blockNumber: blockNumber.toString() }
}

// Gas is fixed, from what deploying costs (the gas benchmark prints it), so that nothing is estimated against contracts that
// are not there yet.
function deploymentCalls(
  contracts: DeployedContracts,
  {
    owner,
    machine,
    parameters = defaultParameters,
    disputes = defaultDisputeTerms,
  }: Pick<DeployOptions, 'parameters' | 'disputes'> & { readonly owner: Hex; readonly machine: Hex },
): readonly ContractCall[] {
  const { tacitToken: token, aiConfig: config, modelRegistry: models, faucet } = contracts
  const { posterBondWei: posterBond, challengerBondWei: challengerBond, ...rest } = disputes
  const calls = [
    create('TacitToken', tacitTokenAbi, tacitTokenBytecode, [owner, supplyWei]),
    create('AIConfig', aiConfigAbi, aiConfigBytecode, [owner, owner, parameters]),
    create('ModelRegistry', modelRegistryAbi, modelRegistryBytecode, [config]),
    create('WorkerRegistry', workerRegistryAbi, workerRegistryBytecode, [owner, token, config, models]),
    create('PaymentPool', paymentPoolAbi, paymentPoolBytecode, [token, config, models]),
    create('VerifierMachine', verifierMachineAbi, verifierMachineBytecode, []),
    create('ProofDisputes', proofDisputesAbi, proofDisputesBytecode, [
      token,
      config,
      models,
      machine,
      { posterBond, challengerBond, ...rest },
    ]),
    create('ProofAnchors', proofAnchorsAbi, proofAnchorsBytecode, []),
  ]
  if (faucet === null) return calls
  return [
    ...calls,
    { ...create('Faucet', faucetAbi, faucetBytecode, [token, faucetDripWei, faucetGasDripWei, 60n]), valueWei: faucetGasWei },
    {
      ...encodeCall('filling the faucet', token, { abi: tacitTokenAbi, functionName: 'transfer', args: [faucet, faucetTokensWei] }),
      gas: 200_000n,
    },
  ]
}

function create(name: string, abi: Abi, bytecode: Hex, args: readonly unknown[]): ContractCall {
  return { label: `deploying ${name}`, to: undefined, abi, data: encodeDeployData({ abi, bytecode, args: [...args] }), gas: 6_000_000n }
}
