import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectChain, createTransactionSender, fetchModel } from '@tacit/chain'
import { identityOf, listenThroughRelay } from '@tacit/network'
import { openNodeSocket } from '@tacit/network/node'
import { cardHash, modelRoot } from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'
import { ModelMismatchError } from '../../errors.ts'
import { redeemAll } from '../../worker/redeemer.ts'
import type { ServedModel } from '../../worker/served-model.ts'
import { Worker } from '../../worker/worker.ts'
import { createChannelReader, createRedeemer, fetchAgreedShares } from '../chain-services.ts'
import { loadFastSignatures } from '../fast-signatures.ts'
import { openKeyFile } from '../key-file.ts'
import { openServedModel, type OpenedModel } from '../open-model.ts'
import { openSqliteJournal } from '../sqlite-journal.ts'
import type { ModelConfig, RoleEvent, WorkerConfig } from './role-config.ts'
import { describe, type Role } from './role-host.ts'

const jobDeadlineSeconds = 600
/** Ciphertext is kept this long for clients that resume late. */
const streamSeconds = 24 * 3600

/** A worker in a process of its own: engines, journal, a connection out to the relay. */
export async function startWorkerRole(config: WorkerConfig, say: (event: RoleEvent) => void): Promise<Role> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const [signatures, chain] = await Promise.all([loadFastSignatures(), connectChain(config.chainUrl, { deployment: config.deployment })])
  const signer = openKeyFile(join(config.dataDir, 'identity.key'), signatures)
  const journal = openSqliteJournal(join(config.dataDir, 'journal.sqlite'))
  const redeem = createRedeemer(createTransactionSender(chain, signer))
  const opened: OpenedModel[] = await Promise.all(config.models.map((model) => openModel(model, config)))
  const agreed = await fetchAgreedShares(
    chain,
    config.models.map(({ id }) => id),
  )
  const worker = new Worker({
    domain: { chainId: chain.chainId, contract: config.deployment.contracts.paymentPool },
    signer,
    signatures,
    aead: nodeAead,
    random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
    now: () => Math.floor(Date.now() / 1000),
    nowMs: () => performance.now(),
    journal,
    models: opened.map(({ served }) => served),
    channel: createChannelReader(chain, signer.address, agreed),
    maxJobs: config.maxJobs,
    report: (error) => say({ event: 'log', level: 'error', message: describe(error) }),
  })
  await worker.prekey()
  const listener = await listenThroughRelay(config.relayUrl, {
    open: openNodeSocket,
    identity: identityOf(signer),
    onStatus: (status) => {
      if (status.state === 'lost' || status.state === 'refused') say({ event: 'log', level: 'warn', message: `relay ${status.state}` })
    },
  })
  const accepting = acceptAll(listener, worker)
  const redeemNow = async (): Promise<void> => {
    const amount = await redeemAll(journal, redeem, (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)))
    if (amount > 0n) say({ event: 'redeemed', amount: amount.toString() })
  }
  // One at a time: a chain that is slow must not get the same claims twice.
  let settling: Promise<void> = Promise.resolve()
  const settle = (): Promise<void> => {
    settling = settling.catch(() => {}).then(redeemNow)
    return settling
  }
  const settleQuietly = (): void => void settle().catch((error: unknown) => say({ event: 'log', level: 'warn', message: describe(error) }))
  settleQuietly() // what was durable before a crash is owed
  const timer = setInterval(() => {
    settleQuietly()
    try {
      journal.prune(Math.floor(Date.now() / 1000) - streamSeconds)
    } catch (error) {
      say({ event: 'log', level: 'error', message: describe(error) }) // a full disk, say: what is stored stays a while longer
    }
  }, config.redeemSeconds * 1000)
  say({ event: 'ready', address: signer.address, pid: process.pid })
  return {
    command: async ({ command }) => {
      if (command === 'drain') worker.drain()
      else if (command === 'redeem') await settle()
      say({ event: 'status', running: worker.runningJobs, sessions: worker.openSessions, draining: worker.draining })
    },
    stop: async () => {
      clearInterval(timer)
      worker.close()
      await listener.close()
      await accepting
      await settle().catch(() => {}) // the chain may be gone already; the journal keeps what is owed
      await Promise.all(opened.map(({ close }) => close()))
      journal.close()
    },
  }

  async function openModel(model: ModelConfig, { deployment }: WorkerConfig): Promise<OpenedModel> {
    const published = await fetchModel(chain, model.id)
    const root = modelRoot(model.card.commitments)
    if (published === undefined || deployment.chainId !== chain.chainId.toString())
      throw new ModelMismatchError(model.card.name, 'it is not published on this chain')
    // A worker serves only what the registry committed to, so that an owner cannot frame it.
    if (published.commitmentsRoot !== root || published.manifestHash !== cardHash(model.card))
      throw new ModelMismatchError(model.card.name, 'the registry holds other commitments')
    const terms: Pick<ServedModel, 'id' | 'name' | 'root' | 'stepPrice' | 'deadlineSeconds'> = {
      id: model.id,
      name: model.card.name,
      root,
      stepPrice: published.pricePerStepWei,
      deadlineSeconds: jobDeadlineSeconds,
    }
    return openServedModel(model, terms)
  }
}

async function acceptAll(listener: Awaited<ReturnType<typeof listenThroughRelay>>, worker: Worker): Promise<void> {
  for await (const channel of listener.accept()) void worker.serve(channel)
}
