// What the tether and the process that started it say to each other: JSON lines over the tether's stdin and stdout.

/** What the tether is told when it starts; no secrets, since it stands on the command line. */
export type TetherConfig = {
  readonly directory: string
  readonly anvil: string
  readonly chainId: string
  /** 0 for any free port. */
  readonly port: number
  readonly blockSeconds: number
  /** The one web origin whose pages may call the chain; null for none. */
  readonly allowOrigin: string | null
  /** How long to wait for a predecessor that is still writing its last snapshot. */
  readonly lockWaitMs: number
  readonly startTimeoutMs: number
  /** How often a chain that changed is written to disk. */
  readonly snapshotMs: number
}

/** What the tether says. */
export type TetherMessage =
  | { readonly kind: 'ready'; readonly port: number; readonly anvilPid: number; readonly isRestored: boolean }
  | { readonly kind: 'restarted'; readonly anvilPid: number }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly failure: TetherFailure }

/** Why it could not start. */
export type TetherFailure =
  | { readonly reason: 'directory-in-use'; readonly holderPid: number | null }
  | { readonly reason: 'port-in-use'; readonly port: number }
  | { readonly reason: 'state-corrupt'; readonly file: string; readonly detail: string }
  | { readonly reason: 'start-failed'; readonly detail: string; readonly output: readonly string[] }

/** What it is asked to do. */
export type TetherCommand = { readonly kind: 'snapshot' | 'stop'; readonly id: number }
