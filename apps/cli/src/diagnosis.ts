// The checks of `tacit doctor`: each looks at one thing and says what to do when it is wrong. None changes anything.
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type ChainConnection, fetchEligibility, fetchWorkerIds } from '@tacit/chain'
import { resolveAnvil } from '@tacit/chain/embedded'
import type { NetworkDescription } from '@tacit/client'
import { findModels } from '@tacit/client'
import { fetchJson } from '@tacit/network'
import { createNodeDialer } from '@tacit/network/node'
import { loadZoo, openKeyFile, loadFastSignatures, openSqliteJournal, probeWorker } from '@tacit/node/node'
import { detectOllama, openLlamaEngine } from '@tacit/runtime/node'
import { openFileClientStore } from '@tacit/client/node'
import { shorten } from './format.ts'
import { findNetwork, type NetworkFile } from './network-file.ts'
import { connectNetwork, walletPath } from './open-client.ts'
import { defaultGatewayPort } from './open-gateway.ts'
import { listWorkers } from './worker-directories.ts'

export type Finding = {
  readonly status: 'PASS' | 'WARN' | 'FAIL'
  readonly check: string
  readonly message: string
  readonly todo?: string
}

export type DiagnoseOptions = { readonly dataDir: string; readonly signal: AbortSignal }

const neededDiskBytes = 512 << 20
const tolerableSkewSeconds = 60

/** Everything, in the order in which one thing needs another. */
export async function* diagnose(options: DiagnoseOptions): AsyncGenerator<Finding, void, undefined> {
  yield checkPlatform()
  yield checkNode()
  yield* checkDirectory(options)
  yield checkAnvil()
  yield await checkEngine(options)
  yield await checkOllama(options)
  const network = readNetwork(options)
  if ('status' in network) yield network
  else if (network.file === undefined) {
    yield await checkPort(defaultGatewayPort)
    yield { status: 'WARN', check: 'network', message: 'none runs or is joined in this directory', todo: '`tacit up` or `tacit join`' }
  } else yield* checkNetwork(network.file.network, options)
}

const platforms: readonly string[] = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

function checkPlatform(): Finding {
  const name = `${process.platform}-${process.arch}`
  return platforms.includes(name)
    ? { status: 'PASS', check: 'platform', message: name }
    : { status: 'FAIL', check: 'platform', message: `${name} is not supported`, todo: `use one of ${platforms.join(', ')}` }
}

function checkNode(): Finding {
  const [major = 0] = process.versions.node.split('.').map(Number)
  return major >= 24
    ? { status: 'PASS', check: 'node', message: process.version }
    : {
        status: 'FAIL',
        check: 'node',
        message: `${process.version} is too old`,
        todo: 'start through npm run, which brings its own Node 24',
      }
}

function* checkDirectory({ dataDir }: DiagnoseOptions): Generator<Finding, void, undefined> {
  const present = nearestExisting(dataDir)
  const { bavail, bsize } = statfsSync(present)
  const free = bavail * bsize
  yield {
    check: 'disk',
    message: `${Math.floor(free / 2 ** 20)} MiB free in ${present}`,
    ...(free >= neededDiskBytes ? { status: 'PASS' } : { status: 'WARN', todo: 'free some space; answers and snapshots need it' }),
  }
  try {
    accessSync(present, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    yield { status: 'FAIL', check: 'data', message: `${present} cannot be written`, todo: 'give yourself access, or use --data DIR' }
    return
  }
  if (!existsSync(dataDir)) {
    yield { status: 'PASS', check: 'data', message: `${dataDir} will be created` }
    return
  }
  const mode = statSync(dataDir).mode & 0o077
  const secrets = [
    walletPath(dataDir),
    join(dataDir, 'chain', 'keys.json'),
    ...listWorkers(dataDir).map(({ path }) => join(path, 'identity.key')),
  ]
  const open = secrets.filter((path) => existsSync(path) && (statSync(path).mode & 0o077) !== 0)
  if (open.length > 0)
    yield {
      status: 'FAIL',
      check: 'keys',
      message: `others on this machine can read ${open.join(', ')}`,
      todo: `chmod 600 ${open.join(' ')}`,
    }
  else if (mode !== 0)
    yield { status: 'WARN', check: 'data', message: `others on this machine can look into ${dataDir}`, todo: `chmod 700 ${dataDir}` }
  else yield { status: 'PASS', check: 'data', message: `${dataDir}, readable by you alone` }
  yield* checkFiles(dataDir)
}

/** Files that something was stored in open as what they are. */
function* checkFiles(dataDir: string): Generator<Finding, void, undefined> {
  const journals = listWorkers(dataDir).map(({ path }) => join(path, 'journal.sqlite'))
  const checks: readonly (readonly [path: string, open: () => void])[] = [
    [join(dataDir, 'client', 'client.sqlite'), () => openFileClientStore(join(dataDir, 'client')).close()],
    ...journals.map((path) => [path, () => openSqliteJournal(path).close()] as const),
  ]
  for (const [path, open] of checks) {
    if (!existsSync(path)) continue
    try {
      open()
    } catch (error) {
      yield { status: 'FAIL', check: 'files', message: firstLine(error), todo: 'move the file away; see `docs/errors`' }
    }
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

function checkAnvil(): Finding {
  try {
    return { status: 'PASS', check: 'anvil', message: resolveAnvil() }
  } catch (error) {
    return { status: 'FAIL', check: 'anvil', message: firstLine(error), todo: 'install again: npm ci' }
  }
}

async function checkEngine({ signal }: DiagnoseOptions): Promise<Finding> {
  const model = loadZoo().find(({ card }) => card.format === 'gguf')
  if (model === undefined) return { status: 'WARN', check: 'llama.cpp', message: 'the zoo has no language model to try it with' }
  try {
    await using engine = await openLlamaEngine({ file: model.path, contextTokens: 64, threads: 1 })
    const tokens = await engine.countTokens({ messages: [{ role: 'user', content: 'hello' }] }, { signal })
    return { status: 'PASS', check: 'llama.cpp', message: `${engine.info.build} loads and reads (${tokens} tokens)` }
  } catch (error) {
    signal.throwIfAborted()
    return { status: 'FAIL', check: 'llama.cpp', message: firstLine(error), todo: 'install again: npm ci; language models need it' }
  }
}

async function checkOllama({ signal }: DiagnoseOptions): Promise<Finding> {
  const found = await detectOllama({ host: process.env['OLLAMA_HOST'], signal })
  if (found === undefined) return { status: 'PASS', check: 'ollama', message: 'none runs here, none is needed' }
  const local = found.models.filter(({ remote }) => !remote).map(({ name }) => name)
  return { status: 'PASS', check: 'ollama', message: `${found.address}: ${local.join(', ') || 'no local models'}` }
}

async function checkPort(port: number): Promise<Finding> {
  const taken = await new Promise<boolean>((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(true))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(false)))
  })
  return taken
    ? {
        status: 'WARN',
        check: 'ports',
        message: `${port} is taken; the gateway will take another`,
        todo: '`tacit up --gateway-port PORT` chooses one',
      }
    : { status: 'PASS', check: 'ports', message: `${port} is free for the gateway; everything else takes any free port` }
}

