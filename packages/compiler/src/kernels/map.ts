// Elementwise float kernels over strided operands: a little straight-line program applied to four elements at a time where
// the innermost axis is dense, to one otherwise. One element uses the same vector instructions in lane 0, so the bits do
// not depend on the path.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { emitLoops, mergeAxes } from './loops.ts'
import type { VectorFunction } from './vector-math.ts'

/** Values are numbered: operands first, then the result of each instruction. The last one is stored. */
export type MapProgram = {
  readonly operands: number
  readonly instructions: readonly { readonly function: VectorFunction; readonly inputs: readonly number[] }[]
}

/** Strides in elements of 4 bytes. */
export type MapShape = {
  readonly shape: readonly number[]
  readonly inputs: readonly (readonly number[])[]
  readonly output: readonly number[]
}

export function mapKey(program: MapProgram, space: MapShape): string {
  return `map ${JSON.stringify([program.operands, program.instructions.map((line) => [line.function.key, line.inputs]), mergeAxes(space.shape, [...space.inputs, space.output])])}`
}

/** The function (...operands, output). */
export function buildMap(program: MapProgram, space: MapShape): FunctionBuilder {
  const merged = mergeAxes(space.shape, [...space.inputs, space.output])
  const f = new FunctionBuilder(Array.from({ length: program.operands + 1 }, () => 'i32' as const))
  const output = program.operands
  const loaded = f.locals('v128', program.operands)
  const width = merged.shape.at(-1) ?? 1
  const innermost = merged.strides.map((list) => list.at(-1) ?? 1)
  const dense = innermost[output] === 1 && innermost.every((step) => step === 0 || step === 1) && width >= 4

  const apply = (load: (operand: number) => void): void => {
    for (let operand = 0; operand < program.operands; operand++) {
      load(operand)
      f.set(loaded[operand] ?? 0)
    }
    const values: Local[] = [...loaded]
    for (const [index, line] of program.instructions.entries()) {
      line.function.emit(
        f,
        line.inputs.map((input) => values[input] ?? 0),
      )
      if (index + 1 === program.instructions.length) return
      const local = f.local('v128')
      f.set(local)
      values.push(local)
    }
  }
  const four = (): void => {
    f.get(output)
    apply((operand) => void f.get(operand).memory(innermost[operand] === 1 ? 'v128.load' : 'v128.load32_splat'))
    f.memory('v128.store')
  }
  const one = (): void => {
    f.get(output)
    apply((operand) => void f.get(operand).memory('v128.load32_splat'))
    f.memoryLane('v128.store32_lane', 0)
  }
  const walkers = merged.strides.map((list, pointer) => ({ pointer, steps: list.map((step) => 4 * step) }))
  if (!dense) {
    emitLoops(f, merged.shape, walkers, one)
    return f
  }
  const outer = walkers.map(({ pointer, steps }) => ({ pointer, steps: steps.slice(0, -1) }))
  const move = (elements: number): void => {
    for (const [pointer, step] of innermost.entries()) f.advance(pointer, 4 * elements * step)
  }
  emitLoops(f, merged.shape.slice(0, -1), outer, () => {
    f.repeat(Math.floor(width / 4), () => {
      four()
      move(4)
    })
    f.repeat(width % 4, () => {
      one()
      move(1)
    })
    move(-width)
  })
  return f
}
