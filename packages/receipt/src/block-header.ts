// An execution block header: what hashes to the block's hash, and the state root inside it.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Bytes32, parseBytes32, toHex } from '@tacit/protocol'
import { decodeList } from './merkle-patricia.ts'

/** Mainnet headers are about 600 bytes; extra data is at most 32. */
const maxHeaderBytes = 2048

/** The fields of a header that evidence needs. */
export type BlockHeader = {
  readonly hash: Bytes32
  readonly number: bigint
  /** Seconds since 1970. */
  readonly timestamp: bigint
  readonly stateRoot: Uint8Array
}

/** Reads an RLP header (yellow paper, section 4.3: state root is field 3, number 8, timestamp 11), or undefined when it is none. */
export function readBlockHeader(encoded: Uint8Array): BlockHeader | undefined {
  if (encoded.length > maxHeaderBytes) return undefined
  const fields = decodeList(encoded, 15)
  const stateRoot = fields?.[3]
  const number = readInteger(fields?.[8])
  const timestamp = readInteger(fields?.[11])
  if (stateRoot?.length !== 32 || number === undefined || timestamp === undefined) return undefined
  return { hash: parseBytes32(toHex(keccak_256(encoded))), number, timestamp, stateRoot }
}

function readInteger(field: Uint8Array | undefined): bigint | undefined {
  if (field === undefined || field.length > 8) return undefined
  return field.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}
