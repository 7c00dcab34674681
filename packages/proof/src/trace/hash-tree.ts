// Binary Merkle trees of fixed depth over numbered leaves (docs/spec/verifier-trace.md, section 4). Leaves that do not exist are 32 zero
// bytes; whole subtrees of them are not stored.
import { keccak_256 } from '@noble/hashes/sha3.js'

const HASH = 32

/** keccak256(u8 1 | left | right). */
export function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * HASH)
  bytes[0] = 1
  bytes.set(left, 1)
  bytes.set(right, 1 + HASH)
  return keccak_256(bytes)
}

/** ceil(log2(count)): the number of levels above the leaves. */
export function treeDepth(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1)
}

/** The root that a leaf and its siblings, from below, lead to. */
export function rootOf(leaf: Uint8Array, index: number, siblings: readonly Uint8Array[]): Uint8Array {
  return siblings.reduce((node, sibling, level) => ((index >>> level) & 1 ? hashPair(sibling, node) : hashPair(node, sibling)), leaf)
}

/** All nodes of a tree, 64 bytes per leaf. */
export class HashTree {
  readonly count: number
  readonly depth: number
  readonly #levels: readonly Uint8Array[]
  readonly #empty: readonly Uint8Array[]

  private constructor(count: number, levels: readonly Uint8Array[], empty: readonly Uint8Array[]) {
    this.count = count
    this.depth = treeDepth(count)
    this.#levels = levels
    this.#empty = empty
  }

  /** Hashes a tree over leaves that are already hashes. */
  static build(count: number, leaf: (index: number) => Uint8Array): HashTree {
    const leaves = new Uint8Array(HASH * count)
    for (let k = 0; k < count; k++) leaves.set(leaf(k), HASH * k)
    const levels: Uint8Array[] = [leaves]
    const empty: Uint8Array[] = [new Uint8Array(HASH)]
    for (let level = 0; level < treeDepth(count); level++) {
      const [below = leaves, hole = new Uint8Array(HASH)] = [levels[level], empty[level]]
      const above = new Uint8Array(HASH * Math.ceil(below.length / (2 * HASH)))
      for (let at = 0; 2 * at < below.length; at += HASH) {
        const right = below.subarray(2 * at + HASH, 2 * at + 2 * HASH)
        above.set(hashPair(below.subarray(2 * at, 2 * at + HASH), right.length === 0 ? hole : right), at)
      }
      levels.push(above)
      empty.push(hashPair(hole, hole))
    }
    return new HashTree(count, levels, empty)
  }

  /** The root. */
  get root(): Uint8Array {
    return this.node(this.depth, 0)
  }

  /** Node `index` of a level; level 0 holds the leaves. */
  node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level]
    if (nodes === undefined || index < 0 || index >= 2 ** (this.depth - level)) throw new RangeError('The tree has no such node.')
    const found = nodes.slice(HASH * index, HASH * (index + 1))
    return found.length === HASH ? found : (this.#empty[level] ?? new Uint8Array(HASH)).slice()
  }

  /** The siblings of a leaf from below. */
  path(index: number): readonly Uint8Array[] {
    return Array.from({ length: this.depth }, (_, level) => this.node(level, (index >>> level) ^ 1))
  }
}
