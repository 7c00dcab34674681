export { type AgreedShares, createChannelReader, createRedeemer, fetchAgreedShares } from './chain-services.ts'
export { type Enrolment, enrolWorker, publishCard } from './enrolment.ts'
export { serveChainProxy } from './chain-proxy.ts'
export { loadFastSignatures } from './fast-signatures.ts'
export { openKeyFile, writeDurably } from './key-file.ts'
export { type OpenedModel, openServedModel } from './open-model.ts'
export { probeWorker } from './probe-worker.ts'
export type {
  ChainConfig,
  DispatcherConfig,
  ListenConfig,
  ModelConfig,
  RelayConfig,
  RoleCommand,
  RoleConfig,
  RoleEvent,
  WorkerConfig,
} from './roles/role-config.ts'
export { type RunningRole, type SpawnRoleOptions, spawnRole } from './roles/spawn-role.ts'
export { openSqliteJournal } from './sqlite-journal.ts'
export {
  type LocalNetwork,
  type LocalNetworkListen,
  type LocalNetworkOptions,
  startLocalNetwork,
} from './local-network/start-local-network.ts'
export { cardOfOllamaModel, cardOfStoredModel } from './local-network/stored-model.ts'
export { loadZoo, type ZooModel, zooDirectory } from './local-network/zoo.ts'
