// Reads values out of Ethereum's state through EIP-1186 proofs. Inclusion is decided by @ethereumjs/mpt; this file bounds the
// input and insists on one form, so that no byte of a proof can be changed, left out or added without being noticed.
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { equalBytes } from '@tacit/protocol'

/** A branch with sixteen hashed children and a value is 532 bytes and more; nothing in the state trie needs twice that. */
const maxNodeBytes = 1024
/** Keys are 64 nibbles, and a leaf may follow the last of them. */
const maxNodes = 65

/** What a proof shows: a value, that there is none under this key, or nothing. */
export type ProofReading =
  | { readonly outcome: 'present'; readonly value: Uint8Array }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'invalid'; readonly reason: string }

/**
 * What the trie with this root holds under keccak256(key). The nodes must be exactly those on the path, root first.
 * Bounded in time and memory; never throws for a bad proof.
 */
export async function readProof(root: Uint8Array, key: Uint8Array, nodes: readonly Uint8Array[]): Promise<ProofReading> {
  const unfit = unfitReason(root, nodes)
  if (unfit !== undefined) return { outcome: 'invalid', reason: unfit }
  try {
    return await readTrie(root, key, nodes)
  } catch {
    // The library throws for missing nodes and for nodes that are not RLP.
    return { outcome: 'invalid', reason: 'the nodes do not lead from the root to the key' }
  }
}

function unfitReason(root: Uint8Array, nodes: readonly Uint8Array[]): string | undefined {
  const first = nodes[0]
  if (first === undefined) return 'there are no nodes'
  if (nodes.length > maxNodes) return `there are more than ${maxNodes} nodes`
  if (nodes.some((node) => node.length > maxNodeBytes)) return `a node is longer than ${maxNodeBytes} bytes`
  // Also the reason why the nodes below can be decoded safely: each of them is bound to the root before it is read.
  if (!equalBytes(keccak_256(first), root)) return 'the first node is not the root'
  return undefined
}

async function readTrie(root: Uint8Array, key: Uint8Array, nodes: readonly Uint8Array[]): Promise<ProofReading> {
  const trie = new MerklePatriciaTrie({ root: Uint8Array.from(root), useKeyHashing: true })
  for (const node of nodes) await trie.database().put(keccak_256(node), node)
  const { node, remaining, stack } = await trie.findPath(keccak_256(key), true)
  // Nodes shorter than a hash travel inside their parent; all others, and the root, are items of the proof.
  const path = stack.map((step) => step.serialize()).filter((step, index) => index === 0 || step.length >= 32)
  const exact = path.length === nodes.length && path.every((step, index) => equalBytes(step, nodes[index] ?? new Uint8Array()))
  if (!exact) return { outcome: 'invalid', reason: 'the nodes are not exactly those on the path to the key' }
  const value = node !== null && remaining.length === 0 ? node.value() : null
  return value === null || value.length === 0 ? { outcome: 'absent' } : { outcome: 'present', value }
}

/** An account of the state trie, as far as evidence needs it. */
export type ProvenAccount = { readonly storageRoot: Uint8Array }

/** The storage root of an account that exists under this state root. */
export async function readAccount(
  stateRoot: Uint8Array,
  address: Uint8Array,
  nodes: readonly Uint8Array[],
): Promise<ProvenAccount | { readonly invalid: string }> {
  const reading = await readProof(stateRoot, address, nodes)
  if (reading.outcome === 'invalid') return { invalid: reading.reason }
  if (reading.outcome === 'absent') return { invalid: 'there is no such account' }
  const fields = decodeList(reading.value, 4) // nonce, balance, storage root, code hash
  const storageRoot = fields?.[2]
  if (storageRoot === undefined || storageRoot.length !== 32) return { invalid: 'the account has no storage root' }
  return { storageRoot }
}

/** The value of a storage slot; absent slots are zero, as the EVM reads them. */
export async function readSlot(
  storageRoot: Uint8Array,
  slot: Uint8Array,
  nodes: readonly Uint8Array[],
): Promise<{ readonly value: bigint } | { readonly invalid: string }> {
  const reading = await readProof(storageRoot, slot, nodes)
  if (reading.outcome === 'invalid') return { invalid: reading.reason }
  if (reading.outcome === 'absent') return { value: 0n }
  const value = decodeBytes(reading.value)
  if (value === undefined || value.length > 32 || value[0] === 0) return { invalid: 'the slot does not hold a canonical integer' }
  return { value: value.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) }
}

/** A flat RLP list of byte strings with at least `minItems`, or undefined. */
export function decodeList(encoded: Uint8Array, minItems: number): readonly Uint8Array[] | undefined {
  try {
    const decoded: unknown = RLP.decode(encoded)
    if (!Array.isArray(decoded) || decoded.length < minItems) return undefined
    return decoded.every((item) => item instanceof Uint8Array) ? decoded : undefined
  } catch {
    return undefined
  }
}

function decodeBytes(encoded: Uint8Array): Uint8Array | undefined {
  try {
    const decoded: unknown = RLP.decode(encoded)
    return decoded instanceof Uint8Array ? decoded : undefined
  } catch {
    return undefined
  }
}
