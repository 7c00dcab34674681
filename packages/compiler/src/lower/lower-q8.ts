// The q8 form (docs/spec/q8.md) as a program. Activations are centred int16, x - z, channels last where a window reads them;
// traces and outputs put the bytes back into the order of the specification.
import {
  boundaryName,
  elementCount,
  type Q8Add,
  type Q8Boundary,
  type Q8Layer,
  type Q8Model,
  type Q8Requantization,
  stridesOf,
} from '@tacit/model'
import type { Obfuscator } from '../obfuscate/obfuscator.ts'
import { ProfileError } from '../errors.ts'
import { buildArgMax } from '../kernels/arg-max.ts'
import { buildIntegerMap, type IntegerMap } from '../kernels/integer-map.ts'
import { type RequantizePlan, packRequantization, requantizePost } from '../kernels/requantize-post.ts'
import type { BoundaryView, Program, View } from '../program/program.ts'
import { denseRows, rowCuts } from './cuts.ts'
import type { Epilogue, PlacedOperand } from './epilogue.ts'
import { as2d, asImage, asShape, neededBorder, type Window2d, window2d } from './images.ts'
import { emitConvolution } from './convolution.ts'
import type { Call } from './kernel-call.ts'
import { Lowering } from './lowering.ts'
import { emitPool } from './pooling.ts'
import { inverse } from './products.ts'
import { chooseTile } from './product-call.ts'
import { emitProduct, packConstant } from './product-step.ts'
import { denseView, isDense } from './views.ts'

type Boundary = { readonly meaning: Q8Boundary; readonly view: View }
type Q8State = { readonly out: Lowering; readonly model: Q8Model; readonly boundaries: Boundary[] }
type Built = { readonly post: Epilogue['post']; readonly operands: readonly PlacedOperand[] }

/** @throws ProfileError for forms without kernels. */
export function lowerQ8(model: Q8Model, obfuscator?: Obfuscator): Program {
  const out = new Lowering(obfuscator)
  const state: Q8State = { out, model, boundaries: [] }
  const inputs = model.boundaries.slice(0, model.inputCount).map((meaning, index) => {
    const bytes = denseView(out.region('pinned', elementCount(meaning.shape)), 'i8', meaning.shape)
    const centred = out.dense('i16', meaning.shape, meaning.zeroPoint)
    out.copy(bytes, centred, { kind: 'centre', zeroPoint: meaning.zeroPoint, signed: true })
    state.boundaries.push({ meaning, view: centred })
    return { name: boundaryName(index), view: bytes, elementType: 'int8' as const }
  })
  for (const [place, layer] of model.layers.entries()) {
    const index = model.inputCount + place
    const meaning = boundaryAt(model, index)
    const view = lowerLayer(layer, meaning, state)
    state.boundaries.push({ meaning, view })
    out.endLayer({ name: boundaryName(index), operator: layer.kind, view, elementType: 'int8' })
  }
  const outputs = model.outputs.map(({ boundary, answer }) => lowerOutput(boundary, answer, state))
  const last = outputs.at(-1)
  if (out.hasPendingSteps && last !== undefined)
    out.endLayer({ name: last.name, operator: 'argmax', view: last.view, elementType: last.elementType })
  return { inputs, outputs, layers: out.layers }
}

function boundaryAt(model: Q8Model, index: number): Q8Boundary {
  const boundary = model.boundaries[index]
  if (boundary === undefined) throw new ProfileError(`boundary ${index} does not exist`)
  return boundary
}

function lowerLayer(layer: Q8Layer, meaning: Q8Boundary, state: Q8State): View {
  switch (layer.kind) {
    case 'dense':
      return lowerDense(layer, meaning, state)
    case 'conv':
      return lowerQ8Conv(layer, meaning, state)
    case 'maxPool':
    case 'averagePool':
      return lowerQ8Pool(layer, meaning, state)
    case 'add':
      return lowerAdd(layer, meaning, state)
    case 'square':
    case 'rescale':
      return lowerMap(
        [layer.input],
        meaning,
        state,
        {
          multipliers: [layer.requantization.multipliers[0] ?? 0],
          squared: layer.kind === 'square',
          bias: layer.requantization.biases[0] ?? 0n,
          shift: layer.requantization.shift,
        },
        layer.requantization,
      )
    case 'denseTransposed':
    case 'matmul':
    case 'softmax':
    case 'layerNorm':
    case 'table':
      throw new ProfileError(`q8 layers of kind ${layer.kind} run in the reference interpreter and in proofs only`)
  }
}

function input(state: Q8State, index: number): Boundary {
  const boundary = state.boundaries[index]
  if (boundary === undefined) throw new ProfileError(`a layer reads boundary ${index} before it exists`)
  return boundary
}

