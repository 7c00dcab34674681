import type { Address, Bytes32, ChannelId, Levels, StreamMode } from '@tacit/protocol'
import type { JobInput } from './payload.ts'

/** What the caller wants and what it allows. */
export type ClientOrder = {
  readonly payer: Address
  readonly channel: ChannelId
  readonly channelSalt: Bytes32
  readonly levels: Levels
  readonly streamMode: StreamMode
  readonly input: JobInput
  /** The whole request may not cost more. */
  readonly maxPrice: bigint
  /** Nobody else may be able to read the input. */
  readonly allowedReaders: readonly Address[]
  readonly deadlineSeconds: number
}
