// A straight-line program: the verifier of one layer spec, written down instruction by instruction.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@tacit/protocol'
import { HashTree } from './hash-tree.ts'
import { encodeInstruction, type Instruction, instructionSet } from './instruction.ts'

const NOTHING = new Uint8Array(0)

/** The instructions of a verifier in flat arrays, and the Merkle tree over them. */
export class Program {
  readonly count: number
  readonly #opcodes: Uint8Array
  readonly #fields: Uint32Array
  readonly #immediates: ReadonlyMap<number, Uint8Array>
  #tree: HashTree | undefined

  constructor(opcodes: Uint8Array, fields: Uint32Array, immediates: ReadonlyMap<number, Uint8Array>) {
    this.count = opcodes.length
    this.#opcodes = opcodes
    this.#fields = fields
    this.#immediates = immediates
  }

  /** Instruction `k`. */
  instruction(k: number): Instruction {
    if (!Number.isInteger(k) || k < 0 || k >= this.count) throw new RangeError(`There is no instruction ${k}.`)
    const [a = 0, b = 0, c = 0] = this.#fields.subarray(3 * k, 3 * k + 3)
    return { opcode: this.#opcodes[k] ?? 0, a, b, c, immediate: this.#immediates.get(k) ?? NOTHING }
  }

  /** The Merkle tree over the instructions, made on first use. */
  get tree(): HashTree {
    this.#tree ??= HashTree.build(this.count, (k) => instructionLeaf(k, encodeInstruction(this.instruction(k))))
    return this.#tree
  }

  /** The root that a chain knows of this program. */
  get root(): Uint8Array {
    return this.tree.root
  }

  /** How often each instruction occurs. */
  countByName(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const opcode of this.#opcodes) {
      const name = instructionSet[opcode]?.name ?? ''
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return counts
  }
}

/** keccak256(u8 2 | u32 index | instruction). */
export function instructionLeaf(index: number, instruction: Uint8Array): Uint8Array {
  return keccak_256(concatBytes(leafHead(2, index), instruction))
}

/** u8 tag | u32 index. */
export function leafHead(tag: number, index: number): Uint8Array {
  const head = new Uint8Array(5)
  const view = new DataView(head.buffer)
  view.setUint8(0, tag)
  view.setUint32(1, index)
  return head
}
