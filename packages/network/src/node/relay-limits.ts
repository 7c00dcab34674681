import { maxMessageBytesDefault, windowBytes } from '../flow.ts'

/** What a relay takes before it says no. All of it together bounds its memory. */
export type RelayLimits = {
  /** Largest message between client and worker. */
  readonly maxMessageBytes: number
  readonly maxWorkers: number
  readonly maxClients: number
  readonly maxClientsPerWorker: number
  /** Connections, of either kind, from one network address. */
  readonly maxConnectionsPerAddress: number
  /** Bytes that may wait for one client; honest ends keep below by flow control. */
  readonly maxBufferedPerClientBytes: number
  /** Bytes that may wait for one worker before its clients are no longer read. */
  readonly maxBufferedPerWorkerBytes: number
  /** A client that says nothing, and is told nothing, for so long is disconnected. */
  readonly idleMs: number
  /** How long a worker has to prove its identity. */
  readonly proofMs: number
  /** A worker is asked for a sign of life that often; three missing ones end its connection. */
  readonly heartbeatMs: number
}

/** Defaults of {@link RelayLimits}. */
export const relayLimitDefaults: RelayLimits = {
  maxMessageBytes: maxMessageBytesDefault,
  maxWorkers: 256,
  maxClients: 1024,
  maxClientsPerWorker: 128,
  maxConnectionsPerAddress: 512,
  maxBufferedPerClientBytes: 2 * windowBytes,
  maxBufferedPerWorkerBytes: 8 * windowBytes,
  idleMs: 120_000,
  proofMs: 10_000,
  heartbeatMs: 15_000,
}
