// A whole network on one machine, every role a process of its own: chain, relay, dispatcher, workers.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ChainConnection, createTransactionSender, ensureAllowance, type TransactionSender, type WorkerProfile } from '@tacit/chain'
import { type EmbeddedChain, startEmbeddedChain } from '@tacit/chain/embedded'
import type { NetworkDescription } from '@tacit/client'
import type { SignatureBackend, Signer } from '@tacit/protocol'
import { serveChainProxy } from '../chain-proxy.ts'
import { enrolWorker, ensureGas, publishCard } from '../enrolment.ts'
import { loadFastSignatures } from '../fast-signatures.ts'
import { openKeyFile } from '../key-file.ts'
import type { ListenConfig, ModelConfig, RoleEvent } from '../roles/role-config.ts'
import { type PreparedRole, prepareRole, type RunningRole, spawnRole } from '../roles/spawn-role.ts'
import type { ZooModel } from './zoo.ts'

export type LocalNetworkOptions = {
  readonly dataDir: string
  readonly models: readonly ZooModel[]
  readonly workers?: number
  /** Jobs that each worker runs at once. */
  readonly maxJobs?: number
  /** Where other machines reach the network; without it everything stays on loopback. */
  readonly listen?: LocalNetworkListen
  readonly redeemSeconds?: number
  /** Writes what the relay saw to a file; for tests of what it can see. */
  readonly recordRelayTo?: string
  readonly onEvent?: (source: string, event: RoleEvent) => void
  readonly signal?: AbortSignal
}

/** An address of this machine that others dial, and ports; 0 for any free one. */
export type LocalNetworkListen = {
  readonly host: string
  readonly exposeBeyondLoopback: boolean
  readonly relayPort?: number
  readonly dispatcherPort?: number
  /** Where the chain is served to others, the harmless part of it; the node itself stays on loopback. */
  readonly chainPort?: number
}

