import type { Window } from '../graph.ts'

/** Which kernel positions of one output position fall inside the input, and where. */
export type WindowVisitor = (kernelIndex: number, inputIndex: number) => void

/**
 * Walks a window over the spatial axes of one channel plane. Kernel positions are visited in row-major order.
 * @returns a function that visits the inside positions of one output position and returns how many kernel positions lie
 * inside the input extended by its pads (the divisor when padding counts).
 */
export function windowWalker(
  window: Window,
  inputSize: readonly number[],
  outputSize: readonly number[],
): (outputIndex: number, visit: WindowVisitor) => number {
  const rank = inputSize.length
  const kernelCount = window.kernel.reduce((product, size) => product * size, 1)
  const kernelOffsets = positions(window.kernel)
  const outputPositions = positions(outputSize)
  return (outputIndex, visit) => {
    let extended = 0
    for (let kernelIndex = 0; kernelIndex < kernelCount; kernelIndex++) {
      let inputIndex = 0
      let inside = true
      let withinPads = true
      for (let axis = 0; axis < rank; axis++) {
        const size = inputSize[axis] ?? 1
        const start = (outputPositions[outputIndex * rank + axis] ?? 0) * (window.strides[axis] ?? 1) - (window.pads[axis] ?? 0)
        const at = start + (kernelOffsets[kernelIndex * rank + axis] ?? 0) * (window.dilations[axis] ?? 1)
        if (at < 0 || at >= size) inside = false
        if (at >= size + (window.pads[axis + rank] ?? 0)) withinPads = false
        inputIndex = inputIndex * size + at
      }
      if (withinPads) extended++
      if (inside) visit(kernelIndex, inputIndex)
    }
    return extended
  }
}

/** The coordinates of every element of a shape, `rank` numbers each. */
function positions(shape: readonly number[]): Int32Array {
  const count = shape.reduce((product, size) => product * size, 1)
  const coordinates = new Int32Array(count * shape.length)
  for (let i = 0; i < count; i++) {
    let rest = i
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1
      coordinates[i * shape.length + axis] = rest % size
      rest = Math.floor(rest / size)
    }
  }
  return coordinates
}
