// From a layer spec to its relation, after checking every bound that the soundness argument uses.
import {
  isDense,
  type LayerNormSpec,
  type LayerRequantisation,
  type LayerSpec,
  layerSpecSchema,
  type LayerWindow,
  MalformedError,
  type SoftmaxSpec,
} from '@tacit/protocol'
import { UnsupportedLayerError } from '../errors.ts'
import { argmaxRelation } from './argmax.ts'
import { convolutionRelation } from './convolution.ts'
import { denseRelation } from './dense.ts'
import { addRelation, rescaleRelation, squareRelation, tableRelation } from './elementwise.ts'
import { bitsFor } from './index-space.ts'
import { layerNormRelation } from './layer-norm.ts'
import { matmulRelation } from './matmul.ts'
import { averagePoolRelation, maxPoolRelation } from './pooling.ts'
import type { Relation } from './relation.ts'
import { softmaxRelation } from './softmax.ts'
import { windowAxes } from './window.ts'

/** Longest vector in one commitment, most cells in one row, most outputs of one layer: bounds of memory and of the error terms. */
export const MAX_COLUMNS = 8192
export const MAX_ROW_CELLS = 8192
export const MAX_OUTPUTS = 1 << 20
/** Bits of the cell-row hypercube: verifier and prover hold one weight per corner. */
export const MAX_ROW_BITS = 20
/** Values of an argmax: an index above 127 is no int8 value. */
export const MAX_ARGMAX = 128
/** Forms times columns: bounds the degree in psi, and with it the statistical error at 2^-238 (docs/spec/proofs.md, section 9). */
export const MAX_FORM_ENTRIES = 1 << 17

/**
 * The relation of a layer.
 * @throws UnsupportedLayerError when the spec is not one that the argument covers.
 */
export function createRelation(spec: LayerSpec): Relation {
  checkForm(spec)
  checkSpec(spec)
  if (rowBitsOf(spec) > MAX_ROW_BITS) refuse(`The outputs need more than ${MAX_ROW_BITS} bits of row numbers.`)
  const relation = build(spec)
  const cells = relation.gate.cells * relation.space.slots
  if (relation.columns > MAX_COLUMNS) refuse(`A commitment would have ${relation.columns} columns; at most ${MAX_COLUMNS} are supported.`)
  if (relation.columns * relation.formExponents.length > MAX_FORM_ENTRIES)
    refuse(`The forms would have more than ${MAX_FORM_ENTRIES} entries.`)
  if (cells > MAX_ROW_CELLS) refuse(`A cell row would have ${cells} cells; at most ${MAX_ROW_CELLS} are supported.`)
  return relation
}

function build(spec: LayerSpec): Relation {
  switch (spec.kind) {
    case 'dense':
    case 'denseTransposed':
      return denseRelation(spec)
    case 'conv':
      return convolutionRelation(spec)
    case 'averagePool':
      return averagePoolRelation(spec)
    case 'maxPool':
      return maxPoolRelation(spec)
    case 'rescale':
      return rescaleRelation(spec)
    case 'square':
      return squareRelation(spec)
    case 'add':
      return addRelation(spec)
    case 'argmax':
      return argmaxRelation(spec)
    case 'table':
      return tableRelation(spec)
    case 'matmul':
      return matmulRelation(spec)
    case 'softmax':
      return softmaxRelation(spec)
    case 'layerNorm':
      return layerNormRelation(spec)
  }
}

/** Number of outputs that a spec names; cheap, whatever the spec says. */
export function outputCountOf(spec: LayerSpec): number {
  if (isDense(spec)) return spec.rows * spec.outputSize
  if (spec.kind === 'matmul') return spec.rows * spec.heads * spec.outputs
  if (spec.kind === 'softmax') return spec.rows * spec.heads * spec.size
  if (spec.kind === 'layerNorm') return spec.rows * spec.size
  if (!('window' in spec)) return spec.size
  const [rows, cols] = windowAxes(spec.window)
  return (spec.kind === 'conv' ? spec.outputChannels : spec.window.channels) * rows.output * cols.output
}

