// Trains a small convolutional network with squares on digits enlarged from 8 x 8 to 28 x 28 pixels by bilinear interpolation: the class of
// LoLa's network on pictures of MNIST's size. The pictures are not MNIST; they hold no more detail than the originals.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type Digit, digitInput, mulberry32, parseDigits, splitDigits } from '@tacit/model'
import type { SquareNetwork } from '../src/index.ts'

const [side, maps, kernel, stride, positions] = [28, 4, 5, 3, 8]
const [features, hidden, classes] = [maps * positions * positions, 32, 10]

/** The fixed split of the digits. */
export function loadDigits(): ReturnType<typeof splitDigits> {
  const file = new URL('../../../zoo/data/digits/digits.csv.gz', import.meta.url)
  return splitDigits(parseDigits(gunzipSync(readFileSync(file)).toString()))
}

/** A digit as 28 x 28 pixels between 0 and 1. */
export function enlarge(digit: Digit): Float64Array {
  const small = digitInput(digit)
  const pixel = (y: number, x: number): number => small[8 * Math.min(7, Math.max(0, y)) + Math.min(7, Math.max(0, x))] ?? 0
  return Float64Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [((Math.floor(i / side) + 0.5) * 8) / side - 0.5, (((i % side) + 0.5) * 8) / side - 0.5]
    const [y0, x0] = [Math.floor(y), Math.floor(x)]
    const [fy, fx] = [y - y0, x - x0]
    const row = (yy: number): number => pixel(yy, x0) * (1 - fx) + pixel(yy, x0 + 1) * fx
    return row(y0) * (1 - fy) + row(y0 + 1) * fy
  })
}

type Parameters = {
  readonly k: Float64Array
  readonly kb: Float64Array
  readonly w: Float64Array
  readonly wb: Float64Array
  readonly v: Float64Array
  readonly vb: Float64Array
}

/** Pixel under tap (dy, dx) of a feature. */
const inputIndex = (feature: number, tap: number): number => {
  const [py, px] = [(feature >> 3) & 7, feature & 7]
  return (stride * py + Math.floor(tap / kernel)) * side + stride * px + (tap % kernel)
}

/** Stochastic gradient descent with decay, one image at a time; deterministic. */
export function trainCnn(epochs: number): SquareNetwork {
  const random = mulberry32(7)
  const draw = (count: number, spread: number): Float64Array =>
    Float64Array.from({ length: count }, () => (random() + random() + random() - 1.5) * spread)
  const p: Parameters = {
    k: draw(maps * kernel * kernel, 0.3),
    kb: new Float64Array(maps),
    w: draw(hidden * features, 0.08),
    wb: new Float64Array(hidden),
    v: draw(classes * hidden, 0.3),
    vb: new Float64Array(classes),
  }
  const images = loadDigits().train.map((digit) => ({ pixels: enlarge(digit), label: digit.label }))
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 0.004 * (1 - epoch / epochs)
    for (let i = images.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1))
      const [a, b] = [images[i], images[j]]
      if (a !== undefined && b !== undefined) [images[i], images[j]] = [b, a]
    }
    for (const { pixels, label } of images) step(p, pixels, label, rate)
  }
  return toNetwork(p)
}

// All indices below are in range by the sizes above; `n` reads a number.
const n = (values: Float64Array, index: number): number => values[index] as number

function step(p: Parameters, x: Float64Array, label: number, rate: number): void {
  const a1 = new Float64Array(features)
  for (let f = 0; f < features; f++) {
    let sum = n(p.kb, f >> 6)
    for (let tap = 0; tap < kernel * kernel; tap++) sum += n(p.k, (f >> 6) * kernel * kernel + tap) * n(x, inputIndex(f, tap))
    a1[f] = sum
  }
  const h1 = a1.map((value) => value * value)
  const a2 = product(p.w, p.wb, h1)
  const h2 = a2.map((value) => value * value)
  const logits = product(p.v, p.vb, h2)
  const top = Math.max(...logits)
  const powers = logits.map((value) => Math.exp(value - top))
  const total = powers.reduce((sum, value) => sum + value, 0)
  const d3 = powers.map((value, o) => value / total - (o === label ? 1 : 0))
  const d2 = backward(p.v, p.vb, h2, d3, rate).map((value, i) => clip(2 * n(a2, i) * value))
  const d1 = backward(p.w, p.wb, h1, d2, rate).map((value, i) => clip(2 * n(a1, i) * value))
  const gradient = new Float64Array(p.k.length)
  for (let f = 0; f < features; f++) {
    const m = f >> 6
    p.kb[m] = n(p.kb, m) - (rate / 64) * n(d1, f)
    for (let tap = 0; tap < kernel * kernel; tap++) {
      const at = m * kernel * kernel + tap
      gradient[at] = n(gradient, at) + n(d1, f) * n(x, inputIndex(f, tap))
    }
  }
  for (let i = 0; i < gradient.length; i++) p.k[i] = n(p.k, i) * (1 - 1e-5) - (rate / 8) * n(gradient, i)
}

const clip = (value: number): number => Math.max(-2, Math.min(2, value))

function product(weights: Float64Array, bias: Float64Array, input: Float64Array): Float64Array {
  return bias.map((start, o) => {
    let sum = start
    for (let i = 0; i < input.length; i++) sum += n(weights, o * input.length + i) * n(input, i)
    return sum
  })
}

/** Updates a dense layer and returns the gradient of its input. */
function backward(weights: Float64Array, bias: Float64Array, input: Float64Array, gradient: Float64Array, rate: number): Float64Array {
  const below = new Float64Array(input.length)
  gradient.forEach((value, o) => {
    for (let i = 0; i < input.length; i++) {
      const at = o * input.length + i
      below[i] = n(below, i) + n(weights, at) * value
      weights[at] = n(weights, at) * (1 - 1e-5) - rate * value * n(input, i)
    }
    bias[o] = n(bias, o) - rate * value
  })
  return below
}

function toNetwork(p: Parameters): SquareNetwork {
  const weights = new Float64Array(features * side * side)
  for (let f = 0; f < features; f++)
    for (let tap = 0; tap < kernel * kernel; tap++) weights[f * side * side + inputIndex(f, tap)] = n(p.k, (f >> 6) * kernel * kernel + tap)
  const convolution = {
    inputs: side * side,
    outputs: features,
    weights,
    bias: Float64Array.from({ length: features }, (_, f) => n(p.kb, f >> 6)),
  }
  const second = { inputs: features, outputs: hidden, weights: p.w, bias: p.wb }
  return { layers: [convolution, second, { inputs: hidden, outputs: classes, weights: p.v, bias: p.vb }], inputRange: [0, 1] }
}
