export { chooseWorkers, routeId, type WorkerChoice } from './choose-workers.ts'
export { type ClientStore, MemoryClientStore, type OwnChannel, type SavedReceipt } from './client-store.ts'
export {
  ClientDataCorruptError,
  NoWorkerError,
  PoolEmptyError,
  PrekeyRefusedError,
  StreamLostError,
  UnknownModelError,
  WorkerIneligibleError,
  WorkerUnreachableError,
} from './errors.ts'
export { WireChannel } from './wire-channel.ts'
export type { JobEvent } from './job-run.ts'
export { type LedgerStore, MemoryLedgerStore } from './ledger-store.ts'
export { checkPrekey, WorkerSession, type WorkerSessionOptions } from './worker-session.ts'
export { findModels, type ListedModel } from './find-models.ts'
export { type NetworkDescription, networkDescriptionSchema } from './network-description.ts'
export { type InferEvent, type InferRequest, TacitClient, type TacitClientOptions } from './tacit-client.ts'
