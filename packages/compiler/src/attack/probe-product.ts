// The attacker's second step: a product kernel, called alone on inputs of the attacker's choice, says what its weights are.
// Scales, biases and requantisation tables are operands in memory, so the attacker passes neutral ones of their own; what is
// left is the bare sum. One unit input at a time then reads one row of weights, exactly.
import type { KernelCall, OpenedModule } from './open-kernels.ts'

/** Weights of one kernel call as they lie in memory: for each input element that matters, a weight per column. */
export type ProbedProduct = {
  readonly call: KernelCall
  readonly arithmetic: 'f32' | 'int8'
  /** Element offsets from A, ascending. */
  readonly inputs: readonly number[]
  /** One array per column: its weight for each of `inputs`. */
  readonly columns: readonly Float64Array[]
}

type Result = 'f32' | 'i16' | 'i32'
type Operand = { readonly place: number; readonly kind: 'scalar' | 'column' | 'full'; readonly multiplies: boolean }

/** Bytes of the bench for each of A, C (two, for rows of results) and operands; how many columns and elements are looked at. */
const regionBytes = 1 << 20
const maxColumns = 4096
const maxInputs = 8192

/** Whether a kernel is a matrix product or convolution. */
export function isProduct(module: OpenedModule, { kernel, pointers }: KernelCall): boolean {
  if (pointers.length < 3) return false
  if (module.uses(kernel, 'i32x4.dot_i16x8_s')) return true
  const needs = ['v128.load32_splat', 'f32x4.mul', 'f32x4.add'] as const
  const excludes = ['f32x4.sqrt', 'i32x4.shl', 'f32x4.div', 'v128.store32_lane', 'v128.bitselect'] as const
  return needs.every((opcode) => module.uses(kernel, opcode)) && !excludes.some((opcode) => module.uses(kernel, opcode))
}

/**
 * Reads the weights of the first row of a product.
 * @returns undefined where the kernel answers to nothing.
 */
export function probeProduct(module: OpenedModule, call: KernelCall): ProbedProduct | undefined {
  const bench = new Workbench(module, call)
  const columns = bench.columnCount()
  if (columns === 0) return undefined
  const inputs = bench.inputElements(columns)
  const weights = Array.from({ length: columns }, () => new Float64Array(inputs.length))
  for (const [i, element] of inputs.entries()) {
    const row = bench.weightsOf(element, columns)
    for (const [column, values] of weights.entries()) values[i] = row[column] ?? 0
  }
  return { call, arithmetic: bench.arithmetic, inputs, columns: weights }
}

class Workbench {
  readonly arithmetic: 'f32' | 'int8'
  readonly #module: OpenedModule
  readonly #call: KernelCall
  readonly #result: Result
  readonly #view: DataView
  readonly #a: number
  readonly #c: number
  readonly #pointers: readonly number[]
  /** What a unit input is, so that results are weights. */
  readonly #unit: number
  readonly #baseline: readonly number[]

