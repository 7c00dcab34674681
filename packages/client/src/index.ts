export {
  NoWorkerError,
  PoolEmptyError,
  PrekeyRefusedError,
  StreamLostError,
  UnknownModelError,
  WorkerUnreachableError,
} from './errors.ts'
export { WireChannel } from './wire-channel.ts'
export type { JobEvent } from './job-run.ts'
export { type LedgerStore, MemoryLedgerStore } from './ledger-store.ts'
export { checkPrekey, WorkerSession, type WorkerSessionOptions } from './worker-session.ts'
