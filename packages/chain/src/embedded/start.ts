// The chain of a local network, in one call: started or resumed, contracts in place.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { toHex } from '@tacit/protocol'
import { assertDeployed } from '../connect.ts'
import { type ChainConnection, createChainClient } from '../connection.ts'
import { deployContracts } from '../deploy.ts'
import { type Deployment, deploymentSchema } from '../deployment.ts'
import { DirectoryCorruptError } from '../errors.ts'
import { resolveAnvil } from './binary.ts'
import { type EmbeddedKeys, openKeys, writeSecretFile } from './keys.ts'
import { startTether, type TetherClient } from './tether-client.ts'

/** Where a local chain lives, and how it behaves. */
export type StartEmbeddedChainOptions = {
  /** Where keys, state and lock live; created when missing. One chain per directory. */
  readonly dataDir: string
  /** A fixed loopback port; by default any free one. */
  readonly port?: number
  /** Seconds between blocks when nobody sends a transaction; transactions are mined at once. */
  readonly blockSeconds?: number
  /** The one web origin whose pages may call the chain, for instance a console on loopback; by default none. */
  readonly allowOrigin?: string
  readonly lockWaitMs?: number
  readonly startTimeoutMs?: number
  readonly snapshotMs?: number
  readonly signal?: AbortSignal
}

/** A running local chain. Disposing it writes its state and ends it; it also ends when this process does, however it does. */
export type EmbeddedChain = AsyncDisposable & {
  readonly url: string
  readonly port: number
  readonly chainId: bigint
  readonly connection: ChainConnection
  readonly deployment: Deployment
  readonly keys: EmbeddedKeys
  /** Whether it continues what a former run left. */
  readonly isRestored: boolean
  readonly anvilPid: () => number
  readonly tetherPid: number
  /** Resolves when the chain has ended, also unexpectedly. */
  readonly exited: Promise<void>
  /** Writes the state to disk now; otherwise that happens about every second in which something was mined. */
  readonly snapshot: () => Promise<void>
  readonly stop: () => Promise<void>
}

const ownerGasWei = 10n ** 27n
const faucetGasWei = 10n ** 25n

/**
 * Starts the embedded chain of a data directory, and deploys the contracts the first time.
 *
 * @throws BinaryMissingError, DirectoryInUseError, PortInUseError, DirectoryCorruptError, ChainStartError
 * @example
 * await using chain = await startEmbeddedChain({ dataDir: '.tacit' })
 * console.log(chain.url, chain.deployment.contracts.paymentPool)
 */
export async function startEmbeddedChain(options: StartEmbeddedChainOptions): Promise<EmbeddedChain> {
  const directory = join(resolve(options.dataDir), 'chain')
  const anvil = resolveAnvil()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const keys = openKeys(directory, (sizeBytes) => randomBytes(sizeBytes))
  readDeployment(directory, keys.chainId) // a damaged file is named before anything starts; it is read again under the lock
  const tether = await startTether(
    {
      directory,
      anvil,
      chainId: keys.chainId.toString(),
      port: options.port ?? 0,
      blockSeconds: options.blockSeconds ?? 12,
      allowOrigin: options.allowOrigin ?? null,
      lockWaitMs: options.lockWaitMs ?? 5_000,
      startTimeoutMs: options.startTimeoutMs ?? 20_000,
      snapshotMs: options.snapshotMs ?? 1_000,
    },
    options.signal,
  )
  try {
    const connection = await openConnection(directory, keys, tether, options.signal)
    return describe(connection, keys, tether)
  } catch (error) {
    await tether.stop()
    throw error
  }
}

function describe(connection: ChainConnection, keys: EmbeddedKeys, tether: TetherClient): EmbeddedChain {
  return {
    url: connection.url,
    port: tether.port,
    chainId: connection.chainId,
    connection,
    deployment: connection.deployment,
    keys,
    isRestored: tether.isRestored,
    anvilPid: tether.anvilPid,
    tetherPid: tether.pid,
    exited: tether.exited,
    snapshot: tether.snapshot,
    stop: tether.stop,
    [Symbol.asyncDispose]: tether.stop,
  }
}

async function openConnection(
  directory: string,
  keys: EmbeddedKeys,
  tether: TetherClient,
  signal: AbortSignal | undefined,
): Promise<ChainConnection> {
  const url = `http://127.0.0.1:${tether.port}`
  const client = createChainClient(url, keys.chainId)
  const known = readDeployment(directory, keys.chainId)
  if (known !== undefined) {
    const connection: ChainConnection = { url, chainId: keys.chainId, deployment: known, client }
    await assertDeployed(connection)
    return connection
  }
  await setBalance(url, keys.owner.address, ownerGasWei)
  await setBalance(url, keys.faucet.address, faucetGasWei)
  const deployment = await deployContracts(
    { url, chainId: keys.chainId, client },
    { owner: keys.owner, profile: 'local', ...(signal === undefined ? {} : { signal }) },
  )
  // The state first: a deployment file without its state is refused at the next start.
  await tether.snapshot()
  writeSecretFile(join(directory, 'deployment.json'), JSON.stringify(deployment, null, 2))
  return { url, chainId: keys.chainId, deployment, client }
}

function readDeployment(directory: string, chainId: bigint): Deployment | undefined {
  const file = join(directory, 'deployment.json')
  if (!existsSync(file)) return undefined
  let deployment: Deployment
  try {
    deployment = deploymentSchema(JSON.parse(readFileSync(file, 'utf8')), 'deployment.json')
  } catch (cause) {
    throw new DirectoryCorruptError({ file, reason: 'it does not describe a deployment', cause })
  }
  if (BigInt(deployment.chainId) !== chainId)
    throw new DirectoryCorruptError({ file, reason: `it is about chain ${deployment.chainId}, the keys are about chain ${chainId}` })
  return deployment
}

async function setBalance(url: string, address: string, amountWei: bigint): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_setBalance', params: [address, toHex(balanceBytes(amountWei))] }),
  })
  await response.json()
}

function balanceBytes(amountWei: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(amountWei.toString(16).padStart(64, '0'), 'hex'))
}
