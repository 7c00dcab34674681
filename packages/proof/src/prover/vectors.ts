// The hidden vectors that enter f1(c), each with the blinder of its commitment.
import { type ConvolutionSpec, isDense, type LayerSpec } from '@tacit/protocol'
import { type ActivationOpening, placeBlinders } from '../commit/activation.ts'
import type { SecretWeights } from '../commit/weights.ts'
import { mod } from '../kernels/field.ts'
import { type Kernels, SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalar } from '../kernels/scalars.ts'
import { chunkLength, chunkStart, type SpaceWeights } from '../relation/index-space.ts'
import type { Contribution, Relation, Wiring } from '../relation/relation.ts'
import type { AuxiliaryOpening } from './auxiliary.ts'
import { tapPosition, type WindowAxis } from '../relation/forms.ts'
import { windowAxes } from '../relation/window.ts'

/** What the prover knows about the committed vectors. */
export type Openings = {
  readonly spec: LayerSpec
  readonly inputs: readonly ActivationOpening[]
  readonly output: ActivationOpening
  readonly weights: SecretWeights | undefined
  /** Vector and blinder of the link commitment, in kernel memory. */
  readonly link: { readonly vector: number; readonly blinder: number } | undefined
  readonly auxiliaries: readonly AuxiliaryOpening[]
}

/** A hidden vector of `relation.columns` entries and the blinder of its commitment. */
export type HiddenVector = { readonly exponent: number; readonly at: number; readonly blinder: bigint }

/** Combines the openings as the wiring says. */
export function hiddenVectors(kernels: Kernels, relation: Relation, wiring: Wiring, openings: Openings): readonly HiddenVector[] {
  const one = placeScalars(kernels, [1n])
  return relation.vectorExponents
    .filter((exponent) => exponent !== 0)
    .map((exponent) => {
      const at = kernels.zeros(relation.columns)
      let blinder = 0n
      for (const contribution of wiring.contributions.filter((c) => c.exponent === exponent)) {
        blinder += addContribution(kernels, at, contribution, openings)
      }
      for (const offset of wiring.offsets.filter((o) => o.exponent === exponent))
        kernels.x.axpy(at + SCALAR_BYTES * offset.start, one, offset.at, offset.count)
      return { exponent, at, blinder: mod(blinder) }
    })
}

function addContribution(kernels: Kernels, at: number, contribution: Contribution, openings: Openings): bigint {
  const { source } = contribution
  switch (source) {
    case 'weights':
      return openings.weights === undefined ? 0n : addWeights(kernels, at, contribution, openings.weights)
    case 'output':
      return addActivation(kernels, at, contribution, openings.output)
    case 'input0':
    case 'input1': {
      const opening = openings.inputs[source === 'input0' ? 0 : 1]
      return opening === undefined ? 0n : addActivation(kernels, at, contribution, opening)
    }
    case 'link': {
      if (openings.link === undefined) return 0n
      kernels.x.axpy(at, contribution.scalars, openings.link.vector, linkLength(openings.spec))
      return readScalar(kernels, contribution.scalars) * readScalar(kernels, openings.link.blinder)
    }
    case 'auxiliary':
    case 'auxiliary1': {
      const opening = openings.auxiliaries[source === 'auxiliary' ? 0 : 1]
      return opening === undefined ? 0n : addAuxiliary(kernels, at, contribution, opening)
    }
  }
}

function addAuxiliary(kernels: Kernels, at: number, contribution: Contribution, opening: AuxiliaryOpening): bigint {
  const { start, stride, count, scalars } = contribution
  const { layout, values } = opening
  return kernels.scoped(() => {
    const integers = kernels.allocate(8 * layout.chunk)
    const vector = kernels.allocate(SCALAR_BYTES * layout.chunk)
    const blinder = kernels.allocate(SCALAR_BYTES)
    for (let k = 0; k < count; k++) {
      const length = chunkLength(layout, start + stride * k)
      const from = chunkStart(layout, start + stride * k)
      const view = kernels.int64(integers, length)
      for (let i = 0; i < length; i++) view[i] = BigInt(values[from + i] ?? 0)
      kernels.x.vectorFromI64(vector, integers, length)
      kernels.x.axpy(at, scalars + SCALAR_BYTES * k, vector, length)
    }
    kernels.x.dotStrided(blinder, scalars, 1, opening.blinders + SCALAR_BYTES * start, stride, count)
    return readScalar(kernels, blinder)
  })
}

function linkLength(spec: LayerSpec): number {
  if (spec.kind !== 'conv') return 0
  return spec.window.channels * (spec.window.kernel[0] ?? 1) * (spec.window.kernel[1] ?? 1)
}