/** The largest |x - z| of a boundary. */
function reachOf({ lo, hi, zeroPoint }: Q8Boundary): bigint {
  return BigInt(Math.max(Math.abs(lo - zeroPoint), Math.abs(hi - zeroPoint)))
}

function planOf(meaning: Q8Boundary, shift: number, largest: bigint): RequantizePlan {
  // |v| + 2^(s-1) below 2^(31+s) keeps floor(v / 2^s) inside int32.
  const wide = largest + (1n << BigInt(shift - 1)) >= 1n << BigInt(31 + shift)
  return { shift, lo: meaning.lo - meaning.zeroPoint, hi: meaning.hi - meaning.zeroPoint, wide }
}

type Channels = {
  readonly first: number
  readonly count: number
  /** The unit at a place, where units are permuted. */
  unit?(place: number): number
  /** Bound on |acc| of a channel. */
  bound(channel: number): bigint
}

function requantization(by: Q8Requantization, meaning: Q8Boundary, channels: Channels, state: Q8State): Built {
  const at = <Item>(list: { readonly length: number; readonly [index: number]: Item }, channel: number, none: Item): Item =>
    list[list.length === 1 ? 0 : channel] ?? none
  const numbers = Array.from({ length: channels.count }, (_, i) => channels.unit?.(channels.first + i) ?? channels.first + i)
  const multipliers = numbers.map((channel) => at(by.multipliers, channel, 0))
  const biases = numbers.map((channel) => at(by.biases, channel, 0n))
  const largest = numbers.reduce((best, channel, i) => {
    const bias = biases[i] ?? 0n
    const value = BigInt(multipliers[i] ?? 0) * channels.bound(channel) + (bias < 0n ? -bias : bias)
    return value > best ? value : best
  }, 0n)
  const packed = packRequantization(multipliers, biases, { columns: channels.count, shift: by.shift })
  return {
    post: [requantizePost(planOf(meaning, by.shift, largest))],
    operands: [{ kind: 'pointer', region: state.out.constant(packed), offsetBytes: 0 }],
  }
}

/** Where an obfuscated build puts the units of a boundary, if everything that reads it can take them so. */
function choosePlaces(units: number, state: Q8State): Int32Array | undefined {
  const index = state.boundaries.length
  if (state.model.outputs.some(({ boundary }) => boundary === index)) return undefined
  const reads = (layer: Q8Layer): boolean => ('input' in layer ? layer.input === index : layer.inputs.includes(index))
  const takes = (layer: Q8Layer): boolean =>
    layer.kind === 'dense' || layer.kind === 'maxPool' || (layer.kind === 'conv' && layer.group === 1)
  return state.model.layers.filter(reads).every(takes) ? state.out.obfuscator?.units(units) : undefined
}

/** The unit at each place of a boundary's permuted axis. */
function unitAt(view: View): (place: number) => number {
  const units = view.permutation === undefined ? undefined : inverse(view.permutation.places)
  return (place) => units?.[place] ?? place
}

function weightBound(weights: Int8Array, perChannel: number, reach: bigint): (channel: number) => bigint {
  return (channel) =>
    reach * BigInt(weights.subarray(channel * perChannel, (channel + 1) * perChannel).reduce((sum, weight) => sum + Math.abs(weight), 0))
}

function lowerDense(layer: Extract<Q8Layer, { kind: 'dense' }>, meaning: Q8Boundary, state: Q8State): View {
  const { rows, inputSize, outputSize, weights } = layer
  const source = input(state, layer.input)
  const dense = state.out.asDense(source.view)
  // Rows of odd length are read one element past their end, against a zero weight: harmless, whatever lies there.
  const matrix = { ...dense, shape: [rows, inputSize], strides: [inputSize, 1] }
  const padded = Math.ceil(outputSize / 4) * 4
  const region = state.out.region('transient', rows * padded * 2)
  const places = meaning.shape.at(-1) === outputSize ? choosePlaces(outputSize, state) : undefined
  const permutation = places === undefined ? {} : { permutation: { axis: 1, places } }
  const result: View = { ...denseView(region, 'i16', [rows, outputSize], meaning.zeroPoint), strides: [padded, 1], ...permutation }
  const unit = unitAt(result)
  const from = depthUnits(dense, inputSize)
  const bound = weightBound(weights, inputSize, reachOf(source.meaning))
  const b = packConstant(
    state.out,
    'int8',
    { depth: inputSize, columns: outputSize, at: (k, n) => weights[unit(n) * inputSize + from(k)] ?? 0 },
    chooseTile(rows, outputSize, 'int8').vectors,
  )
  emitProduct(state.out, {
    name: 'dense',
    rowShape: [rows],
    a: { view: matrix, offsetBytes: matrix.offsetBytes, rowStrides: [inputSize] },
    c: { view: result, offsetBytes: 0, rowStrides: [padded] },
    b,
    depth: { segments: [], run: Math.ceil(inputSize / 2) },
    ...requantization(layer.requantization, meaning, { first: 0, count: outputSize, unit, bound }, state),
  })
  return withShape(result, meaning.shape, state)
}