function readNetwork({ dataDir }: DiagnoseOptions): { readonly file: NetworkFile | undefined } | Finding {
  try {
    return { file: findNetwork(dataDir) }
  } catch (error) {
    return { status: 'FAIL', check: 'network', message: firstLine(error), todo: 'delete the file, then `tacit up` or `tacit join`' }
  }
}

async function* checkNetwork(network: NetworkDescription, options: DiagnoseOptions): AsyncGenerator<Finding, void, undefined> {
  let chain: ChainConnection
  try {
    chain = await connectNetwork(network, options.signal)
  } catch (error) {
    yield { status: 'FAIL', check: 'chain', message: firstLine(error), todo: 'is the machine that runs it up? `tacit up` there' }
    return
  }
  yield { status: 'PASS', check: 'chain', message: `${network.chainUrl} is chain ${chain.chainId}, its contracts are there` }
  yield await checkClock(chain)
  yield await checkHealth(
    'relay',
    `${network.relayUrl.replace(/^ws/, 'http')}/health`,
    'requests cannot be sent without it',
    options.signal,
  )
  if (network.dispatcherUrl === null) yield { status: 'PASS', check: 'dispatcher', message: 'this network has none; stakes alone decide' }
  else yield await checkHealth('dispatcher', `${network.dispatcherUrl}/health`, 'requests go on without it, by stake alone', options.signal)
  yield* checkWorkers(chain, network, options)
}

async function checkClock(chain: ChainConnection): Promise<Finding> {
  const { timestamp } = await chain.client.getBlock()
  const skew = Math.floor(Date.now() / 1000) - Number(timestamp)
  // A chain makes a block at least every 12 seconds; only a clock that is behind the chain is certainly wrong.
  return skew < -5 || skew > tolerableSkewSeconds
    ? {
        status: 'WARN',
        check: 'clock',
        message: `this clock is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the latest block`,
        todo: 'set the clock; prekeys and quotes expire by it',
      }
    : { status: 'PASS', check: 'clock', message: `the latest block is ${Math.max(0, skew)} s old` }
}

async function checkHealth(check: string, url: string, todo: string, signal: AbortSignal): Promise<Finding> {
  try {
    await fetchJson(url, { timeoutMs: 5_000, signal })
    return { status: 'PASS', check, message: new URL(url).origin }
  } catch (error) {
    signal.throwIfAborted()
    return { status: check === 'relay' ? 'FAIL' : 'WARN', check, message: firstLine(error), todo }
  }
}

async function* checkWorkers(
  chain: ChainConnection,
  network: NetworkDescription,
  { signal, dataDir }: DiagnoseOptions,
): AsyncGenerator<Finding, void, undefined> {
  const [workers, models] = await Promise.all([fetchWorkerIds(chain, { limit: 50 }), findModels(chain, network.dispatcherUrl, signal)])
  const signatures = await loadFastSignatures()
  const own = new Set(listWorkers(dataDir).flatMap(({ path }) => addressIn(path, signatures)))
  const dialer = createNodeDialer()
  let serving = 0
  for (const worker of workers) {
    const eligible = (await Promise.all(models.map(({ id }) => fetchEligibility(chain, worker, id)))).filter(Boolean).length
    const live = await probeWorker(dialer, network.relayUrl, worker).catch(() => undefined) // not reachable is the finding
    if (eligible > 0 && live !== undefined) serving++
    const message = `${shorten(worker)}: eligible for ${eligible} of ${models.length} models, ${live === undefined ? 'not reachable' : `${live.running} of ${live.capacity} jobs`}`
    if (eligible > 0 && live !== undefined) yield { status: 'PASS', check: 'worker', message }
    else if (own.has(worker))
      yield { status: 'WARN', check: 'worker', message, todo: '`tacit worker start` (or `tacit up`) runs and stakes it again' }
  }
  if (serving === 0)
    yield { status: 'FAIL', check: 'workers', message: 'no worker is both eligible and reachable', todo: '`tacit worker start` runs one' }
}

function addressIn(path: string, signatures: Awaited<ReturnType<typeof loadFastSignatures>>): readonly string[] {
  try {
    return [openKeyFile(join(path, 'identity.key'), signatures).address]
  } catch {
    return [] // the check of files has said so
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
