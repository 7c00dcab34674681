import type { Bytes32, Quote, SessionId } from '@tacit/protocol'
import type { Session } from '@tacit/session'
import type { Job } from './job.ts'
import type { ServedModel } from './served-model.ts'

/** A session that a client opened here. */
export type OpenSession = {
  /** Its name on the wire. */
  readonly handle: SessionId
  /** Its name in documents; known when the first quote request opens it. */
  id: SessionId | undefined
  readonly session: Session
  readonly model: ServedModel
  readonly quotes: Map<Bytes32, Quote>
  readonly jobs: Map<number, Job>
  lastUsedMs: number
}

/** Sessions in memory, least recently used first; the oldest idle one makes room for a new one. */
export class SessionTable {
  readonly #sessions = new Map<SessionId, OpenSession>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#sessions.size
  }

  get(id: SessionId, nowMs: number): OpenSession | undefined {
    const found = this.#sessions.get(id)
    if (found === undefined) return undefined
    found.lastUsedMs = nowMs
    this.#sessions.delete(id)
    this.#sessions.set(id, found)
    return found
  }

  has(id: SessionId): boolean {
    return this.#sessions.has(id)
  }

  /** False when the table is full of sessions that are in use. */
  add(open: OpenSession): boolean {
    if (this.#sessions.size >= this.#limit && !this.#evictIdle()) return false
    this.#sessions.set(open.handle, open)
    return true
  }

  /** Erases every session. */
  clear(): void {
    for (const open of this.#sessions.values()) open.session.erase()
    this.#sessions.clear()
  }

  *jobs(): Generator<Job> {
    for (const open of this.#sessions.values()) yield* open.jobs.values()
  }

  #evictIdle(): boolean {
    for (const open of this.#sessions.values()) {
      if ([...open.jobs.values()].some((job) => job.running)) continue
      open.session.erase()
      this.#sessions.delete(open.handle)
      return true
    }
    return false
  }
}