/** Which input of a row lies at each place, when the units of an activation are permuted. */
function depthUnits(view: View, inputSize: number): (place: number) => number {
  const { permutation } = view
  if (permutation === undefined) return (place) => place
  const units = inverse(permutation.places)
  const inner = elementCount(view.shape.slice(permutation.axis + 1))
  const block = units.length * inner
  return (place) => (place % inputSize) - (place % block) + (units[Math.floor((place % block) / inner)] ?? 0) * inner + (place % inner)
}

/** A dense matrix under another shape; padded rows are closed up first. */
function withShape(view: View, shape: readonly number[], state: Q8State): View {
  if (shape.length === view.shape.length && shape.every((size, axis) => size === view.shape[axis])) return view
  const [rows = 1, columns = 1] = view.shape
  if (shape.at(-1) === columns && elementCount(shape) === rows * columns && view.strides[0] !== columns) {
    const strides = stridesOf(shape).map((stride, axis) =>
      axis === shape.length - 1 ? 1 : (stride / columns) * (view.strides[0] ?? columns),
    )
    return { ...view, shape, strides, ...lastAxis(view, shape) }
  }
  const dense = isDense(view) ? view : state.out.asDense(view)
  return { ...dense, shape, strides: stridesOf(shape), ...lastAxis(view, shape) }
}

function lastAxis({ permutation }: View, shape: readonly number[]): Pick<View, 'permutation'> {
  return permutation === undefined ? {} : { permutation: { ...permutation, axis: shape.length - 1 } }
}

const anonymous = (kind: string) => ({
  name: kind,
  operation: { operator: 'QLinearConv' as const, window: { kernel: [], strides: [], dilations: [], pads: [] }, group: 1 },
})

function imageShape(shape: readonly number[]): readonly number[] {
  return shape.length === 3 ? [shape[0] ?? 1, shape[1] ?? 1, 1, shape[2] ?? 1] : shape
}

/** Room for an image with the border that its one reader needs. */
function allocateQ8Image(meaning: Q8Boundary, index: number, state: Q8State, group: number): View {
  const readers = state.model.layers.filter((layer) => ('input' in layer ? layer.input === index : layer.inputs.includes(index)))
  const shape = imageShape(meaning.shape)
  const groupOut = (shape[1] ?? 1) / group
  const [reader] = readers
  let border: Window2d['border'] | undefined
  if (readers.length === 1 && (reader?.kind === 'conv' || reader?.kind === 'averagePool')) {
    const produced = state.model.inputCount + state.model.layers.indexOf(reader)
    border = neededBorder(window2d(reader.window, anonymous(reader.kind)), shape, imageShape(boundaryAt(state.model, produced).shape))
    if (border.top + border.left + border.bottom + border.right === 0) border = undefined
  }
  return state.out.channelsLast('i16', shape, {
    ...(border === undefined ? {} : { border }),
    paddedChannels: Math.ceil(((group - 1) * groupOut + Math.ceil(groupOut / 4) * 4) / 4) * 4,
    zeroPoint: meaning.zeroPoint,
  })
}

function lowerQ8Conv(layer: Extract<Q8Layer, { kind: 'conv' }>, meaning: Q8Boundary, state: Q8State): View {
  const source = input(state, layer.input)
  const window = window2d(layer.window, anonymous('conv'))
  const shape = imageShape(meaning.shape)
  const image = as2d(layer.group === 1 ? source.view : state.out.restored(source.view))
  const groupIn = (image.shape[1] ?? 1) / layer.group
  const groupOut = layer.outputChannels / layer.group
  const perChannel = groupIn * window.kernel[0] * window.kernel[1]
  const bound = weightBound(layer.weights, perChannel, reachOf(source.meaning))
  const places = layer.group === 1 ? choosePlaces(layer.outputChannels, state) : undefined
  const output: View = {
    ...allocateQ8Image(meaning, state.boundaries.length, state, layer.group),
    ...(places === undefined ? {} : { permutation: { axis: 1, places } }),
  }
  const [unit, from] = [unitAt(output), unitAt(image)]
  emitConvolution(state.out, {
    name: 'conv',
    input: asImage(state.out, image, { border: neededBorder(window, image.shape, shape), fill: 0, channelMultiple: 2 }),
    output,
    window,
    group: layer.group,
    arithmetic: 'int8',
    weight: (o, c, y, x) => layer.weights[((unit(o) * groupIn + from(c)) * window.kernel[0] + y) * window.kernel[1] + x] ?? 0,
    epilogue: (g) => requantization(layer.requantization, meaning, { first: g * groupOut, count: groupOut, unit, bound }, state),
  })
  return asShape(output, meaning.shape)
}

