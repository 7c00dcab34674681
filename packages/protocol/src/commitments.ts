import { sha256 } from '@noble/hashes/sha2.js'
import { parseHex, toHex, utf8 } from './bytes.ts'
import { type Bytes32, type ChannelId, keccak, parseBytes32 } from './identifiers.ts'
import { uintToBytes32 } from './uint.ts'

/**
 * keccak256("tacit/voucher/v1" | salt | channelId | amount). Hiding by its 32-byte random salt (keccak256 as a random oracle):
 * a published receipt names its voucher without naming the payer.
 */
export function commitVoucher(opening: VoucherOpening): Bytes32 {
  const salt = parseHex(opening.salt, 'A voucher salt', 32)
  return keccak(utf8('tacit/voucher/v1'), salt, parseHex(opening.channelId, 'A channel id', 32), uintToBytes32(opening.amount))
}

export type VoucherOpening = { readonly salt: Bytes32; readonly channelId: ChannelId; readonly amount: bigint }

/** SHA-256 as a 32-byte value. */
export function sha256Hash(bytes: Uint8Array): Bytes32 {
  return parseBytes32(toHex(sha256(bytes)))
}

/** The smallest power of two that is at least `units`; usage in receipts is rounded so that it does not single out an input. */
export function roundUsage(units: number): number {
  let rounded = units === 0 ? 0 : 1
  while (rounded < units) rounded *= 2
  return rounded
}
