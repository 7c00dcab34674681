// One run of anvil: spawned, awaited, asked, ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { anvilMarker, recordAnvil } from './orphan.ts'
import type { TetherConfig, TetherFailure } from './tether-protocol.ts'

/** A running anvil, seen from its tether. */
export type AnvilProcess = {
  readonly pid: number
  readonly port: number
  readonly exited: Promise<number | null>
  readonly request: (method: string, params?: readonly unknown[]) => Promise<unknown>
  /** At once; the state must have been dumped before. */
  readonly kill: () => Promise<void>
}

/** A failure to start, in the words of the tether's messages. */
export class StartFailure extends Error {
  readonly failure: TetherFailure
  constructor(failure: TetherFailure) {
    super(failure.reason)
    this.failure = failure
  }
}

/** Starts anvil and waits until it answers as the right chain. */
export async function startAnvil(config: TetherConfig, port: number, statePath: string | undefined): Promise<AnvilProcess> {
  const child = spawn(config.anvil, anvilArguments(config, port, statePath), {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of the caller's environment: FOUNDRY_* and ETH_* variables would change what runs.
    env: { HOME: config.directory, PATH: process.env['PATH'] ?? '' },
  })
  const output = keepLastLines(child)
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code))
    child.once('error', () => resolve(null))
  })
  if (child.pid === undefined) throw new StartFailure({ reason: 'start-failed', detail: 'anvil could not be executed', output: [] })
  recordAnvil(config.directory, child.pid)
  // Whatever ends the tether, also an error or a stop that comes while anvil still starts, ends anvil.
  const killWithUs = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', killWithUs)
  void exited.then(() => process.off('exit', killWithUs))
  const anvil: AnvilProcess = {
    pid: child.pid,
    port,
    exited,
    request: (method, params = []) => request(port, method, params),
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
  await untilItAnswers(anvil, config, output)
  return anvil
}

/** Port 0 is replaced by a free one; a given port must be free. */
export async function choosePort(wanted: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', () => reject(new StartFailure({ reason: 'port-in-use', port: wanted })))
    probe.listen({ port: wanted, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : wanted
      probe.close(() => resolve(port))
    })
  })
}

function anvilArguments(config: TetherConfig, port: number, statePath: string | undefined): readonly string[] {
  return [
    ...[
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      ...(config.allowOrigin === null ? ['--no-cors'] : ['--allow-origin', config.allowOrigin]),
    ],
    ...['--chain-id', config.chainId, '--hardfork', 'osaka'],
    // No accounts of its own: their keys would be the ones that everybody knows.
    ...['--accounts', '0', '--disable-default-create2-deployer'],
    // A block for every transaction at once, and one now and then so that time passes on chain too.
    ...['--mixed-mining', '--block-time', String(config.blockSeconds)],
    ...['--cache-path', anvilMarker(config.directory)],
    ...(statePath === undefined ? [] : ['--load-state', statePath]),
  ]
}

function keepLastLines(child: ChildProcess): readonly string[] {
  const lines: string[] = []
  const keep = (chunk: Buffer): void => {
    for (const line of chunk.toString('utf8').split('\n')) if (line.trim() !== '') lines.push(line.trim().slice(0, 300))
    lines.splice(0, Math.max(0, lines.length - 20))
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return lines
}

async function untilItAnswers(anvil: AnvilProcess, config: TetherConfig, output: readonly string[]): Promise<void> {
  const started = performance.now()
  let hasExited = false
  void anvil.exited.then(() => {
    hasExited = true
  })
  for (;;) {
    // Reading its output costs next to nothing; asking before it listens costs more than it does itself.
    const waitedMs = performance.now() - started
    const isWorthAsking = waitedMs > 2_000 || output.some((line) => line.startsWith('Listening on'))
    const answer = isWorthAsking ? await anvil.request('eth_chainId').catch(() => undefined) : undefined
    if (typeof answer === 'string' && BigInt(answer) === BigInt(config.chainId) && !hasExited) return
    if (hasExited) {
      if (output.some((line) => /address already in use/i.test(line))) throw new StartFailure({ reason: 'port-in-use', port: anvil.port })
      throw new StartFailure({ reason: 'start-failed', detail: 'anvil ended while it started', output })
    }
    if (performance.now() - started > config.startTimeoutMs) {
      await anvil.kill()
      throw new StartFailure({ reason: 'start-failed', detail: `anvil did not answer within ${config.startTimeoutMs} ms`, output })
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function request(port: number, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(30_000),
  })
  const answer = (await response.json()) as { result?: unknown; error?: { message?: string } }
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message ?? 'refused'}`)
  return answer.result
}
