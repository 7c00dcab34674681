// All values of a program for one statement and proof, and the Merkle tree over them.
import type { LayerStatement } from '@tacit/protocol'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import type { ProofEngine } from '../engine.ts'
import { type Kernels, POINT_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { buildVerifier } from './build-verifier.ts'
import { execute, type Reads } from './execute.ts'
import { HashTree } from './hash-tree.ts'
import { type Instruction, instructionSet, opcodeOf } from './instruction.ts'
import { affineSums, decompressAll, multiplyAdd, placeSums, readPoint, writePoint } from './point-lane.ts'
import type { Program } from './program.ts'
import { bytesAt, type VerifierInput, verifierInput } from './source.ts'
import { toNumber, type Value, valueLeaf } from './value.ts'

const [WORD, POINT] = [32, 64] as const
const CONST_POINT = opcodeOf('CONST_POINT')
const DECOMPRESS = opcodeOf('POINT')
const MULADD = opcodeOf('MULADD')
const IDENTITY = opcodeOf('IDENTITY')
const resultBytes = instructionSet.map(({ result }) => (result === 'point' ? POINT : WORD))

/** The values of a run. */
export class Trace {
  readonly program: Program
  readonly input: VerifierInput
  readonly #values: Uint8Array
  #tree: HashTree | undefined

  constructor(program: Program, input: VerifierInput, values: Uint8Array) {
    this.program = program
    this.input = input
    this.#values = values
  }

  /** Whether the last instruction says that the proof verifies. */
  get verdict(): boolean {
    return this.value(this.program.count - 1).some((byte) => byte !== 0)
  }

  /** The value of node `k`. */
  value(k: number): Value {
    return this.#values.slice(POINT * k, POINT * k + (resultBytes[this.program.instruction(k).opcode] ?? WORD))
  }

  /** The tree over the values, hashed on first use. */
  get tree(): HashTree {
    this.#tree ??= HashTree.build(this.program.count, (k) => valueLeaf(k, this.value(k)))
    return this.#tree
  }

  /** What a poster commits to. */
  get root(): Uint8Array {
    return this.tree.root
  }
}

/** Runs a program. Every program that `buildVerifier` makes has a value at every node, whatever the input is. */
export function runProgram(program: Program, input: VerifierInput, options: { readonly engine: ProofEngine }): Trace {
  const { kernels } = options.engine
  return kernels.scoped(() => new Trace(program, input, new Run(kernels, program, input).values()))
}

/**
 * The trace of the verification of one proof.
 * @example
 * const trace = traceVerification(statement, proof, { engine })
 * if (trace.verdict) console.log(assertionOf(trace).assertion.traceRoot)
 */
export function traceVerification(
  statement: LayerStatement,
  proof: Uint8Array,
  options: { readonly engine: ProofEngine; readonly program?: Program },
): Trace {
  return runProgram(options.program ?? buildVerifier(statement.spec, options), verifierInput(statement, proof), options)
}

class Run {
  readonly #kernels: Kernels
  readonly #program: Program
  readonly #input: VerifierInput
  readonly #values: Uint8Array
  /** Kernel addresses of points that are constant or decompressed, and of running sums. */
  readonly #points = new Map<number, number>()
  readonly #sums = new Map<number, number>()

  constructor(kernels: Kernels, program: Program, input: VerifierInput) {
    this.#kernels = kernels
    this.#program = program
    this.#input = input
    this.#values = new Uint8Array(POINT * program.count)
  }

  values(): Uint8Array {
    const kernels = this.#kernels
    const nodes = this.#nodesByOpcode()
    this.#placeConstants(nodes.get(CONST_POINT) ?? [])
    this.#decompress(nodes.get(DECOMPRESS) ?? [])
    const chain = nodes.get(MULADD) ?? []
    const sums = placeSums(kernels, chain.length)
    chain.forEach((node, k) => {
      this.#sums.set(node, sums + SUM_BYTES * k)
    })
    const reads = this.#reads()
    for (let k = 0; k < this.#program.count; k++) {
      const instruction = this.#program.instruction(k)
      if (instruction.opcode === CONST_POINT || instruction.opcode === DECOMPRESS) continue
      if (instruction.opcode === MULADD) this.#multiplyAdd(k, instruction)
      else if (instruction.opcode === IDENTITY) this.#checkIdentity(k, instruction)
      else this.#values.set(execute(instruction, reads), POINT * k)
    }
    const affine = affineSums(kernels, sums, chain.length)
    chain.forEach((node, k) => {
      this.#values.set(readPoint(kernels, affine + POINT_BYTES * k), POINT * node)
    })
    return this.#values
  }

  #nodesByOpcode(): ReadonlyMap<number, readonly number[]> {
    const nodes = new Map<number, number[]>([CONST_POINT, DECOMPRESS, MULADD].map((opcode) => [opcode, []]))
    for (let k = 0; k < this.#program.count; k++) nodes.get(this.#program.instruction(k).opcode)?.push(k)
    return nodes
  }

  #reads(): Reads {
    const { words, sources } = this.#input
    return {
      publicWord: (index) => words[index] ?? new Uint8Array(WORD),
      length: (source) => sources[source]?.length ?? 0,
      bytes: (source, offset, length) => bytesAt(sources[source] ?? new Uint8Array(0), offset, length),
      operand: (k) => this.#values.subarray(POINT * k, POINT * k + (resultBytes[this.#program.instruction(k).opcode] ?? WORD)),
    }
  }

  #placeConstants(nodes: readonly number[]): void {
    const at = this.#kernels.allocate(POINT_BYTES * Math.max(1, nodes.length))
    nodes.forEach((node, k) => {
      const { immediate } = this.#program.instruction(node)
      writePoint(this.#kernels, at + POINT_BYTES * k, immediate)
      this.#points.set(node, at + POINT_BYTES * k)
      this.#values.set(immediate, POINT * node)
    })
  }

  #decompress(nodes: readonly number[]): void {
    const encodings = new Uint8Array(ENCODED_POINT_BYTES * nodes.length)
    nodes.forEach((node, k) => {
      const { a, b } = this.#program.instruction(node)
      encodings.set(bytesAt(this.#input.sources[a] ?? new Uint8Array(0), b, ENCODED_POINT_BYTES), ENCODED_POINT_BYTES * k)
    })
    const at = decompressAll(this.#kernels, encodings)
    nodes.forEach((node, k) => {
      this.#points.set(node, at + POINT_BYTES * k)
      this.#values.set(readPoint(this.#kernels, at + POINT_BYTES * k), POINT * node)
    })
  }

  // Verifiers start their sum at the constant identity and multiply points that are constant or decompressed.
  #multiplyAdd(node: number, { a, b, c }: Instruction): void {
    const [into, point] = [this.#sums.get(node), this.#points.get(c)]
    if (into === undefined || point === undefined) throw new RangeError('Sums are not multiplied.')
    const scalar = toNumber(this.#values.subarray(POINT * b, POINT * b + WORD))
    multiplyAdd(this.#kernels, into, { sum: this.#sums.get(a) ?? 0, scalar, point })
  }

  #checkIdentity(node: number, { a, b }: Instruction): void {
    const sum = this.#sums.get(b)
    if (sum === undefined) throw new RangeError('Only sums are compared with the identity.')
    if (this.#kernels.x.isZeroXyzz(sum) !== 0) this.#values.set(this.#values.subarray(POINT * a, POINT * a + WORD), POINT * node)
  }
}
