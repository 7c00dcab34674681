// The voucher of x402 batch settlement: cumulative, one channel, signed by the payer.
// Type and domain are those of @x402/evm's batch-settlement scheme, so that its unmodified clients can sign ours.
import { parseHex, utf8 } from './bytes.ts'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type ChannelId, keccak } from './identifiers.ts'
import { channelId, hex, object, type Schema, uint } from './schema.ts'
import type { SignatureHex } from './signature.ts'
import { domainSeparator, type SigningDomain } from './typed-data.ts'
import { parseUint, type UintString, uintToBytes32 } from './uint.ts'

/** "The payee may have taken up to this much from this channel, in total." */
export type Voucher = {
  readonly channelId: ChannelId
  /** In the token's smallest unit; below 2^128. */
  readonly maxClaimableAmount: bigint
}

/** A voucher as it travels. */
export type SignedVoucher = { readonly channelId: ChannelId; readonly maxClaimableAmount: UintString; readonly signature: SignatureHex }

export const signedVoucherSchema: Schema<SignedVoucher> = object({ channelId, maxClaimableAmount: uint(128), signature: hex(65) })

const voucherType = parseHex(keccak(utf8('Voucher(bytes32 channelId,uint128 maxClaimableAmount)')), 'The voucher type', 32)

/**
 * The digest function of one chain and contract, with everything that does not change hashed once: two keccak calls a voucher.
 * EIP-712 domain "x402 Batch Settlement", version "1".
 */
export function createVoucherDigest(domain: SigningDomain): (voucher: Voucher) => Uint8Array {
  const message = new Uint8Array(66)
  message.set([0x19, 0x01])
  message.set(parseHex(domainSeparator('x402 Batch Settlement', '1', domain), 'A domain separator', 32), 2)
  const struct = new Uint8Array(96)
  struct.set(voucherType)
  return ({ channelId, maxClaimableAmount }) => {
    parseUint(maxClaimableAmount.toString(), 'A voucher amount', 128)
    struct.set(parseHex(channelId, 'A channel id', 32), 32)
    struct.set(uintToBytes32(maxClaimableAmount), 64)
    message.set(keccak_256(struct), 34)
    return keccak_256(message)
  }
}
