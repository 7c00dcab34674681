// C = epilogue(A B): one generator for float32 and int8 matrix products and for convolutions.
//
// The tile: MR rows of A times NV vectors (4 columns each) of a packed panel of B. Per element of depth, NV loads of B, then
// per row one splat load of A and NV multiply-adds. Registers live: MR*NV accumulators, NV of B, one of A, one temporary;
// V8 on x64 has 15 to give, so MR*NV + NV + 2 <= 15.
//
// A is read in units of 4 bytes: one float32, or a pair of int16 for `i32x4.dot_i16x8_s` against int16 weights, or int8 ones
// widened on load. With `unpack` int8 weights are widened once per panel, into scratch memory in the first-level cache, and
// read from there by every row block: widening in the innermost loop takes a shuffle per load. The depth runs through `segments` (a kernel row of a convolution, say) of `run` consecutive units each, so that a
// convolution over a channels-last image with a zero border needs no im2col.
//
// One accumulator per output, from +0, depth ascending: the order that docs/spec/f32.md defines.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import type { PostOperation } from './post-operation.ts'

export type GemmKernel = {
  readonly arithmetic: 'f32' | 'int8' | 'int16'
  readonly rows: {
    readonly tile: number
    readonly blocks: number
    readonly rest: number
    /** Bytes from one row to the next, in A and in C. */
    readonly aStep: number
    readonly cStep: number
    /** Repetitions of all of the above, outermost first: the rows of an image, groups, batches. */
    readonly outer: readonly RowLoop[]
  }
  readonly columns: { readonly panels: number; readonly vectors: number; readonly restVectors: number }
  readonly depth: { readonly segments: readonly DepthLoop[]; readonly run: number }
  /** Packed panels, or rows of a row-major matrix whose column stride is one element. */
  readonly b: { readonly layout: 'packed' } | { readonly layout: 'rows'; readonly rowBytes: number }
  /** Which loop is outermost: panels keep a panel of B in the cache, rows keep rows of A. */
  readonly order: 'panels' | 'rows'
  readonly post: readonly PostOperation[]
  readonly result: 'f32' | 'i32' | 'i16'
  /** Panels are found through a table of masked indices in place of their order. */
  readonly indirect?: IndirectPanels
  /** Packed int8 panels are widened to int16 first. */
  readonly unpack?: true
}

export type RowLoop = { readonly count: number; readonly aStep: number; readonly cStep: number }
export type DepthLoop = { readonly count: number; readonly aStep: number }

/** Panel number = entry XOR mask, where the mask runs through a linear congruential sequence. */
export type IndirectPanels = { readonly firstMask: number; readonly panelBytes: number }
export const maskMultiplier = 1664525
export const maskIncrement = 1013904223

/** Everything that distinguishes one kernel from another, as a cache key. */
export function gemmKey(kernel: GemmKernel): string {
  return JSON.stringify({ ...kernel, post: kernel.post.map(({ key, operand }) => [key, operand]) })
}

/**
 * The function (a, b, c, ...operands): pointers to A, B and C and to the operand of each post-operation that has one; with
 * `indirect`, c is followed by a pointer to the panel table; with `unpack`, then by one to memory for the widest
 * panel as int16, or for all of B where rows are outermost.
 */
export function buildGemm(kernel: GemmKernel): FunctionBuilder {
  return new GemmWriter(kernel).write()
}

/** Bytes of one depth unit of a packed panel of `vectors` vectors. */
export function packedStepBytes(arithmetic: GemmKernel['arithmetic'], vectors: number): number {
  return vectors * (arithmetic === 'int8' ? 8 : 16)
}

function depthOf({ segments, run }: GemmKernel['depth']): number {
  return segments.reduce((product, { count }) => product * count, run)
}

/** Which B is walked: the one that was given, or its widened copy. */
type PanelSource = 'given' | 'unpacked'