// Known before the numbering is built, so that no spec makes anybody allocate for it.
function rowBitsOf(spec: LayerSpec): number {
  const bits = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + bitsFor(Math.ceil(size)), 0)
  if (isDense(spec)) {
    const [groups, length] = spec.kind === 'dense' ? [spec.rows, spec.outputSize] : [spec.outputSize, spec.rows]
    return bits([groups, length / spec.outputChunk, spec.outputChunk / spec.slots])
  }
  if (spec.kind === 'matmul') return bits([spec.rows, (spec.heads * spec.outputs) / spec.outputChunk, spec.outputChunk / spec.slots])
  if (spec.kind === 'softmax') return bits([spec.rows, spec.heads, spec.size / spec.slots])
  if (spec.kind === 'layerNorm') return bits([spec.rows, spec.size / spec.chunk, spec.chunk / spec.slots])
  if (!('window' in spec)) return bits([spec.size / spec.chunk, spec.chunk / spec.slots])
  const [rows, cols] = windowAxes(spec.window)
  const [channels, planes] = spec.kind === 'conv' ? [spec.outputChannels, spec.outputPlanes] : [spec.window.channels, spec.planes]
  return bits([channels / planes, planes, rows.output, cols.output / spec.slots])
}

function refuse(reason: string): never {
  throw new UnsupportedLayerError(reason)
}

// Everything below compares numbers: a NaN, a fraction or a zero would slip through comparisons and end in endless loops.
function checkForm(spec: LayerSpec): void {
  try {
    layerSpecSchema(spec, 'spec')
  } catch (error) {
    if (error instanceof MalformedError) refuse(error.message)
    throw error
  }
}

function checkSpec(spec: LayerSpec): void {
  if ('requantisation' in spec) checkRequantisation(spec.requantisation)
  if (isDense(spec)) {
    checkOutputs(spec.rows * spec.outputSize, spec.slots, spec.outputChunk)
    checkInputs(spec.rows * spec.inputSize, spec.inputChunk, spec.inputSize)
    if (spec.outputChunk > (spec.kind === 'dense' ? spec.outputSize : spec.rows)) refuse('The output chunk is longer than an output row.')
    if (spec.inputSize / spec.inputChunk > 64) refuse('A dense layer has at most 64 input chunks per row.')
  } else if (spec.kind === 'matmul') {
    const { rows, heads, inner, outputs, innerChunk } = spec
    checkOutputs(rows * heads * outputs, spec.slots, spec.outputChunk)
    checkInputs(rows * heads * inner, innerChunk, inner)
    checkInputs(outputs * heads * inner, innerChunk, inner)
    if (spec.outputChunk > heads * outputs) refuse('The output chunk is longer than an output row.')
    if (heads > 1 && inner % innerChunk !== 0) refuse('A chunk crosses from one head into the next.')
    if (heads * Math.ceil(inner / innerChunk) > 64) refuse('A product has at most 64 chunks per row.')
  } else if (spec.kind === 'softmax') {
    checkSoftmax(spec)
  } else if (spec.kind === 'layerNorm') {
    checkLayerNorm(spec)
  } else if ('window' in spec) {
    checkWindow(spec.window)
    const channels = spec.kind === 'conv' ? spec.outputChannels : spec.window.channels
    const [rows, cols] = windowAxes(spec.window)
    checkOutputs(channels * rows.output * cols.output, spec.slots, cols.output)
    const planes = spec.kind === 'conv' ? [spec.inputPlanes, spec.window.channels, spec.outputPlanes, channels] : [spec.planes, channels]
    for (let k = 0; k < planes.length; k += 2)
      if ((planes[k] ?? 0) > (planes[k + 1] ?? 0)) refuse('A chunk has more planes than the tensor.')
    checkInputs(spec.window.channels * spec.window.height * spec.window.width, 1, MAX_OUTPUTS)
    if (spec.kind === 'conv' && (spec.window.channels % spec.group !== 0 || channels % spec.group !== 0))
      refuse('The groups do not divide the channels.')
    if (spec.kind === 'maxPool') checkMaxPool(spec.window)
  } else {
    checkOutputs(spec.size, spec.slots, spec.chunk)
    checkInputs(spec.size, spec.chunk, spec.size)
    // The index of the largest value is an int8 output like any other.
    if (spec.kind === 'argmax' && spec.size > MAX_ARGMAX) refuse(`An argmax is proved over at most ${MAX_ARGMAX} values.`)
    if (spec.kind === 'table' && spec.table.length !== 256) refuse('A table has 256 entries.')
  }
}

