// Starts a tether and talks to it.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ChainStartError, DirectoryCorruptError, DirectoryInUseError, PortInUseError } from '../errors.ts'
import type { TetherConfig, TetherFailure, TetherMessage } from './tether-protocol.ts'

/** A running tether, seen from the process that started it. */
export type TetherClient = {
  readonly pid: number
  readonly port: number
  readonly anvilPid: () => number
  readonly isRestored: boolean
  /** Resolves when the tether, and with it the chain, has ended. */
  readonly exited: Promise<void>
  readonly snapshot: () => Promise<void>
  readonly stop: () => Promise<void>
}

type Ready = Extract<TetherMessage, { kind: 'ready' }>

/** @throws DirectoryInUseError, PortInUseError, DirectoryCorruptError, ChainStartError */
export async function startTether(config: TetherConfig, signal: AbortSignal | undefined): Promise<TetherClient> {
  signal?.throwIfAborted()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', tetherPath(), JSON.stringify(config)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C in a terminal reaches us, and we end the tether in order.
    detached: true,
  })
  const tether = new TetherProcess(child, config.directory)
  const onAbort = (): void => {
    child.stdin.destroy()
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const ready = await tether.ready
    return {
      pid: child.pid ?? 0,
      port: ready.port,
      anvilPid: () => tether.anvilPid,
      isRestored: ready.isRestored,
      exited: tether.exited,
      snapshot: () => tether.snapshot(),
      stop: () => tether.stop(),
    }
  } catch (error) {
    await tether.stop()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

class TetherProcess {
  readonly ready: Promise<Ready>
  readonly exited: Promise<void>
  anvilPid = 0
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Map<number, { resolve: () => void; reject: (reason: unknown) => void }>()
  #nextId = 1

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, directory: string) {
    this.#child = child
    let errorOutput = ''
    child.stderr.on('data', (chunk: Buffer) => {
      errorOutput = (errorOutput + chunk.toString('utf8')).slice(-2_000)
    })
    child.stdin.on('error', () => undefined) // it may end before it has read everything
    this.exited = new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    const { promise, resolve, reject } = Promise.withResolvers<Ready>()
    this.ready = promise
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as TetherMessage // our own process, in the same version
      if (message.kind === 'ready') {
        this.anvilPid = message.anvilPid
        resolve(message)
      } else if (message.kind === 'restarted') this.anvilPid = message.anvilPid
      else if (message.kind === 'done') this.#settle(message.id)
      else {
        const error = toError(message.failure, directory)
        reject(error)
        for (const id of [...this.#waiting.keys()]) this.#settle(id, error)
      }
    })
    void this.exited.then(() => {
      const error = new ChainStartError({
        reason: 'The process that holds the chain ended',
        output: errorOutput.split('\n').filter(Boolean),
      })
      reject(error)
      for (const id of [...this.#waiting.keys()]) this.#settle(id, error)
    })
  }

  snapshot(): Promise<void> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ kind: 'snapshot', id })}\n`)
    })
  }

  async stop(): Promise<void> {
    this.#child.stdin.end()
    await this.exited
  }

  #settle(id: number, error?: unknown): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve()
    else waiting?.reject(error)
  }
}

function toError(failure: TetherFailure, directory: string): Error {
  switch (failure.reason) {
    case 'directory-in-use':
      return new DirectoryInUseError({ directory, holderPid: failure.holderPid ?? undefined })
    case 'port-in-use':
      return new PortInUseError(failure.port)
    case 'state-corrupt':
      return new DirectoryCorruptError({ file: failure.file, reason: failure.detail })
    case 'start-failed':
      return new ChainStartError({ reason: failure.detail, output: failure.output })
  }
}

// Run from source or from dist, each with its own extension.
function tetherPath(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './tether.ts' : './tether.js', import.meta.url))
}
