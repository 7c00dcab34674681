// `tacit worker start`: puts a worker of one's own on the chain and keeps it running until it is told to stop.
import { fetchEligibility, fetchGasBalance, fetchModel, fetchTokenBalance } from '@tacit/chain'
import { enrolWorker, loadFastSignatures, type ModelConfig, openKeyFile, type RoleEvent, spawnRole } from '@tacit/node/node'
import type { Signer } from '@tacit/protocol'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Invocation } from './command.ts'
import { BalanceTooLowError, NothingToServeError, WorkerRunningError } from './errors.ts'
import { drawIfShort, networkFaucet } from './faucet.ts'
import { formatTokens, shorten } from './format.ts'
import type { NetworkFile } from './network-file.ts'
import { openClient, type OpenedClient } from './open-client.ts'
import { takeProcessLock } from './process-lock.ts'
import { findLocalModels, type LocalModel, matchPublished, offerModel } from './servable-models.ts'
import { ownWorkerPath, readWorkerNote, workerLockPath, writeWorkerNote } from './worker-directories.ts'

export type WorkerSettings = {
  readonly name: string
  readonly maxJobs: number
  readonly region: string
  /** Names of added files to publish under the wallet. */
  readonly publish: readonly string[]
  /** Names of Ollama models to publish and serve. */
  readonly ollama: readonly string[]
  /** Per model; undefined for the least that the model asks for. */
  readonly stakeWei: bigint | undefined
  readonly drainSeconds: number
}

/** Runs until the signal aborts; resolves with the exit code. @throws WorkerRunningError, NothingToServeError, BalanceTooLowError */
export async function runWorker(invocation: Invocation, { network }: NetworkFile, settings: WorkerSettings): Promise<number> {
  const { dataDir, say, json, signal } = invocation
  const directory = ownWorkerPath(dataDir, settings.name)
  using lock = takeProcessLock(workerLockPath(directory))
  if (lock === undefined) throw new WorkerRunningError(settings.name, readWorkerNote(directory)?.pid ?? 0)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const identity = openKeyFile(join(directory, 'identity.key'), await loadFastSignatures())
  await using opened = await openClient(dataDir, network, { signal })
  const models = await chooseModels(invocation, opened, network, settings)
  if (models.length === 0) throw new NothingToServeError()
  await settle(invocation, opened, { network, identity, models, settings })
  let status = { running: 0, sessions: 0, draining: false }
  const note = (): void =>
    writeWorkerNote(directory, {
      type: 'tacit-worker/1',
      pid: process.pid,
      address: identity.address,
      running: status.running,
      sessions: status.sessions,
      state: status.draining ? 'draining' : 'serving',
    })
  const onEvent = (event: RoleEvent): void => {
    if (event.event === 'log' && event.level !== 'info') say(`  ${event.message}`)
    if (event.event === 'redeemed') say(`  redeemed ${formatTokens(BigInt(event.amount))}`)
    if (event.event !== 'status') return
    const { running, sessions, draining } = event
    if (running === status.running && sessions === status.sessions && draining === status.draining) return
    status = { running, sessions, draining }
    note()
  }
  const { chainUrl, deployment, relayUrl } = network
  await using role = await spawnRole(
    {
      role: 'worker',
      chainUrl,
      deployment,
      relayUrl,
      name: settings.name,
      dataDir: directory,
      models,
      maxJobs: settings.maxJobs,
      redeemSeconds: 30,
    },
    { onEvent, signal },
  )
  note()
  say(`Worker ${identity.address} serves ${models.map(({ card }) => card.name).join(', ')}. Ctrl-C lets running jobs finish and stops.`)
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        address: identity.address,
        pid: role.pid,
        models: models.map(({ id, card }) => ({ id, name: card.name })),
      }),
    )
  const poll = setInterval(() => role.send({ command: 'status' }), 2_000)
  try {
    const ended = await Promise.race([aborted(signal), role.exited.then(() => 'exited' as const)])
    if (ended === 'exited') {
      say('The worker ended unexpectedly. What it is owed is in its journal; start it again.')
      return 1
    }
    say('\nDraining: no new jobs, the running ones go on. Ctrl-C again stops at once.')
    await drained(role, { isIdle: () => status.draining && status.running === 0, seconds: settings.drainSeconds })
    return 0
  } finally {
    clearInterval(poll)
  }
}

