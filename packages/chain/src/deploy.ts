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
import { tacitTokenAbi, tacitTokenBytecode } from './generated/tacit-token.ts'
import { workerRegistryAbi, workerRegistryBytecode } from './generated/worker-registry.ts'
import type { ConfigParameters } from './bindings/ai-config.ts'
import { createTransactionSender } from './transaction-sender.ts'

/** Who deploys what. */
export type DeployOptions = {
  /** Deploys, owns AIConfig and WorkerRegistry, receives the token supply, and is the treasury until it says otherwise. */
  readonly owner: Signer
  /** `local` adds the faucet. */
  readonly profile: 'local' | 'public'
  readonly parameters?: ConfigParameters
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
  const contracts: DeployedContracts = {
    tacitToken: addressAt(0),
    aiConfig: addressAt(1),
    modelRegistry: addressAt(2),
    workerRegistry: addressAt(3),
    paymentPool: addressAt(4),
    faucet: options.profile === 'local' ? addressAt(5) : null,
  }
  const unfinished: ChainConnection = {
    ...chain,
    deployment: { type: 'tacit-deployment/1', chainId: chain.chainId.toString(), blockNumber: '0', contracts },
  }
  const sender = createTransactionSender(unfinished, options.owner)
  const calls = deploymentCalls(contracts, from, options.parameters ?? defaultParameters)
  const sendOptions = options.signal === undefined ? {} : { signal: options.signal }
  const receipts = await Promise.all(calls.map((call) => sender.send(call, sendOptions)))
  const blockNumber = receipts.reduce((last, receipt) => (receipt.blockNumber > last ? receipt.blockNumber : last), 0n)
  return { ...unfinished.deployment, blockNumber: blockNumber.toString() }
}

// Gas is fixed, from what deploying costs (the gas benchmark prints it), so that nothing is estimated against contracts that
// are not there yet.
function deploymentCalls(contracts: DeployedContracts, owner: Hex, parameters: ConfigParameters): readonly ContractCall[] {
  const { tacitToken: token, aiConfig: config, modelRegistry: models, faucet } = contracts
  const calls = [
    create('TacitToken', tacitTokenAbi, tacitTokenBytecode, [owner, supplyWei]),
    create('AIConfig', aiConfigAbi, aiConfigBytecode, [owner, owner, parameters]),
    create('ModelRegistry', modelRegistryAbi, modelRegistryBytecode, [config]),
    create('WorkerRegistry', workerRegistryAbi, workerRegistryBytecode, [owner, token, config, models]),
    create('PaymentPool', paymentPoolAbi, paymentPoolBytecode, [token, config, models]),
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