function addActivation(kernels: Kernels, at: number, contribution: Contribution, opening: ActivationOpening): bigint {
  const { start, stride, count, scalars } = contribution
  const { layout, values } = opening
  return kernels.scoped(() => {
    const blinders = placeBlinders(kernels, opening.blinders)
    const integers = kernels.allocate(2 * layout.chunk)
    const vector = kernels.allocate(SCALAR_BYTES * layout.chunk)
    const blinder = kernels.allocate(SCALAR_BYTES)
    for (let k = 0; k < count; k++) {
      const chunk = start + stride * k
      const length = chunkLength(layout, chunk)
      const from = chunkStart(layout, chunk)
      kernels.int16(integers, length).set(values.subarray(from, from + length))
      kernels.x.vectorFromI16(vector, integers, length)
      kernels.x.axpy(at, scalars + SCALAR_BYTES * k, vector, length)
    }
    kernels.x.dotStrided(blinder, scalars, 1, blinders + SCALAR_BYTES * start, stride, count)
    return readScalar(kernels, blinder)
  })
}

function addWeights(kernels: Kernels, at: number, contribution: Contribution, weights: SecretWeights): bigint {
  const { start, count, scalars } = contribution
  const { multipliers, biases } = weights.values
  const { spec } = weights.registration
  return kernels.scoped(() => {
    const integers = kernels.allocate(8 * count)
    const numbers = kernels.allocate(SCALAR_BYTES * count)
    const scaled = kernels.allocate(SCALAR_BYTES * count)
    kernels.int64(integers, count).set(multipliers.map(BigInt))
    kernels.x.vectorFromI64(numbers, integers, count)
    kernels.x.hadamard(scaled, scalars, numbers, count)
    for (const block of weights.blocksAt(start)) {
      kernels.scoped(() => {
        const data = kernels.allocate(2 * block.data.length)
        kernels.int16(data, block.data.length).set(block.data)
        const coefficients = kernels.zeros(block.paddedRows)
        const length = SCALAR_BYTES * block.rows
        kernels.bytes(coefficients, length).set(kernels.bytes(scaled + SCALAR_BYTES * block.rowStart, length))
        const limbs = kernels.allocate(40 * block.paddedRows)
        kernels.x.bindRows(at + SCALAR_BYTES * block.columnStart, data, block.paddedRows, block.columns, coefficients, limbs)
      })
    }
    const rows = weights.blinders.length / 32
    if (start + count === rows) {
      kernels.int64(integers, count).set(biases)
      kernels.x.vectorFromI64(numbers, integers, count)
      const sum = kernels.allocate(SCALAR_BYTES)
      kernels.x.dot(sum, scalars, numbers, count)
      const column = isDense(spec) ? spec.inputChunk : linkLength(spec)
      kernels.x.axpy(at + SCALAR_BYTES * column, placeScalars(kernels, [1n]), sum, 1)
    }
    const blinders = placeBlinders(kernels, weights.blinders)
    const blinder = kernels.allocate(SCALAR_BYTES)
    kernels.x.dot(blinder, scalars, blinders + SCALAR_BYTES * start, count)
    return readScalar(kernels, blinder)
  })
}

/** x*_(c,ky,kx) = sum of e_y e_x (x[c, S py + D ky - P, S px + D kx - P] - z) over the positions whose tap lies inside. */
export function gatherInput(kernels: Kernels, spec: ConvolutionSpec, x: Int8Array, weights: SpaceWeights): number {
  const { window } = spec
  const [rows, cols] = windowAxes(window)
  const [, ey = 0, ex = 0] = weights.axes
  const out = kernels.zeros(linkLength(spec))
  kernels.scoped(() => {
    const integers = kernels.allocate(2 * x.length)
    kernels.int16(integers, x.length).set(Int16Array.from(x, (value) => value - spec.inputZeroPoint))
    const field = kernels.allocate(SCALAR_BYTES * x.length)
    kernels.x.vectorFromI16(field, integers, x.length)
    const sums = kernels.allocate(SCALAR_BYTES * window.height)
    for (let c = 0; c < window.channels; c++) {
      for (let kx = 0; kx < cols.kernel; kx++) {
        const inner = tapRange(cols, kx)
        for (let y = 0; y < window.height; y++) {
          const row = field + SCALAR_BYTES * ((c * window.height + y) * window.width + inner.input)
          kernels.x.dotStrided(sums + SCALAR_BYTES * y, ex + SCALAR_BYTES * inner.first, 1, row, cols.stride, inner.count)
        }
        for (let ky = 0; ky < rows.kernel; ky++) {
          const outer = tapRange(rows, ky)
          const at = out + SCALAR_BYTES * ((c * rows.kernel + ky) * cols.kernel + kx)
          kernels.x.dotStrided(at, ey + SCALAR_BYTES * outer.first, 1, sums + SCALAR_BYTES * outer.input, rows.stride, outer.count)
        }
      }
    }
  })
  return out
}

// The outputs whose tap k lies inside are consecutive.
function tapRange(axis: WindowAxis, k: number): { readonly first: number; readonly count: number; readonly input: number } {
  let first = 0
  while (first < axis.output && tapPosition(axis, first, k) < 0) first++
  let end = first
  while (end < axis.output && tapPosition(axis, end, k) >= 0) end++
  return { first, count: end - first, input: Math.max(0, tapPosition(axis, Math.min(first, axis.output - 1), k)) }
}