function checkSoftmax(spec: SoftmaxSpec): void {
  const { rows, heads, size, table } = spec
  checkOutputs(rows * heads * size, spec.slots, size)
  if (table.length !== 256 || table.some((value) => !Number.isInteger(value) || value < 0 || value > 4095))
    refuse('A table of exponentials has 256 integers, 0 to 4095.')
  // the sum of a row is never zero, so the division has one answer
  if ((table[0] ?? 0) < 1) refuse('The exponential of zero must be positive.')
  if (spec.mask === 'causal' && rows > size) refuse('A causal row has at least one position to see.')
}

function checkLayerNorm(spec: LayerNormSpec): void {
  const { rows, size, chunk, gain, epsilon, zeroPoint, low, high } = spec
  checkOutputs(rows * size, spec.slots, chunk)
  if (chunk < 2 || size % chunk !== 0) refuse('The chunks of a normalised row are equal and hold at least two values.')
  if (size > MAX_COLUMNS) refuse(`A normalised row has at most ${MAX_COLUMNS} values.`)
  if (low < -128 || high > 127 || low >= high || zeroPoint < low || zeroPoint > high) refuse('The range of the output is not one of int8.')
  if (!(gain >= 1 && gain <= 1024)) refuse('The gain must be 1 to 1024.')
  // positive: no root is zero; bounded: every product stays below 2^61
  if (!(epsilon >= 1 && epsilon <= 2 ** 40)) refuse('Epsilon must be 1 to 2^40.')
}

function checkRequantisation({ shift, zeroPoint, low, high, excessBits }: LayerRequantisation): void {
  if (low >= high) refuse('The range of the output is empty.')
  if (zeroPoint < low || zeroPoint > high) refuse('The zero point of the output lies outside its range.')
  if (shift < 1 || shift > 40 || excessBits < 0) refuse('The shift must be 1 to 40.')
  const width = 32 - Math.clz32(high - low)
  // (R) has one solution only while nothing can wrap; int64 columns of the first round need the same bound.
  if (shift + Math.max(width, excessBits) + 1 > 62)
    refuse('shift + excess bits leave the range in which the rounding equation has one solution.')
}

function checkOutputs(outputs: number, slots: number, axis: number): void {
  if (outputs < 1 || outputs > MAX_OUTPUTS) refuse(`A layer has 1 to ${MAX_OUTPUTS} outputs.`)
  if (slots > axis) refuse('A cell row holds more outputs than its axis.')
}

function checkInputs(inputs: number, chunk: number, length: number): void {
  if (inputs < 1 || inputs > MAX_OUTPUTS) refuse(`A layer has 1 to ${MAX_OUTPUTS} inputs.`)
  if (chunk > length) refuse('A chunk is longer than its row.')
}

function checkWindow(window: LayerWindow): void {
  if (window.kernel.length !== 2 || window.strides.length !== 2 || window.dilations.length !== 2 || window.pads.length !== 4)
    refuse('A window has two axes.')
  for (const axis of windowAxes(window)) if (axis.output < 1) refuse('The window does not fit its input.')
}

function checkMaxPool(window: LayerWindow): void {
  const axes = windowAxes(window)
  if (axes.reduce((product, axis) => product * axis.kernel, 1) > 25) refuse('A maximum is taken over at most 25 values.')
  for (const axis of axes) {
    for (let p = 0; p < axis.output; p++) {
      const inside = Array.from({ length: axis.kernel }, (_, k) => axis.stride * p + axis.dilation * k - axis.pad)
      if (!inside.some((position) => position >= 0 && position < axis.input)) refuse('A window lies entirely in the padding.')
    }
  }
}
