/** One thing that a relay saw. */
export type RelayEvent = {
  readonly atMs: number
  /** Which connection: the relay's own number. */
  readonly connection: number
  /** Who is at the other end of that connection. */
  readonly party: 'client' | 'worker'
  /** For connections of clients: the worker they asked for. For workers: themselves, once proven. */
  readonly worker: string
} & (
  | { readonly kind: 'connected'; readonly remote: string }
  | { readonly kind: 'received' | 'sent'; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly code: number }
)

/** Takes down everything a relay sees: what its operator, or whoever breaks in, has to work with. */
export type Recorder = (event: RelayEvent) => void

/** A recorder that keeps everything in memory, for tests and measurements. */
export function createRecorder(): { readonly record: Recorder; readonly events: readonly RelayEvent[] } {
  const events: RelayEvent[] = []
  return { record: (event) => void events.push(event), events }
}
