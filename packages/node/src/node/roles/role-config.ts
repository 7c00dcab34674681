// What a role process is told: one line of JSON on its standard input, so that nothing secret stands in a command line.
import type { Deployment } from '@tacit/chain'
import type { Address, ModelCard, ModelId } from '@tacit/protocol'

export type ChainConfig = { readonly chainUrl: string; readonly deployment: Deployment }
export type ListenConfig = { readonly host: string; readonly port: number; readonly exposeBeyondLoopback: boolean }

/** A model to serve and where its engine finds it: a file, or a name at an Ollama server. */
export type ModelConfig = {
  readonly id: ModelId
  readonly card: ModelCard
  readonly source:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'ollama'; readonly model: string; readonly address?: string }
}

export type WorkerConfig = ChainConfig & {
  readonly role: 'worker'
  readonly name: string
  readonly dataDir: string
  readonly relayUrl: string
  readonly models: readonly ModelConfig[]
  readonly maxJobs: number
  readonly redeemSeconds: number
}

export type RelayConfig = {
  readonly role: 'relay'
  readonly listen: ListenConfig /** Writes what it saw to this file; for tests. */
  readonly recordTo?: string
}

export type DispatcherConfig = ChainConfig & {
  readonly role: 'dispatcher'
  readonly dataDir: string
  readonly relayUrl: string
  readonly listen: ListenConfig
  /** Whether it sends tokens to whoever asks; only where the chain has a faucet. */
  readonly faucet: boolean
  readonly models: readonly { readonly id: ModelId; readonly card: ModelCard }[]
}

export type RoleConfig = WorkerConfig | RelayConfig | DispatcherConfig

/** What a role process says on its standard output, one JSON line each. */
export type RoleEvent =
  | { readonly event: 'ready'; readonly url?: string; readonly address?: Address; readonly pid: number }
  | { readonly event: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }
  | { readonly event: 'redeemed'; readonly amount: string }
  | { readonly event: 'status'; readonly running: number; readonly sessions: number; readonly draining: boolean }

/** What it can be told later, one JSON line each. The end of its input means: stop. */
export type RoleCommand = { readonly command: 'drain' | 'redeem' | 'status' }
