import type { ValueId } from '../../graph.ts'
import { float32, type TensorType, tensor, toNumbers } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/** How one axis is resized. */
type Axis = { readonly from: number; readonly to: number; readonly scale: number }

/** Where an output position reads: `count` input positions with weights, position by position. */
type Taps = { readonly indices: readonly number[]; readonly weights: readonly number[] }

/**
 * Resize as gathers and weighted sums, axis by axis: one tap for nearest, two for linear, four for cubic. The positions and
 * weights depend on shapes only, so they are constants.
 */
function resize(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const mode = node.text('mode', 'nearest')
  if (node.integer('antialias', 0) !== 0) throw node.unsupported('antialias is set', 'resizing without antialiasing')
  if (mode !== 'nearest') node.expectTypes([x], ['float32'])
  let value = x
  for (const [axis, size] of resizedAxes(node, shape).entries()) {
    if (size.from === size.to && size.scale === 1) continue
    node.reserve(8 * size.to)
    const positions = Array.from({ length: size.to }, (_, position) => original(node, position, size))
    const type: TensorType = { elementType, shape: node.shapeOf(value).with(axis, size.to) }
    value = gatherTaps(node, value, axis, type, tapsOf(node, mode, positions, size.from))
  }
  node.emitAlias(0, value)
}

/** The forms before operator set 11, whose positions are scaled from the corner and rounded down. */
function isOld(node: NodeReader): boolean {
  return node.version < 11 || node.node.operator === 'Upsample'
}

/** Sizes and scales of every axis, from `sizes` or `scales`. */
function resizedAxes(node: NodeReader, shape: readonly number[]): Axis[] {
  const axes = (node.integers('axes') ?? shape.map((_, axis) => axis)).map((axis) => node.axis(axis, shape.length))
  // Upsample, and Resize before operator set 11: x, scales; or an attribute before operator set 9.
  const old = isOld(node)
  const given = (index: number) => (node.optional(index) === undefined ? [] : toNumbers(node.constant(index, 'sizes or scales').data))
  const [scales, sizes] = old
    ? [node.optional(1) === undefined ? (node.attribute('scales')?.floats ?? []) : given(1), []]
    : [given(2), given(3)]
  const result: Axis[] = shape.map((from) => ({ from, to: from, scale: 1 }))
  if (scales.length !== axes.length && sizes.length !== axes.length) throw node.invalid('its scales or sizes do not fit its axes')
  const ratios = axes.map((axis, index) => (sizes[index] ?? 0) / (shape[axis] ?? 1))
  const policy = node.text('keep_aspect_ratio_policy', 'stretch')
  const common = policy === 'not_larger' ? Math.min(...ratios) : policy === 'not_smaller' ? Math.max(...ratios) : undefined
  for (const [index, axis] of axes.entries()) {
    const from = shape[axis] ?? 1
    const scale = scales.length > 0 ? (scales[index] ?? 1) : (common ?? ratios[index] ?? 1)
    const to = scales.length > 0 ? Math.floor(from * scale) : common === undefined ? (sizes[index] ?? 0) : Math.floor(from * common + 0.5)
    if (!(Number.isSafeInteger(to) && to >= 1 && from >= 1 && scale > 0)) throw node.invalid(`axis ${axis} would have ${to} positions`)
    result[axis] = { from, to, scale }
  }
  return result
}

/** The input coordinate of an output position. */
function original(node: NodeReader, position: number, { from, to, scale }: Axis): number {
  const mode = isOld(node) ? 'asymmetric' : node.text('coordinate_transformation_mode', 'half_pixel')
  switch (mode) {
    case 'half_pixel':
      return (position + 0.5) / scale - 0.5
    case 'half_pixel_symmetric':
      return (from / 2) * (1 - to / (from * scale)) + (position + 0.5) / scale - 0.5
    case 'pytorch_half_pixel':
      return to > 1 ? (position + 0.5) / scale - 0.5 : 0
    case 'asymmetric':
      return position / scale
    case 'align_corners':
      // ONNX's reference counts the resized length before rounding it down.
      return from * scale === 1 ? 0 : (position * (from - 1)) / (from * scale - 1)
    default:
      throw node.unsupported(
        `its coordinates are ${mode}`,
        'half_pixel, half_pixel_symmetric, pytorch_half_pixel, asymmetric, align_corners',
      )
  }
}

function tapsOf(node: NodeReader, mode: string, positions: readonly number[], from: number): readonly Taps[] {
  const inside = (index: number) => Math.min(Math.max(index, 0), from - 1)
  if (mode === 'nearest') {
    const round = nearestRounding(node)
    return [{ indices: positions.map((at) => inside(round(at))), weights: positions.map(() => 1) }]
  }
  if (mode === 'linear') {
    const shares = positions.map((at) => at - Math.floor(at))
    return [0, 1].map((tap) => ({
      indices: positions.map((at) => inside(Math.floor(at) + tap)),
      weights: shares.map((share) => (tap === 0 ? 1 - share : share)),
    }))
  }
  if (mode !== 'cubic') throw node.unsupported(`its mode is ${mode}`, 'nearest, linear, cubic')
  const a = node.float('cubic_coeff_a', -0.75)
  const exclude = node.integer('exclude_outside', 0) !== 0
  const weights = positions.map((at) => {
    const own = [-1, 0, 1, 2].map((tap) => {
      const index = Math.floor(at) + tap
      return exclude && (index < 0 || index >= from) ? 0 : cubicWeight(Math.abs(at - index), a)
    })
    const total = exclude ? own.reduce((sum, weight) => sum + weight, 0) : 1
    return own.map((weight) => weight / total)
  })
  return [0, 1, 2, 3].map((tap) => ({
    indices: positions.map((at) => inside(Math.floor(at) + tap - 1)),
    weights: weights.map((own) => own[tap] ?? 0),
  }))
}

function nearestRounding(node: NodeReader): (at: number) => number {
  const mode = isOld(node) ? 'floor' : node.text('nearest_mode', 'round_prefer_floor')
  if (mode === 'round_prefer_floor') return (at) => Math.ceil(at - 0.5)
  if (mode === 'round_prefer_ceil') return (at) => Math.floor(at + 0.5)
  return mode === 'floor' ? Math.floor : Math.ceil
}

/** Keys' cubic convolution kernel with its free constant a (R. G. Keys 1981; equation number not checked). */
function cubicWeight(distance: number, a: number): number {
  const [d, d2, d3] = [distance, distance ** 2, distance ** 3]
  if (d <= 1) return (a + 2) * d3 - (a + 3) * d2 + 1
  return d < 2 ? a * d3 - 5 * a * d2 + 8 * a * d - 4 * a : 0
}

/** Sum over taps of gather(x, indices) * weights, first tap first. */
function gatherTaps(node: NodeReader, x: ValueId, axis: number, type: TensorType, taps: readonly Taps[]): ValueId {
  const column = type.shape.map((size, other) => (other === axis ? size : 1))
  const parts = taps.map(({ indices, weights }) => {
    const chosen = node.innerConstant(tensor('int64', [indices.length], indices))
    const values = node.emitInner({ operator: 'Gather', axis }, [x, chosen], type)
    if (taps.length === 1) return values
    const factors = node.innerConstant(float32(column, weights))
    return node.emitInner({ operator: 'Mul' }, [values, factors], type)
  })
  return parts.reduce((sum, part) => node.emitInner({ operator: 'Add' }, [sum, part], type))
}

/** Changes of resolution. */
export const resizeReaders: Readonly<Record<string, OperatorReader>> = { Resize: resize, Upsample: resize }
