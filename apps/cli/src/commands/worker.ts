import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { drainWorker, fetchEligibility, fetchStake, fetchWorker } from '@tacit/chain'
import { createNodeDialer } from '@tacit/network/node'
import { loadFastSignatures, openKeyFile, probeWorker } from '@tacit/node/node'
import { type Command, integerOf, type Invocation, textOf, textsOf } from '../command.ts'
import { UsageError, WorkerRunningError } from '../errors.ts'
import { formatTokens, parseTokens, shorten, table } from '../format.ts'
import { isAlive, requireNetwork } from '../network-file.ts'
import { openClient, type OpenedClient } from '../open-client.ts'
import { isLockHeld } from '../process-lock.ts'
import { runWorker } from '../run-worker.ts'
import { unstakeAll } from '../unstake.ts'
import { listWorkers, ownWorkerPath, readWorkerNote, type WorkerDirectory, workerLockPath } from '../worker-directories.ts'

const usage = 'tacit worker start|status|drain|unstake [--name NAME]'

export const worker: Command = {
  name: 'worker',
  summary: 'Runs a worker of your own, says how workers here are, or lets one finish and stop.',
  usage,
  details: [
    'start    registers a worker, stakes for the models that this machine has and the network publishes, and serves them',
    'status   registry, stake, eligibility and load of every worker of this directory',
    'drain    takes the worker out of the registry for new work, lets running jobs finish, and stops it; start puts it back',
    'unstake  asks for the stake of a stopped worker; run it again after the thaw to have it in the wallet',
  ],
  options: {
    name: { type: 'string', value: 'NAME', help: 'which worker of this directory (default: mine)' },
    'max-jobs': { type: 'string', value: 'N', help: 'start: jobs at once (default 4)' },
    region: { type: 'string', value: 'TEXT', help: 'start: what the registry says about where it is (default: unspecified)' },
    stake: { type: 'string', value: 'AMOUNT', help: 'start: tokens per model (default: the least that the model asks for)' },
    publish: { type: 'string', value: 'NAME', multiple: true, help: 'start: publish this added model under your wallet; may repeat' },
    ollama: { type: 'string', value: 'NAME', multiple: true, help: 'start: publish and serve this model of a local Ollama; may repeat' },
    'drain-seconds': { type: 'string', value: 'N', help: 'start: how long running jobs may go on after Ctrl-C (default 60)' },
  },
  async run(invocation) {
    const { positionals, dataDir } = invocation
    if (positionals.length > 1) throw new UsageError('There is one argument too many.', usage)
    switch (positionals[0]) {
      case 'start':
        return await start(invocation)
      case 'status':
        return await status(invocation)
      case 'drain':
        return await drain(invocation, ownWorkerPath(dataDir, nameOf(invocation)))
      case 'unstake':
        return await unstake(invocation, ownWorkerPath(dataDir, nameOf(invocation)))
      default:
        throw new UsageError(
          `Say start, status, drain or unstake${positionals[0] === undefined ? '' : `, not "${positionals[0]}"`}.`,
          usage,
        )
    }
  },
}

function nameOf({ values }: Invocation): string {
  const name = textOf(values, 'name') ?? 'mine'
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) throw new UsageError('--name is made of a to z, 0 to 9 and -.', usage)
  return name
}

function start(invocation: Invocation): Promise<number> {
  const { values, dataDir } = invocation
  const stake = textOf(values, 'stake')
  const stakeWei = stake === undefined ? undefined : parseTokens(stake)
  if (stake !== undefined && stakeWei === undefined) throw new UsageError('--stake is a number of tokens.', usage)
  const region = textOf(values, 'region') ?? 'unspecified'
  if (region.length > 32) throw new UsageError('--region has at most 32 characters.', usage)
  return runWorker(invocation, requireNetwork(dataDir), {
    name: nameOf(invocation),
    maxJobs: integerOf(values, 'max-jobs', { fallback: 4, min: 1, max: 256, usage }),
    region,
    publish: textsOf(values, 'publish'),
    ollama: textsOf(values, 'ollama'),
    stakeWei,
    drainSeconds: integerOf(values, 'drain-seconds', { fallback: 60, min: 0, max: 3_600, usage }),
  })
}

