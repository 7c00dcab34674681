// The parent's side: starts a role process, waits until it is ready, and ends it by closing its input.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Address } from '@tacit/protocol'
import { RoleFailedError } from '../../errors.ts'
import type { RoleCommand, RoleConfig, RoleEvent } from './role-config.ts'

/** A role that runs. */
export type RunningRole = AsyncDisposable & {
  readonly role: RoleConfig['role']
  readonly pid: number
  readonly url: string | undefined
  readonly address: Address | undefined
  /** Settles with the exit code when the process has ended, also unexpectedly. */
  readonly exited: Promise<number | null>
  readonly send: (command: RoleCommand) => void
  readonly stop: () => Promise<void>
}

export type SpawnRoleOptions = {
  readonly onEvent?: (event: RoleEvent) => void
  readonly signal?: AbortSignal
}

const killAfterMs = 7_000

/** A role process that has started and loads its code while nobody knows yet what to tell it. */
export type PreparedRole = {
  /** @throws RoleFailedError when it ends before it is ready. */
  readonly start: (config: RoleConfig, options?: SpawnRoleOptions) => Promise<RunningRole>
  readonly stop: () => Promise<void>
}

/** @throws RoleFailedError when it ends before it is ready. */
export function spawnRole(config: RoleConfig, options: SpawnRoleOptions = {}): Promise<RunningRole> {
  return prepareRole(config.role).start(config, options)
}

/** Starts the process of a role ahead of its configuration. */
export function prepareRole(role: RoleConfig['role']): PreparedRole {
  const entry = fileURLToPath(new URL(`./main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
  const child = spawnPiped([...process.execArgv, entry, role])
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code))
    child.once('error', () => resolve(null))
  })
  const errors = collectTail(child)
  child.stdin.on('error', () => {}) // a child that died is noticed by its exit
  const stop = async (): Promise<void> => {
    child.stdin.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    await exited
    clearTimeout(timer)
  }
  return { start: (config, options = {}) => startPrepared({ child, exited, errors, stop }, config, options), stop }
}

type Prepared = {
  readonly child: ChildProcessWithoutNullStreams
  readonly exited: Promise<number | null>
  readonly errors: () => string
  readonly stop: () => Promise<void>
}

async function startPrepared(
  { child, exited, errors, stop }: Prepared,
  config: RoleConfig,
  options: SpawnRoleOptions,
): Promise<RunningRole> {
  child.stdin.write(`${JSON.stringify(config)}\n`)
  try {
    const ready = await waitUntilReady(child, config, options, errors)
    return {
      role: config.role,
      pid: child.pid ?? 0,
      url: ready.url,
      address: ready.address,
      exited,
      send: (command) => void child.stdin.write(`${JSON.stringify(command)}\n`),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function spawnPiped(args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
}

function waitUntilReady(
  child: ChildProcess,
  config: RoleConfig,
  { onEvent, signal }: SpawnRoleOptions,
  errors: () => string,
): Promise<Extract<RoleEvent, { event: 'ready' }>> {
  return new Promise((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    child.once('error', (cause) => reject(new RoleFailedError(config.role, cause.message, { cause })))
    child.once('exit', (code) => reject(new RoleFailedError(config.role, `it ended with code ${code}${errors()}`)))
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseEvent(line)
      if (event === undefined) return
      onEvent?.(event)
      if (event.event === 'ready') resolve(event)
      if (event.event === 'failed') reject(new RoleFailedError(config.role, event.message, { details: [`Code: ${event.code}`] }))
    })
  })
}

// Libraries sometimes write to standard output; only our own lines count.
function parseEvent(line: string): RoleEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'event' in value ? (value as RoleEvent) : undefined
  } catch {
    return undefined
  }
}

function collectTail(child: ChildProcess): () => string {
  let tail = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-2000)
  })
  return () => (tail.trim() === '' ? '' : `:\n${tail.trim()}`)
}
