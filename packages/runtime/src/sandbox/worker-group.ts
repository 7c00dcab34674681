// One worker, or two that share each run: they are started, asked and ended together.
import type { ModuleParallel, ModuleSpan } from '@tacit/protocol'
import { EngineCrashedError } from '../errors.ts'
import { SandboxTrapError } from './sandbox-errors.ts'
import { teamHeaderBytes, type WorkerReply, type WorkerRequest, type WorkerSetup } from './sandbox-worker-main.ts'

/** A started worker. `terminate` ends it at once, whatever it computes. */
export type SandboxWorker = {
  send(request: WorkerRequest): void
  terminate(): void
}

/** Starts workers and tells time: what differs between Node and browsers. */
export type SandboxHost = {
  start(listeners: { onReply(reply: WorkerReply): void; onExit(detail: string): void }): SandboxWorker
  /** Calls back after some milliseconds, unless cancelled by the function it returns. */
  delay(ms: number, callback: () => void): () => void
}

export type WorkerDone = Extract<WorkerReply, { kind: 'done' }>
export type WorkerRun = Omit<Extract<WorkerRequest, { kind: 'run' }>, 'kind' | 'id'>

/** What a group is told to run; `parallel` makes it two workers. */
export type GroupSetup = { readonly setup: WorkerSetup; readonly parallel?: ModuleParallel }

type Pending = {
  readonly id: number
  resolve(reply: WorkerDone): void
  reject(error: unknown): void
}

/** Ends as a whole: at the first error of one of its workers, or when told to. */
export class WorkerGroup {
  readonly #workers: readonly SandboxWorker[]
  readonly #onEnd: () => void
  #pending: Pending | undefined
  #nextId = 1
  #ended = false

  constructor(host: SandboxHost, { setup, parallel }: GroupSetup, onEnd: () => void) {
    this.#onEnd = onEnd
    const teams = parallel === undefined ? [undefined] : teamsOf(parallel, setup.inputs)
    this.#workers = teams.map((team) => {
      const worker = host.start({
        onReply: (reply) => this.#settle(reply),
        onExit: (detail) => this.end(new EngineCrashedError(detail)),
      })
      worker.send({ kind: 'setup', setup: team === undefined ? setup : { ...setup, team } })
      return worker
    })
  }

  get isRunning(): boolean {
    return this.#pending !== undefined
  }

  /** Asks the first worker, which asks the second. */
  run(request: WorkerRun): Promise<WorkerDone> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending = { id, resolve, reject }
      this.#workers[0]?.send({ kind: 'run', id, ...request })
    })
  }

  end(reason: unknown): void {
    if (this.#ended) return
    this.#ended = true
    for (const worker of this.#workers) worker.terminate()
    this.#onEnd()
    this.#pending?.reject(reason)
    this.#pending = undefined
  }

  #settle(reply: WorkerReply): void {
    const pending = this.#pending
    if (reply.kind === 'ready' || pending === undefined) return
    // The second worker does not know the numbers of runs: its failures have none.
    if (reply.id !== pending.id && reply.id !== 0) return
    if (reply.kind === 'failed') {
      this.#fail(new SandboxTrapError(reply.detail))
      return
    }
    this.#pending = undefined
    pending.resolve(reply)
  }

  // A worker alone can go on after a trap. Of two, the other one may wait for what never comes.
  #fail(error: SandboxTrapError): void {
    if (this.#workers.length > 1) {
      this.end(error)
      return
    }
    this.#pending?.reject(error)
    this.#pending = undefined
  }
}

function teamsOf(parallel: ModuleParallel, inputs: WorkerSetup['inputs']): readonly NonNullable<WorkerSetup['team']>[] {
  const exchanges = [
    ...parallel.layers.flatMap(({ stages, gather }) => [...stages.flatMap((stage) => [stage.toFirst, stage.toSecond]), gather]),
  ]
  const mailboxBytes = Math.ceil(Math.max(0, ...[...exchanges, parallel.closing].map(roomFor)) / 64) * 64
  const inputBytes = inputs.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 8) * 8, 0)
  const shared = new SharedArrayBuffer(teamHeaderBytes + 4 * mailboxBytes + inputBytes)
  return ([0, 1] as const).map((thread) => ({ thread, shared, mailboxBytes, parallel }))
}

// Every piece may be moved by up to seven bytes, to keep its place within a word.
function roomFor(spans: readonly ModuleSpan[]): number {
  return spans.reduce((sum, { sizeBytes, count }) => sum + (sizeBytes + 7) * count, 0)
}
