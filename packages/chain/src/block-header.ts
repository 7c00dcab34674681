// The header of a block, as RLP: the preimage of its hash. Fields in the order of the Ethereum execution specification
// (ethereum/execution-specs, forks/osaka/blocks.py, class Header; order checked here by hashing real blocks): each fork
// appended its own, so a header ends after the last field that its block has.
import { type Hex as ViemHex, keccak256, toRlp } from 'viem'
import type { Hex } from '@tacit/protocol'

/** A block as `eth_getBlockByNumber` answers it, before anybody interpreted it. */
export type RawBlock = Readonly<Record<string, unknown>>

const byteFields = ['parentHash', 'sha3Uncles', 'miner', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom'] as const
const headerFields: readonly (readonly [name: string, form: 'bytes' | 'integer', isOptional: boolean])[] = [
  ...byteFields.map((name) => [name, 'bytes', false] as const),
  ['difficulty', 'integer', false],
  ['number', 'integer', false],
  ['gasLimit', 'integer', false],
  ['gasUsed', 'integer', false],
  ['timestamp', 'integer', false],
  ['extraData', 'bytes', false],
  ['mixHash', 'bytes', false],
  ['nonce', 'bytes', false],
  ['baseFeePerGas', 'integer', true], // EIP-1559
  ['withdrawalsRoot', 'bytes', true], // EIP-4895
  ['blobGasUsed', 'integer', true], // EIP-4844
  ['excessBlobGas', 'integer', true], // EIP-4844
  ['parentBeaconBlockRoot', 'bytes', true], // EIP-4788
  ['requestsHash', 'bytes', true], // EIP-7685
]

/** Encodes a block's header; undefined when a field is missing or malformed, or the result does not hash to the block's own hash. */
export function encodeBlockHeader(block: RawBlock): Hex | undefined {
  const items: ViemHex[] = []
  for (const [name, form, isOptional] of headerFields) {
    const value = block[name]
    if ((value === undefined || value === null) && isOptional) break
    const item = typeof value === 'string' ? (form === 'integer' ? integerBytes(value) : exactBytes(value)) : undefined
    if (item === undefined) return undefined
    items.push(item)
  }
  const header = toRlp(items)
  return keccak256(header) === block['hash'] ? header : undefined
}

function exactBytes(value: string): ViemHex | undefined {
  return /^0x(?:[0-9a-f]{2})*$/i.test(value) ? (value.toLowerCase() as ViemHex) : undefined // the pattern is the type
}

/** RLP integers have no leading zeros, and zero is the empty string. */
function integerBytes(value: string): ViemHex | undefined {
  if (!/^0x[0-9a-f]{1,64}$/i.test(value)) return undefined
  const digits = BigInt(value).toString(16)
  return digits === '0' ? '0x' : `0x${digits.length % 2 === 0 ? '' : '0'}${digits}`
}