class GemmWriter {
  readonly #kernel: GemmKernel
  readonly #f: FunctionBuilder
  readonly #a: Local = 0
  readonly #b: Local = 1
  readonly #c: Local = 2
  readonly #table: Local
  readonly #scratch: Local
  readonly #operands: readonly Local[]
  readonly #aRow: Local
  readonly #cRow: Local
  readonly #bPanel: Local
  /** Bytes of 4-byte columns already done. */
  readonly #column: Local
  readonly #aPointer: Local
  readonly #bPointer: Local
  readonly #cPointer: Local
  readonly #tablePointer: Local
  readonly #mask: Local
  readonly #accumulators: readonly Local[]
  readonly #bVectors: readonly Local[]
  readonly #aVector: Local

  constructor(kernel: GemmKernel) {
    this.#kernel = kernel
    const withOperand = kernel.post.filter(({ operand }) => operand !== 'none').length
    const firstOperand = 3 + (kernel.indirect ? 1 : 0) + (kernel.unpack ? 1 : 0)
    const f = new FunctionBuilder(Array.from({ length: firstOperand + withOperand }, () => 'i32' as const))
    this.#f = f
    this.#table = 3
    this.#scratch = firstOperand - 1
    this.#operands = Array.from({ length: withOperand }, (_, i) => firstOperand + i)
    this.#aRow = f.local('i32')
    this.#cRow = f.local('i32')
    this.#bPanel = f.local('i32')
    this.#column = f.local('i32')
    this.#aPointer = f.local('i32')
    this.#bPointer = f.local('i32')
    this.#cPointer = f.local('i32')
    this.#tablePointer = f.local('i32')
    this.#mask = f.local('i32')
    const vectors = Math.max(kernel.columns.panels > 0 ? kernel.columns.vectors : 0, kernel.columns.restVectors)
    const tile = Math.max(kernel.rows.blocks > 0 ? kernel.rows.tile : 0, kernel.rows.rest)
    this.#accumulators = f.locals('v128', tile * vectors)
    this.#bVectors = f.locals('v128', vectors)
    this.#aVector = f.local('v128')
  }

  write(): FunctionBuilder {
    const f = this.#f
    const { order, unpack } = this.#kernel
    const source: PanelSource = unpack ? 'unpacked' : 'given'
    if (order === 'panels') {
      this.#startPanels('given')
      this.#eachPanel('given', (vectors) => {
        if (unpack) {
          f.get(this.#scratch).set(this.#bPointer)
          this.#unpackPanel(vectors)
        }
        f.get(this.#a).set(this.#aRow).get(this.#c).set(this.#cRow)
        this.#eachRowBlock((rows) => this.#tile(rows, vectors, unpack ? this.#scratch : this.#bPanel))
      })
      return f
    }
    if (unpack) {
      this.#startPanels('given')
      f.get(this.#scratch).set(this.#bPointer)
      this.#eachPanel('given', (vectors) => this.#unpackPanel(vectors))
    }
    f.get(this.#a).set(this.#aRow).get(this.#c).set(this.#cRow)
    this.#eachRowBlock((rows) => {
      this.#startPanels(source)
      this.#eachPanel(source, (vectors) => this.#tile(rows, vectors, this.#bPanel))
    })
    return f
  }

