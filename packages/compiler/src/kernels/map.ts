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
  const width = merged.shape.at(-1) ?? 1
  const innermost = merged.strides.map((list) => list.at(-1) ?? 1)
  const dense = innermost[output] === 1 && innermost.every((step) => step === 0 || step === 1) && width >= 4

  /** The results of the program on several vectors at once; `load` pushes an operand of one of them. */
  const apply = (vectors: number, load: (operand: number, vector: number) => void): readonly Local[] => {
    const keepEach = (push: (vector: number) => void): readonly Local[] =>
      Array.from({ length: vectors }, (_, vector) => {
        push(vector)
        const local = f.local('v128')
        f.set(local)
        return local
      })
    const values = Array.from({ length: program.operands }, (_, operand) => keepEach((vector) => load(operand, vector)))
    for (const { function: line, inputs } of program.instructions) {
      const [first = 0] = inputs
      const several = line.emitSeveral?.(f, values[first] ?? [])
      const each = (vector: number): void =>
        line.emit(
          f,
          inputs.map((input) => values[input]?.[vector] ?? 0),
        )
      values.push(several ?? keepEach(each))
    }
    return values.at(-1) ?? []
  }
  const fours = (vectors: number): void => {
    const results = apply(vectors, (operand, vector) => {
      if (innermost[operand] === 1) f.get(operand).memory('v128.load', 16 * vector)
      else f.get(operand).memory('v128.load32_splat')
    })
    for (const [vector, result] of results.entries())
      f.get(output)
        .get(result)
        .memory('v128.store', 16 * vector)
  }
  const one = (): void => {
    const [result = 0] = apply(1, (operand) => void f.get(operand).memory('v128.load32_splat'))
    f.get(output).get(result).memoryLane('v128.store32_lane', 0)
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
    // Four vectors share each constant that the engine has no register for.
    const together = program.instructions.some((line) => line.function.emitSeveral) ? 4 : 1
    f.repeat(Math.floor(width / (4 * together)), () => {
      fours(together)
      move(4 * together)
    })
    f.repeat(Math.floor(width / 4) % together, () => {
      fours(1)
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
