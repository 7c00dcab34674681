// One root over the digests of many layer proofs, and the path that shows one of them: what ProofAnchors holds the root of.
import { type Bytes32, concatBytes, keccak, parseBytes32, parseHex, utf8 } from '@tacit/protocol'

/** Shows that a digest is part of a batch. */
export type ProofBatchOpening = {
  readonly index: number
  readonly count: number
  /** Siblings from the leaf upwards. */
  readonly path: readonly Bytes32[]
}

/** The most digests of one batch. */
export const maxProofBatch = 65_536

const absent = parseBytes32(`0x${'00'.repeat(32)}`)

/**
 * keccak256("tacit/proof-batch/v1" | u32 count | tree), with leaves keccak256(0 | u32 index | digest), nodes keccak256(1 | left | right) and
 * 32 zero bytes for the leaves that fill the tree up to a power of two.
 */
export function proofBatchRoot(digests: readonly Bytes32[]): Bytes32 {
  const [top = absent] = levelsOf(digests).at(-1) ?? []
  return close(digests.length, top)
}

/** The opening of one digest of a batch. */
export function openProofBatch(digests: readonly Bytes32[], index: number): ProofBatchOpening {
  if (digests[index] === undefined) throw new RangeError(`There is no digest ${index} in the batch`)
  const path = levelsOf(digests)
    .slice(0, -1)
    .map((level, height) => level[(index >> height) ^ 1] ?? absent)
  return { index, count: digests.length, path }
}

/** Whether `digest` is where the opening says in the batch with this root. Needs nothing but its arguments. */
export function verifyProofBatch(root: Bytes32, digest: Bytes32, { index, count, path }: ProofBatchOpening): boolean {
  const isPlace = Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count && count <= maxProofBatch
  if (!isPlace || path.length !== Math.ceil(Math.log2(count))) return false
  const top = path.reduce(
    (hash, sibling, height) => ((index >> height) % 2 === 1 ? node(sibling, hash) : node(hash, sibling)),
    leaf(index, digest),
  )
  return close(count, top) === root
}

// From the leaves to the one node at the top.
function levelsOf(digests: readonly Bytes32[]): readonly (readonly Bytes32[])[] {
  if (digests.length === 0 || digests.length > maxProofBatch) throw new RangeError(`A batch has 1 to ${maxProofBatch} digests`)
  const width = 2 ** Math.ceil(Math.log2(digests.length))
  const levels = [Array.from({ length: width }, (_, index) => (digests[index] === undefined ? absent : leaf(index, digests[index])))]
  for (let level = levels[0] ?? []; level.length > 1; level = levels.at(-1) ?? [])
    levels.push(Array.from({ length: level.length / 2 }, (_, k) => node(level[2 * k] ?? absent, level[2 * k + 1] ?? absent)))
  return levels
}

function leaf(index: number, digest: Bytes32): Bytes32 {
  return keccak(Uint8Array.of(0), u32(index), word(digest))
}

function node(left: Bytes32, right: Bytes32): Bytes32 {
  return keccak(Uint8Array.of(1), word(left), word(right))
}

function close(count: number, top: Bytes32): Bytes32 {
  return keccak(concatBytes(utf8('tacit/proof-batch/v1'), u32(count), word(top)))
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

function word(value: Bytes32): Uint8Array {
  return parseHex(value, 'A digest', 32)
}