async function chooseModels(
  { dataDir, say, signal }: Invocation,
  { client, sender }: OpenedClient,
  network: NetworkFile['network'],
  settings: WorkerSettings,
): Promise<readonly ModelConfig[]> {
  const local = await findLocalModels(dataDir, signal)
  const chosenOllama = local.ollama.filter(({ card }) => settings.ollama.includes(card.name))
  for (const name of settings.ollama)
    if (!chosenOllama.some(({ card }) => card.name === name)) say(`Ollama has no model ${name} on this machine.`)
  const matched = matchPublished(await client.models({ signal }), [...local.files, ...chosenOllama])
  const known = new Set(matched.map(({ card }) => card.commitments.artifact))
  const rest = [...local.files, ...chosenOllama].filter(({ card }) => !known.has(card.commitments.artifact))
  const offered: ModelConfig[] = []
  for (const model of rest) {
    const publish = settings.publish.includes(model.card.name) || model.source.kind === 'ollama'
    const offer = await offerModel(sender, network, model, { publish, signal })
    if (offer !== undefined) offered.push(offer)
    else say(`Not published: ${model.card.name}. --publish ${model.card.name} publishes and serves it.`)
  }
  sayWhatOllamaHas(say, local, chosenOllama)
  return [...matched, ...offered]
}

function sayWhatOllamaHas(
  say: Invocation['say'],
  { ollama, ollamaAddress }: Awaited<ReturnType<typeof findLocalModels>>,
  chosen: readonly LocalModel[],
): void {
  const others = ollama.filter((model) => !chosen.includes(model)).map(({ card }) => card.name)
  if (ollamaAddress !== undefined && others.length > 0)
    say(`Ollama at ${ollamaAddress} also has ${others.join(', ')}: serve one with --ollama NAME.`)
}

type Settling = {
  readonly network: NetworkFile['network']
  readonly identity: Signer
  readonly models: readonly ModelConfig[]
  readonly settings: WorkerSettings
}

/** Gas, registration, stake. */
async function settle({ say, signal }: Invocation, { chain, payer, sender }: OpenedClient, settling: Settling): Promise<void> {
  const { network, identity, models, settings } = settling
  const stakes = new Map<string, bigint>()
  for (const { id } of models) {
    if (await fetchEligibility(chain, identity.address, id)) continue
    stakes.set(id, settings.stakeWei ?? (await fetchModel(chain, id))?.minStakeWei ?? 0n)
  }
  const needsWei = [...stakes.values()].reduce((sum, stake) => sum + stake, 0n)
  const faucet = networkFaucet(network, signal)
  if (faucet !== undefined) {
    await drawIfShort(chain, payer.address, { faucet, needsWei })
    // Redeeming is the identity's own transaction.
    await drawIfShort(chain, identity.address, { faucet, needsWei: 0n })
  }
  const [tokensWei, gasWei, identityGasWei] = await Promise.all([
    fetchTokenBalance(chain, payer.address),
    fetchGasBalance(chain, payer.address),
    fetchGasBalance(chain, identity.address),
  ])
  if (tokensWei < needsWei || gasWei === 0n || identityGasWei === 0n)
    throw new BalanceTooLowError('The worker cannot be set up with what there is.', [
      `Stake needed: ${formatTokens(needsWei)}; the wallet ${payer.address} holds ${formatTokens(tokensWei)}.`,
      ...(gasWei === 0n ? ['The wallet needs gas.'] : []),
      ...(identityGasWei === 0n ? [`The worker's own account ${identity.address} needs gas to redeem vouchers.`] : []),
    ])
  if (needsWei > 0n)
    say(`Staking ${formatTokens(needsWei)} from ${shorten(payer.address)} for ${stakes.size} model${stakes.size === 1 ? '' : 's'} ...`)
  await enrolWorker(sender, identity, {
    models: models.map(({ id }) => id),
    profile: { endpoint: network.relayUrl, region: settings.region, capacity: settings.maxJobs },
    stakeWei: (model) => stakes.get(model) ?? 0n,
  })
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted')
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true })
  })
}

async function drained(
  role: Awaited<ReturnType<typeof spawnRole>>,
  { isIdle, seconds }: { readonly isIdle: () => boolean; readonly seconds: number },
): Promise<void> {
  let atOnce = false
  const onSecond = (): void => {
    atOnce = true
  }
  process.once('SIGINT', onSecond)
  void role.exited.then(onSecond)
  const until = performance.now() + seconds * 1000
  role.send({ command: 'drain' })
  while (!atOnce && !isIdle() && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    role.send({ command: 'status' })
  }
  process.off('SIGINT', onSecond)
}