function lowerQ8Pool(layer: Extract<Q8Layer, { kind: 'maxPool' | 'averagePool' }>, meaning: Q8Boundary, state: Q8State): View {
  const source = input(state, layer.input)
  const window = window2d(layer.window, anonymous(layer.kind))
  const shape = imageShape(meaning.shape)
  const image = as2d(layer.kind === 'maxPool' ? source.view : state.out.restored(source.view))
  const border = neededBorder(window, image.shape, shape)
  if (layer.kind === 'maxPool') {
    const output = allocateQ8Image(meaning, state.boundaries.length, state, 1)
    emitPool(state.out, { kind: 'max-i16', input: asImage(state.out, image, { border, fill: -32768, channelMultiple: 1 }), output, window })
    const { permutation } = image
    return asShape(permutation === undefined ? output : { ...output, permutation }, meaning.shape)
  }
  // An average is a depthwise convolution with weights of one.
  const channels = image.shape[1] ?? 1
  const reach = reachOf(source.meaning) * BigInt(window.kernel[0] * window.kernel[1])
  const output = allocateQ8Image(meaning, state.boundaries.length, state, channels)
  emitConvolution(state.out, {
    name: 'averagePool',
    input: asImage(state.out, image, { border, fill: 0, channelMultiple: 2 }),
    output,
    window,
    group: channels,
    arithmetic: 'int8',
    weight: () => 1,
    epilogue: (g) => requantization(layer.requantization, meaning, { first: g, count: 1, bound: () => reach }, state),
  })
  return asShape(output, meaning.shape)
}

function lowerAdd(layer: Q8Add, meaning: Q8Boundary, state: Q8State): View {
  return lowerMap(layer.inputs, meaning, state, { multipliers: layer.multipliers, squared: false, bias: layer.bias, shift: layer.shift })
}

type MapTerms = { readonly multipliers: readonly number[]; readonly squared: boolean; readonly bias: bigint; readonly shift: number }

function lowerMap(inputs: readonly number[], meaning: Q8Boundary, state: Q8State, terms: MapTerms, perChannel?: Q8Requantization): View {
  if (perChannel !== undefined && perChannel.multipliers.length > 1)
    throw new ProfileError('a rescale or square has more than one multiplier')
  const sources = inputs.map((index) => input(state, index))
  const views = sources.map(({ view }) => state.out.asDense(state.out.restored(view)))
  const output = state.out.dense('i16', meaning.shape, meaning.zeroPoint)
  const largest = sources.reduce(
    (sum, source, i) => {
      const reach = reachOf(source.meaning)
      const multiplier = BigInt(Math.abs(terms.multipliers[i] ?? 0))
      return sum + multiplier * (terms.squared ? reach * reach : reach)
    },
    terms.bias < 0n ? -terms.bias : terms.bias,
  )
  const plan = planOf(meaning, terms.shift, largest)
  const part = (sources: readonly View[], target: View): Call => {
    const map: IntegerMap = {
      size: elementCount(target.shape),
      multipliers: terms.multipliers,
      squared: terms.squared,
      bias: terms.bias + (1n << BigInt(terms.shift - 1)),
      plan,
    }
    const key = `integer map ${map.size} ${terms.multipliers.join()} ${terms.squared} ${map.bias} ${JSON.stringify(plan)}`
    return { name: 'map', key, build: () => buildIntegerMap(map), arguments: [...sources, target], reads: sources, writes: [target] }
  }
  const cuts = rowCuts(meaning.shape, (firstRow, rows) =>
    part(
      views.map((view) => denseRows(view, { firstRow, rows, size: 1 })),
      denseRows(output, { firstRow, rows, size: 1 }),
    ),
  )
  state.out.call({ ...part(views, output), cuts })
  return output
}

function lowerOutput(boundary: number, answer: 'values' | 'argmax', state: Q8State): BoundaryView & { readonly name: string } {
  const { view } = input(state, boundary)
  const name = answer === 'values' ? boundaryName(boundary) : `argmax(${boundaryName(boundary)})`
  if (answer === 'values') return { name, view, elementType: 'int8' }
  const dense = state.out.asDense(state.out.restored(view))
  const size = dense.shape.at(-1) ?? 1
  const rows = elementCount(dense.shape) / size
  const output = state.out.dense('i32', dense.shape.slice(0, -1))
  state.out.call({
    name: 'argmax',
    key: `argmax ${rows} ${size}`,
    build: () => buildArgMax({ rows, size }),
    arguments: [dense, output],
    reads: [dense],
    writes: [output],
  })
  return { name, view: output, elementType: 'int32' }
}
