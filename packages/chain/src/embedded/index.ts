export { resolveAnvil } from './binary.ts'
export type { EmbeddedKeys } from './keys.ts'
export { type EmbeddedChain, startEmbeddedChain, type StartEmbeddedChainOptions } from './start.ts'