async function status({ dataDir, say, json, signal }: Invocation): Promise<number> {
  const { network } = requireNetwork(dataDir)
  await using opened = await openClient(dataDir, network, { signal })
  const reports = await Promise.all(listWorkers(dataDir).map((directory) => report(opened, directory, network.relayUrl)))
  if (reports.length === 0) say('No worker ever ran from this directory. `tacit worker start` runs one.')
  for (const { name, address, registry, live, sessions, models } of reports) {
    say(`${name}  ${address}`)
    say(
      `  registry: ${registry}; ${live === null ? 'not reachable' : `${live.running} of ${live.capacity} jobs${live.draining ? ', draining' : ''}`}${sessions === null ? '' : `, ${sessions} sessions`}`,
    )
    for (const line of table(
      models.map((model) => [
        `    ${model.name}`,
        model.eligible ? 'eligible' : 'not eligible',
        `stake ${formatTokens(BigInt(model.stakeWei))}`,
      ]),
    ))
      say(line)
  }
  if (json) console.log(JSON.stringify({ ok: true, workers: reports }))
  return 0
}

async function report({ chain, client }: OpenedClient, { name, path }: WorkerDirectory, relayUrl: string) {
  const { address } = openKeyFile(join(path, 'identity.key'), await loadFastSignatures())
  const [registered, live, published] = await Promise.all([
    fetchWorker(chain, address),
    probeWorker(createNodeDialer(), relayUrl, address).catch(() => null), // not reachable is what the report says
    client.models(),
  ])
  const models = await Promise.all(
    published.map(async ({ id, card }) => ({
      id,
      name: card?.name ?? id,
      eligible: await fetchEligibility(chain, address, id),
      stakeWei: (await fetchStake(chain, address, id)).stakedWei.toString(),
    })),
  )
  return {
    name,
    address,
    registry: registered?.status ?? 'not registered',
    operator: registered?.operator ?? null,
    live,
    sessions: readWorkerNote(path)?.sessions ?? null,
    models: models.filter(({ eligible, stakeWei }) => eligible || stakeWei !== '0'),
  }
}

async function unstake({ dataDir, say, json, signal }: Invocation, directory: string): Promise<number> {
  const keyPath = join(directory, 'identity.key')
  if (!existsSync(keyPath)) throw new UsageError('No worker of that name ever ran from this directory.', usage)
  const note = readWorkerNote(directory)
  if (note !== undefined) throw new WorkerRunningError(basename(directory), note.pid)
  await using opened = await openClient(dataDir, requireNetwork(dataDir).network, { signal })
  const { address } = openKeyFile(keyPath, await loadFastSignatures())
  const steps = await unstakeAll(opened, address)
  if (steps.length === 0) say('Nothing is staked.')
  for (const { model, outcome, amountWei, thawedAt } of steps) {
    const after = `run this again after ${new Date(thawedAt * 1000).toISOString().slice(0, 19)}Z`
    say(`${shorten(model)}: ${formatTokens(amountWei)} ${outcome === 'returned' ? 'is in the wallet again' : `asked back; ${after}`}`)
  }
  if (json)
    console.log(
      JSON.stringify({ ok: true, address, stakes: steps.map(({ amountWei, ...rest }) => ({ ...rest, amountWei: amountWei.toString() })) }),
    )
  return 0
}

async function drain({ dataDir, say, json, signal }: Invocation, directory: string): Promise<number> {
  const keyPath = join(directory, 'identity.key')
  if (!existsSync(keyPath)) throw new UsageError('No worker of that name ever ran from this directory.', usage)
  const { network } = requireNetwork(dataDir)
  await using opened = await openClient(dataDir, network, { signal })
  const { address } = openKeyFile(keyPath, await loadFastSignatures())
  const registered = await fetchWorker(opened.chain, address)
  const inRegistry = registered?.status === 'active' && registered.operator === opened.payer.address
  if (inRegistry) await drainWorker(opened.sender, address)
  say(inRegistry ? `${address} is out of the registry for new work.` : `${address} was not active in the registry.`)
  const note = readWorkerNote(directory)
  if (note !== undefined) {
    process.kill(note.pid, 'SIGTERM')
    while (isLockHeld(workerLockPath(directory)) && isAlive(note.pid) && !signal.aborted)
      await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const stopped = !isLockHeld(workerLockPath(directory))
  say(note === undefined ? 'It was not running.' : stopped ? 'It has finished and stopped.' : 'It is still finishing.')
  if (json) console.log(JSON.stringify({ ok: stopped, address, registryDrained: inRegistry, stopped }))
  return stopped ? 0 : 1
}