  constructor(module: OpenedModule, call: KernelCall) {
    const { kernel, pointers } = call
    this.#module = module
    this.#call = call
    this.arithmetic = module.uses(kernel, 'i32x4.dot_i16x8_s') ? 'int8' : 'f32'
    const isFloat = this.arithmetic === 'f32' || module.uses(kernel, 'f32x4.convert_i32x4_s')
    this.#result = module.uses(kernel, 'i16x8.narrow_i32x4_s') ? 'i16' : isFloat ? 'f32' : 'i32'
    this.#view = new DataView(module.memory.buffer)
    this.#a = module.benchStart
    this.#c = this.#a + regionBytes
    const shift = shiftOf(module, kernel)
    this.#unit = shift === undefined ? unitOf(module, kernel, this.#result) : 2 ** Math.max(shift - 30, 0)
    const operands = operandsOf(module, call)
    const neutral = operands.map(({ kind, multiplies }, i) => {
      const place = this.#c + (2 + i) * regionBytes
      const bytes =
        shift === undefined
          ? new Uint8Array(new Float32Array(maxColumns).fill(multiplies ? 1 : 0).buffer)
          : neutralRequantization(2 ** Math.min(shift, 30))
      module.memory.set(kind === 'full' ? new Uint8Array(0) : bytes, place)
      return kind === 'full' ? place - this.#c : place
    })
    const [, b = 0] = pointers
    this.#pointers = [this.#a, b, this.#c, ...pointers.slice(3, pointers.length - operands.length), ...neutral]
    module.memory.fill(0, this.#c, this.#c + 2 * regionBytes)
    this.#baseline = this.#answer(() => undefined, maxColumns)
  }

  /**
   * Columns of the first row: how far the effect of the first two elements goes, in whole vectors. The first belongs to the first row
   * only, in a convolution as well: it is in the corner. The second may be the next pixel of an image with one channel; then it does
   * to the second row what the first element does to the first.
   */
  columnCount(): number {
    const [first = [], second = []] = [0, 1].map((element) => this.weightsOf(element, maxColumns))
    const [own, both] = [first, second].map((weights) => wholeVectors(weights.findLastIndex((value) => value !== 0) + 1))
    const width = own ?? 0
    if (width === 0 || (both ?? 0) <= width) return Math.max(width, both ?? 0)
    const repeats = first.slice(0, width).every((value, i) => value === second[width + i])
    return repeats ? width : (both ?? 0)
  }

  /** Elements of A that change any of the first `columns` results, found by halving. */
  inputElements(columns: number): readonly number[] {
    const found: number[] = []
    const probe = (from: number, to: number): void => {
      if (!this.#responds(from, to, columns)) return
      const middle = Math.floor((from + to) / 2)
      if (to - from === 1) found.push(from)
      else {
        probe(from, middle)
        probe(middle, to)
      }
    }
    for (let from = 0; from < maxInputs; from += 32) probe(from, from + 32)
    return found
  }

  #responds(from: number, to: number, columns: number): boolean {
    return [1, -1].some((sign) => {
      const write = (set: (element: number, value: number) => void): void => {
        for (let element = from; element < to; element++) set(element, sign * (1 + ((element * 7) % 5)))
      }
      return this.#answer(write, columns).some((value, i) => value !== this.#baseline[i])
    })
  }

  /** The weight of one element for each column: what a unit of either sign changes, since ReLU or a clamp may hide one of them. */
  weightsOf(element: number, columns: number): readonly number[] {
    const [positive = [], negative = []] = [1, -1].map((sign) => this.#answer((set) => set(element, sign), columns))
    return positive.map((value, i) => {
      const rest = this.#baseline[i] ?? 0
      const [up, down] = [value - rest, (negative[i] ?? 0) - rest]
      return Math.abs(up) >= Math.abs(down) ? up : -down
    })
  }

  /** Runs the kernel on an A that is zero but for what `write` sets. */
  #answer(write: (set: (element: number, value: number) => void) => void, columns: number): number[] {
    const { memory } = this.#module
    const written: number[] = []
    const size = this.arithmetic === 'f32' ? 4 : 2
    write((element, value) => {
      written.push(element)
      this.#set(element, value * this.#unit)
    })
    this.#module.call(this.#call.kernel, ...this.#pointers)
    for (const element of written) memory.fill(0, this.#a + element * size, this.#a + (element + 1) * size)
    return this.#read(columns)
  }

  #set(element: number, value: number): void {
    if (this.arithmetic === 'f32') this.#view.setFloat32(this.#a + 4 * element, value, true)
    else this.#view.setInt16(this.#a + 2 * element, value, true)
  }

  #read(columns: number): number[] {
    const size = this.#result === 'i16' ? 2 : 4
    return Array.from({ length: columns }, (_, i) => {
      const at = this.#c + size * i
      if (this.#result === 'i16') return this.#view.getInt16(at, true)
      return this.#result === 'f32' ? this.#view.getFloat32(at, true) : this.#view.getInt32(at, true)
    })
  }
}

function wholeVectors(columns: number): number {
  return Math.ceil(columns / 4) * 4
}

/** Where the code multiplies by a constant before it rounds: an input so large that the product with it is close to one. */
function unitOf(module: OpenedModule, kernel: number, result: Result): number {
  const code = module.code(kernel)
  const at = code.findIndex(({ opcode }, i) => opcode === 'f32x4.mul' && code[i - 1]?.opcode === 'v128.const')
  const constant = code[at - 1]
  if (result !== 'i16' || at < 1 || constant === undefined) return 1
  return Math.min(Math.max(Math.round(1 / module.constantF32(constant)), 1), 32_767)
}

/** The shift of a requantising kernel, which its code says. */
function shiftOf(module: OpenedModule, kernel: number): number | undefined {
  const code = module.code(kernel)
  const at = code.findIndex(({ opcode }) => opcode === 'i64x2.shr_u')
  return at > 0 ? code[at - 1]?.index : undefined
}

/** How a kernel uses each pointer after A, B, C, the panel table and the memory where weights are widened, read off its code. */
function operandsOf(module: OpenedModule, { kernel, pointers }: KernelCall): readonly Operand[] {
  const code = module.code(kernel)
  const unpacks = code.some(({ opcode }, i) => opcode === 'v128.load8x8_s' && code[i + 1]?.opcode === 'v128.store')
  const first = 3 + (code.some(({ opcode }) => opcode === 'i32.xor') ? 1 : 0) + (unpacks ? 1 : 0)
  return pointers.slice(first).map((place, i) => {
    const at = code.findIndex(({ opcode, index }) => opcode === 'local.get' && index === first + i)
    const next = code[at + 1]?.opcode
    const kind = next === 'v128.load32_splat' ? 'scalar' : next === 'i32.add' ? 'full' : 'column'
    const load = code.findIndex(({ opcode }, k) => k > at && (opcode === 'v128.load' || opcode === 'v128.load32_splat'))
    return { place, kind, multiplies: code[load + 1]?.opcode === 'f32x4.mul' }
  })
}

function neutralRequantization(multiplier: number): Uint8Array {
  const groups = maxColumns / 4
  const bytes = new Uint8Array(groups * 48)
  const view = new DataView(bytes.buffer)
  for (let group = 0; group < groups; group++)
    for (let lane = 0; lane < 4; lane++) {
      view.setInt32(group * 48 + 4 * lane, multiplier, true)
      view.setBigInt64(group * 48 + 16 + 8 * lane, 1n << 62n, true)
    }
  return bytes
}