  #startPanels(source: PanelSource): void {
    const f = this.#f
    const { indirect } = this.#kernel
    f.get(source === 'given' ? this.#b : this.#scratch)
      .set(this.#bPanel)
      .i32(0)
      .set(this.#column)
    if (indirect && source === 'given') f.get(this.#table).set(this.#tablePointer).i32(indirect.firstMask).set(this.#mask)
  }

  #eachPanel(source: PanelSource, body: (vectors: number) => void): void {
    const { panels, vectors, restVectors } = this.#kernel.columns
    const f = this.#f
    f.repeat(panels, () => {
      this.#panel(source, vectors, body)
      f.advance(this.#column, 16 * vectors)
    })
    if (restVectors > 0) this.#panel(source, restVectors, body)
  }

  #panel(source: PanelSource, vectors: number, body: (vectors: number) => void): void {
    const f = this.#f
    const indirect = source === 'given' ? this.#kernel.indirect : undefined
    if (indirect) {
      f.get(this.#tablePointer).memory('i32.load').get(this.#mask).op('i32.xor').i32(indirect.panelBytes).op('i32.mul')
      f.get(this.#b).op('i32.add').set(this.#bPanel)
      f.get(this.#mask).i32(maskMultiplier).op('i32.mul').i32(maskIncrement).op('i32.add').set(this.#mask)
      f.advance(this.#tablePointer, 4)
    }
    body(vectors)
    if (!indirect) f.advance(this.#bPanel, this.#panelBytes(source, vectors))
  }

  /** int8 at bPanel to int16 at bPointer, which moves on. */
  #unpackPanel(vectors: number): void {
    const f = this.#f
    const count = depthOf(this.#kernel.depth) * vectors
    const stretch = (length: number): void => {
      for (let i = 0; i < length; i++)
        f.get(this.#bPointer)
          .get(this.#aPointer)
          .memory('v128.load8x8_s', 8 * i)
          .memory('v128.store', 16 * i)
      f.advance(this.#aPointer, 8 * length).advance(this.#bPointer, 16 * length)
    }
    f.get(this.#bPanel).set(this.#aPointer)
    f.repeat(Math.floor(count / 8), () => stretch(8))
    if (count % 8 > 0) stretch(count % 8)
  }

  #panelBytes(source: PanelSource, vectors: number): number {
    const { b, depth, arithmetic } = this.#kernel
    if (b.layout === 'rows') return 16 * vectors
    return depthOf(depth) * packedStepBytes(source === 'given' ? arithmetic : 'int16', vectors)
  }

  #eachRowBlock(body: (rows: number) => void): void {
    const f = this.#f
    const { tile, blocks, rest, aStep, cStep, outer } = this.#kernel.rows
    const block = (rows: number): void => {
      body(rows)
      f.advance(this.#aRow, rows * aStep).advance(this.#cRow, rows * cStep)
    }
    const nest = (loops: readonly RowLoop[]): void => {
      const [loop, ...inner] = loops
      if (loop === undefined) {
        f.repeat(blocks, () => block(tile))
        if (rest > 0) block(rest)
        return
      }
      f.repeat(loop.count, () => {
        nest(inner)
        const done = coveredBytes(inner, blocks * tile + rest, { aStep, cStep })
        f.advance(this.#aRow, loop.aStep - done.aStep).advance(this.#cRow, loop.cStep - done.cStep)
      })
    }
    nest(outer)
  }

  #tile(rows: number, vectors: number, panel: Local): void {
    const f = this.#f
    for (let i = 0; i < rows * vectors; i++) f.v128(new Uint8Array(16)).set(this.#accumulator(i))
    f.get(this.#aRow).set(this.#aPointer).get(panel).set(this.#bPointer)
    const nest = (loops: readonly DepthLoop[]): void => {
      const [loop, ...inner] = loops
      if (loop === undefined) {
        this.#run(rows, vectors)
        return
      }
      f.repeat(loop.count, () => {
        nest(inner)
        f.advance(this.#aPointer, loop.aStep - coveredDepth(inner, this.#kernel.depth.run))
      })
    }
    nest(this.#kernel.depth.segments)
    this.#store(rows, vectors)
  }

  // `run` units of depth, unrolled.
  #run(rows: number, vectors: number): void {
    const f = this.#f
    const { run } = this.#kernel.depth
    const unroll = unrollOf(run, rows * vectors)
    const kBytes = this.#kernel.b.layout === 'rows' ? this.#kernel.b.rowBytes : packedStepBytes(this.#loaded, vectors)
    const stretch = (units: number): void => {
      for (let unit = 0; unit < units; unit++) this.#multiplyAdd(rows, vectors, { aOffset: 4 * unit, bOffset: kBytes * unit })
      f.advance(this.#aPointer, 4 * units).advance(this.#bPointer, kBytes * units)
    }
    f.repeat(Math.floor(run / unroll), () => stretch(unroll))
    if (run % unroll > 0) stretch(run % unroll)
  }

  #multiplyAdd(rows: number, vectors: number, { aOffset, bOffset }: { aOffset: number; bOffset: number }): void {
    const f = this.#f
    const loadB = (j: number): void => {
      f.get(this.#bPointer)
      if (this.#loaded === 'int8') f.memory('v128.load8x8_s', bOffset + 8 * j)
      else f.memory('v128.load', bOffset + 16 * j)
    }
    if (rows > 1)
      for (let j = 0; j < vectors; j++) {
        loadB(j)
        f.set(this.#bVector(j))
      }
    for (let i = 0; i < rows; i++) {
      f.get(this.#aPointer)
        .memory('v128.load32_splat', aOffset + i * this.#kernel.rows.aStep)
        .set(this.#aVector)
      for (let j = 0; j < vectors; j++) {
        const accumulator = this.#accumulator(i * vectors + j)
        f.get(accumulator).get(this.#aVector)
        if (rows > 1) f.get(this.#bVector(j))
        else loadB(j)
        if (this.#kernel.arithmetic === 'f32') f.op('f32x4.mul', 'f32x4.add')
        else f.op('i32x4.dot_i16x8_s', 'i32x4.add')
        f.set(accumulator)
      }
    }
  }

  #store(rows: number, vectors: number): void {
    const f = this.#f
    const { result, rows: rowsOf } = this.#kernel
    f.get(this.#cRow).get(this.#column)
    if (result === 'i16') f.i32(1).op('i32.shr_u')
    f.op('i32.add').set(this.#cPointer)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < vectors; j++) {
        const offset = i * rowsOf.cStep + (result === 'i16' ? 8 : 16) * j
        const finish = (): void => this.#finish(i, j, vectors)
        if (result !== 'i16') {
          f.get(this.#cPointer)
          finish()
          f.memory('v128.store', offset)
        } else if (j + 1 < vectors) {
          f.get(this.#cPointer)
          finish()
          this.#finish(i, ++j, vectors)
          f.op('i16x8.narrow_i32x4_s').memory('v128.store', offset)
        } else {
          f.get(this.#cPointer)
          finish()
          f.tee(this.#aVector).get(this.#aVector).op('i16x8.narrow_i32x4_s').memoryLane('v128.store64_lane', 0, offset)
        }
      }
  }

  /** The value of one accumulator after all post-operations, on the stack. */
  #finish(i: number, j: number, vectors: number): void {
    const f = this.#f
    f.get(this.#accumulator(i * vectors + j))
    let next = 0
    for (const operation of this.#kernel.post) {
      const operand = operation.operand === 'none' ? 0 : (this.#operands[next++] ?? 0)
      operation.emit(f, {
        temporary: this.#aVector,
        load: (part = 0) => {
          const size = operation.vectorBytes ?? 16
          if (operation.operand === 'scalar') f.get(operand).memory('v128.load32_splat', 4 * part)
          else if (operation.operand === 'column') {
            f.get(operand).get(this.#column)
            if (size !== 16) f.i32(size / 16).op('i32.mul')
            f.op('i32.add').memory('v128.load', size * j + 16 * part)
          } else
            f.get(this.#cPointer)
              .get(operand)
              .op('i32.add')
              .memory('v128.load', i * this.#kernel.rows.cStep + 16 * j)
        },
      })
    }
  }

  /** What B's bytes are when a tile reads them. */
  get #loaded(): GemmKernel['arithmetic'] {
    return this.#kernel.unpack ? 'int16' : this.#kernel.arithmetic
  }

  #accumulator(index: number): Local {
    return this.#accumulators[index] ?? 0
  }

  #bVector(index: number): Local {
    return this.#bVectors[index] ?? 0
  }
}

function unrollOf(run: number, tileSize: number): number {
  const fitting = [16, 8, 4, 2, 1].filter((unroll) => unroll * tileSize <= 64 || unroll === 1)
  return fitting.find((unroll) => run % unroll === 0 && unroll >= 4) ?? fitting.find((unroll) => unroll <= run) ?? 1
}

function coveredDepth(loops: readonly DepthLoop[], run: number): number {
  const [loop] = loops
  return loop === undefined ? 4 * run : loop.count * loop.aStep
}

function coveredBytes(loops: readonly RowLoop[], rows: number, steps: { aStep: number; cStep: number }): { aStep: number; cStep: number } {
  const [loop] = loops
  return loop === undefined
    ? { aStep: rows * steps.aStep, cStep: rows * steps.cStep }
    : { aStep: loop.count * loop.aStep, cStep: loop.count * loop.cStep }
}