/** A running local network. It ends when this process does, however it does. */
export type LocalNetwork = AsyncDisposable & {
  readonly description: NetworkDescription
  readonly chain: EmbeddedChain
  readonly connection: ChainConnection
  readonly models: readonly ModelConfig[]
  readonly signatures: SignatureBackend
  readonly relay: RunningRole
  readonly dispatcher: RunningRole
  readonly workers: readonly RunningRole[]
  readonly restartRelay: () => Promise<void>
  readonly restartWorker: (index: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const token = 10n ** 18n
const stakeWei = 5_000n * token
const unlimited = 2n ** 256n - 1n

/** @throws what the embedded chain and the roles throw; nothing is left running then. */
export async function startLocalNetwork(options: LocalNetworkOptions): Promise<LocalNetwork> {
  const { dataDir, signal } = options
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const started: { stop(): Promise<void> }[] = []
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part)
    return part
  }
  try {
    const { host = '127.0.0.1', exposeBeyondLoopback = false, relayPort = 0, dispatcherPort = 0, chainPort = 0 } = options.listen ?? {}
    const listenAt = (port: number): ListenConfig => ({ host, exposeBeyondLoopback, port })
    const tell = (source: string) => ({
      ...(signal === undefined ? {} : { signal }),
      onEvent: (event: RoleEvent) => options.onEvent?.(source, event),
    })
    const startRelay = (port: number): Promise<RunningRole> => {
      const record = options.recordRelayTo === undefined ? {} : { recordTo: options.recordRelayTo }
      return spawnRole({ role: 'relay', listen: listenAt(port), ...record }, tell('relay'))
    }
    // Processes load their code while the chain starts.
    const prepared = {
      dispatcher: keep(prepareRole('dispatcher')),
      workers: Array.from({ length: options.workers ?? 2 }, () => keep(prepareRole('worker'))),
    }
    const [chain, relay, signatures] = await Promise.all([
      startEmbeddedChain({ dataDir, ...(signal === undefined ? {} : { signal }) }).then(keep),
      startRelay(relayPort).then(keep),
      loadFastSignatures(),
    ])
    const relayUrl = relay.url ?? ''
    const { connection, deployment } = chain
    const owner = createTransactionSender(connection, chain.keys.owner)
    const identities = Array.from({ length: options.workers ?? 2 }, (_, index) => {
      const name = `worker-${index + 1}`
      return { name, dataDir: join(dataDir, name), signer: openKeyFile(join(dataDir, name, 'identity.key'), signatures) }
    })
    const [models, proxy] = await Promise.all([
      publishAll(owner, options.models),
      exposeBeyondLoopback ? serveChainProxy(chain.url, listenAt(chainPort)) : undefined,
    ])
    if (proxy !== undefined) keep({ stop: () => proxy.close() })
    const roleBase = { chainUrl: chain.url, deployment, relayUrl }
    const startWorker = (index: number, process: PreparedRole = prepareRole('worker')): Promise<RunningRole> => {
      const identity = identities[index]
      if (identity === undefined) throw new RangeError(`there is no worker ${index}`)
      const { name, dataDir: workerDir } = identity
      return process.start(
        {
          role: 'worker',
          ...roleBase,
          name,
          dataDir: workerDir,
          models,
          maxJobs: options.maxJobs ?? 4,
          redeemSeconds: options.redeemSeconds ?? 30,
        },
        tell(name),
      )
    }
    const [, , dispatcher, ...workers] = await Promise.all([
      // It sends what the faucet gives to others, and pays the gas of that.
      ensureGas(owner, openKeyFile(join(dataDir, 'dispatcher.key'), signatures).address),
      enrolAll(
        owner,
        identities.map(({ signer }) => signer),
        models,
        { endpoint: relayUrl, region: 'local', capacity: options.maxJobs ?? 4 },
      ),
      prepared.dispatcher.start(
        {
          role: 'dispatcher',
          ...roleBase,
          dataDir,
          listen: listenAt(dispatcherPort),
          faucet: true,
          models: models.map(({ id, card }) => ({ id, card })),
        },
        tell('dispatcher'),
      ),
      ...identities.map((_, index) => startWorker(index, prepared.workers[index])),
    ])
    if (dispatcher === undefined) throw new Error('unreachable: the dispatcher is the third of the list')
    const running = { relay, workers: [...workers] }
    const stop = async (): Promise<void> => {
      // Workers first: they redeem what they are owed while the chain is still there.
      await Promise.all(running.workers.map((worker) => worker.stop()))
      await Promise.all([dispatcher.stop(), running.relay.stop(), proxy?.close()])
      await chain.stop()
    }
    return {
      description: {
        type: 'tacit-network/1',
        chainUrl: proxy?.url ?? chain.url,
        deployment,
        relayUrl,
        dispatcherUrl: dispatcher.url ?? null,
        dispatcher: dispatcher.address ?? null,
      },
      chain,
      connection,
      models,
      signatures,
      get relay() {
        return running.relay
      },
      dispatcher,
      get workers() {
        return running.workers
      },
      restartRelay: async () => {
        await running.relay.stop()
        running.relay = await startRelay(Number(new URL(relayUrl).port))
      },
      restartWorker: async (index) => {
        await running.workers[index]?.stop()
        running.workers[index] = await startWorker(index)
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await Promise.allSettled(started.toReversed().map((part) => part.stop()))
    throw error
  }
}

async function publishAll(owner: TransactionSender, zoo: readonly ZooModel[]): Promise<readonly ModelConfig[]> {
  return Promise.all(
    zoo.map(async ({ card, path }): Promise<ModelConfig> => ({ id: await publishCard(owner, card), card, source: { kind: 'file', path } })),
  )
}

async function enrolAll(
  owner: TransactionSender,
  identities: readonly Signer[],
  models: readonly ModelConfig[],
  profile: WorkerProfile,
): Promise<void> {
  // One allowance for all stakes: side by side they would overwrite each other's.
  await ensureAllowance(owner, owner.connection.deployment.contracts.workerRegistry, unlimited)
  const ids = models.map(({ id }) => id)
  await Promise.all(
    identities.map(async (identity, index) => {
      // Redeeming costs gas, and this is the only place where a worker of a local network gets any.
      await ensureGas(owner, identity.address)
      await enrolWorker(owner, identity, { models: ids, profile, stakeWei: () => stakeWei + BigInt(index) * token })
    }),
  )
}
