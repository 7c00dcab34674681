import type { ChannelView } from '@tacit/exchange'
import type { Address, Bytes32, ModelId, SignatureBackend, Signer, SigningDomain } from '@tacit/protocol'
import type { AeadBackend, RandomSource } from '@tacit/session'
import type { Journal } from './journal.ts'
import type { ServedModel } from './served-model.ts'

/** What names a channel, apart from the payee, who is this worker. */
export type ChannelKey = { readonly payer: Address; readonly model: ModelId; readonly salt: Bytes32 }

/** Everything a worker needs from outside; the same role logic runs in Node and in a tab. */
export type WorkerServices = {
  readonly domain: SigningDomain
  /** The registered identity key. */
  readonly signer: Signer
  readonly signatures: SignatureBackend
  readonly aead?: AeadBackend
  readonly random: RandomSource
  /** Seconds since 1970. */
  readonly now: () => number
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: () => number
  readonly journal: Journal
  readonly models: readonly ServedModel[]
  /** The lock as the chain shows it; asks the chain again when what is known holds less than `needs`. */
  readonly channel: (key: ChannelKey, options: { readonly needs: bigint }) => Promise<ChannelView | undefined>
  /** Whether there is room for one more running job. */
  readonly admit: () => boolean
  readonly draining: () => boolean
  /** Told of failures that are this worker's own; they never contain prompts. */
  readonly report: (error: unknown) => void
}
