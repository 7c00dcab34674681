// Section 5 of docs/spec/proofs.md: which committed vectors enter f1 at which power, and the public forms they meet.
import {
  type ConvolutionSpec,
  type DenseSpec,
  isDense,
  type LayerNormSpec,
  type LayerSpec,
  type LayerWindow,
  type MatmulSpec,
  type SoftmaxSpec,
} from '@tacit/protocol'
import { mod, power } from './arithmetic.ts'
import { type Challenges, outputSize, type Shape, type Term, type Weights, type Wires } from './layer.ts'
import { layerNormWires, softmaxWires } from './rows.ts'

const numbers = (values: readonly bigint[]): ReadonlyMap<number, bigint> => new Map(values.map((value, k) => [k, mod(value)]))

/** The wires of a layer for given challenges. */
export function wiresOf(spec: LayerSpec, shape: Shape, weights: Weights, challenges: Challenges): Wires {
  const surplus = psiPowers(challenges.psi)
  const pad = (form: readonly bigint[]): readonly bigint[] =>
    [...form, ...Array.from({ length: shape.columns - form.length }, surplus)].map(mod)
  if (spec.kind === 'softmax') return softmaxWires(spec, weights, challenges, pad)
  if (spec.kind === 'layerNorm') return layerNormWires(spec, weights, challenges)
  if (isDense(spec)) return denseWires(spec, shape, weights, challenges, pad)
  if (spec.kind === 'matmul') return productWires(spec, shape, weights, challenges, pad)
  if (spec.kind === 'conv') return convolutionWires(spec, shape, weights, challenges, pad)
  return publicWires(spec, shape, weights, challenges, pad)
}

// psi, psi^2, ... one power per surplus column, in the order in which the forms are listed.
function psiPowers(psi: bigint): () => bigint {
  let next = 1n
  return () => {
    next = mod(next * psi)
    return next
  }
}

type Pad = (form: readonly bigint[]) => readonly bigint[]

const constantOf = (q: { readonly shift: number; readonly zeroPoint: number; readonly low: number }): bigint =>
  (1n << BigInt(q.shift - 1)) + BigInt(q.zeroPoint - q.low) * (1n << BigInt(q.shift))

function outputTerm(exponent: number, weights: Weights): Term {
  return { exponent, source: 'output', scalars: numbers(weights.groups.flatMap((g) => weights.chunks.map((d) => g * d))) }
}

function denseWires(spec: DenseSpec, shape: Shape, weights: Weights, challenges: Challenges, pad: Pad): Wires {
  const [rounding = 0n, , output = 0n] = challenges.lambda
  const chunks = (shape.target - 1) / 2
  const forms = new Map([[-1, pad(weights.columns.map((e) => output * e))]])
  const offsets = new Map<number, readonly bigint[]>()
  const terms: Term[] = [outputTerm(shape.target + 1, weights)]
  const inGroup = Array.from(
    { length: shape.length },
    (_, k) => (weights.chunks[Math.floor(k / spec.outputChunk)] ?? 0n) * (weights.columns[k % spec.outputChunk] ?? 0n),
  )
  // transposed: the groups of the output are the features, its columns the tokens
  const [outputs, perToken] = spec.kind === 'dense' ? [inGroup, weights.groups] : [weights.groups, inGroup]
  const tokens = perToken.reduce((a, b) => a + b, 0n)
  let constant = weights.total * (rounding * constantOf(spec.requantisation) - output * BigInt(spec.requantisation.low))
  for (let a = 1; a <= chunks; a++) {
    const length = Math.min(spec.inputChunk, spec.inputSize - (a - 1) * spec.inputChunk)
    terms.push({ exponent: a, source: 'weights', scalars: new Map(outputs.map((e, o) => [(a - 1) * spec.outputSize + o, mod(e)])) })
    terms.push({ exponent: shape.target - a, source: 'input0', scalars: new Map(perToken.map((e, t) => [t * chunks + a - 1, mod(e)])) })
    const form = pad(new Array<bigint>(length).fill(0n))
    forms.set(a, form)
    // every input value minus its zero point, and a one for the bias behind the last chunk
    const offset = Array.from({ length: shape.columns }, (_, k) => (k < length ? mod(BigInt(-spec.inputZeroPoint) * tokens) : 0n))
    if (a === chunks) {
      offset[spec.inputChunk] = mod(tokens)
      constant -= (form[spec.inputChunk] ?? 0n) * tokens
    }
    offsets.set(shape.target - a, offset)
  }
  return { terms, offsets, forms, quadratic: rounding, constant: mod(constant) }
}

// Two committed matrices per head: the rows of the second stand where a dense layer has its weight rows.
function productWires(spec: MatmulSpec, shape: Shape, weights: Weights, challenges: Challenges, pad: Pad): Wires {
  const [rounding = 0n, , output = 0n] = challenges.lambda
  const { rows, heads, inner, outputs, innerChunk, outputChunk } = spec
  const perHead = Math.ceil(inner / innerChunk)
  const feature = (h: number, s: number): bigint => {
    const i = h * outputs + s
    return mod((weights.chunks[Math.floor(i / outputChunk)] ?? 0n) * (weights.columns[i % outputChunk] ?? 0n))
  }
  const forms = new Map([[-1, pad(weights.columns.map((e) => output * e))]])
  const offsets = new Map<number, readonly bigint[]>()
  const terms: Term[] = [outputTerm(shape.target + 1, weights)]
  for (let h = 0; h < heads; h++) {
    for (let k = 0; k < perHead; k++) {
      const power = h * perHead + k + 1
      const length = Math.min(innerChunk, inner - k * innerChunk)
      const left = new Map<number, bigint>()
      for (let t = 0; t < rows; t++) left.set((t * heads + h) * perHead + k, weights.groups[t] ?? 0n)
      const right = new Map<number, bigint>()
      for (let s = 0; s < outputs; s++) right.set((spec.orderB === 'tokens' ? s * heads + h : h * outputs + s) * perHead + k, feature(h, s))
      terms.push({ exponent: power, source: 'input1', scalars: right }, { exponent: shape.target - power, source: 'input0', scalars: left })
      const zeros = new Array<bigint>(length).fill(0n)
      forms.set(power, pad(zeros))
      forms.set(shape.target - power, pad(zeros))
      const sum = (scalars: ReadonlyMap<number, bigint>): bigint => [...scalars.values()].reduce((a, b) => a + b, 0n)
      const shift = (value: bigint): readonly bigint[] => Array.from({ length: shape.columns }, (_, c) => (c < length ? mod(value) : 0n))
      offsets.set(power, shift(BigInt(-spec.zeroPointB) * sum(right)))
      offsets.set(shape.target - power, shift(BigInt(-spec.zeroPointA) * sum(left)))
    }
  }
  const base = constantOf(spec.requantisation) + BigInt(spec.bias)
  const constant = weights.total * (rounding * base - output * BigInt(spec.requantisation.low))
  return { terms, offsets, forms, quadratic: mod(rounding * BigInt(spec.multiplier)), constant: mod(constant) }
}

/** Sum over outputs and taps reading each input position of outputWeight(py, px) tapWeight(ky, kx), and the number-weighted sum inside. */
function readBy(window: LayerWindow, weight: (py: number, px: number, ky: number, kx: number) => bigint): readonly bigint[] {
  const plane = new Array<bigint>(window.height * window.width).fill(0n)
  const [kh = 1, kw = 1] = window.kernel
  for (let py = 0; py < outputSize(window, 0); py++)
    for (let px = 0; px < outputSize(window, 1); px++)
      for (let ky = 0; ky < kh; ky++)
        for (let kx = 0; kx < kw; kx++) {
          const y = (window.strides[0] ?? 1) * py + (window.dilations[0] ?? 1) * ky - (window.pads[0] ?? 0)
          const x = (window.strides[1] ?? 1) * px + (window.dilations[1] ?? 1) * kx - (window.pads[1] ?? 0)
          const at = y * window.width + x
          if (y >= 0 && y < window.height && x >= 0 && x < window.width) plane[at] = mod((plane[at] ?? 0n) + weight(py, px, ky, kx))
        }
  return plane
}

function convolutionWires(spec: ConvolutionSpec, shape: Shape, weights: Weights, challenges: Challenges, pad: Pad): Wires {
  const { window } = spec
  const [rounding = 0n, , output = 0n] = challenges.lambda
  const { mu, nu, omega } = challenges
  const [kh = 1, kw = 1] = window.kernel
  const [planes = [], rows = [], cols = []] = weights.axes
  const at = (channel: number, ky: number, kx: number): bigint =>
    mod(power(mu[0] ?? 0n, channel) * power(mu[1] ?? 0n, ky) * power(mu[2] ?? 0n, kx))
  const plane = readBy(window, (py, px, ky, kx) => mod((rows[py] ?? 0n) * (cols[px] ?? 0n)) * at(0, ky, kx))
  const gathered = Array.from({ length: spec.inputPlanes }, (_, p) => plane.map((value) => mod(-nu * power(mu[0] ?? 0n, p)) * value)).flat()
  const forms = new Map([[-1, pad(weights.columns.map((e) => output * e))]])
  forms.set(-2, pad(gathered))
  const positions = mod(rows.reduce((a, b) => a + b, 0n) * cols.reduce((a, b) => a + b, 0n))
  const evaluation = Array.from({ length: shape.columns }, (_, k) => {
    if (k >= shape.link) return mod(nu * power(omega, k - shape.link + 1))
    return mod(nu * at(Math.floor(k / (kh * kw)), Math.floor(k / kw) % kh, k % kw))
  })
  forms.set(1, evaluation)
  const offset = new Array<bigint>(shape.columns).fill(0n)
  offset[shape.link] = positions
  const channels = Array.from(
    { length: spec.outputChannels },
    (_, o) => (weights.chunks[Math.floor(o / spec.outputPlanes)] ?? 0n) * (planes[o % spec.outputPlanes] ?? 0n),
  )
  const inputChunks = Math.ceil(window.channels / spec.inputPlanes)
  const allChannels = Array.from({ length: window.channels }, (_, c) => power(mu[0] ?? 0n, c)).reduce((a, b) => a + b, 0n)
  const zero = mod(BigInt(spec.inputZeroPoint) * allChannels * plane.reduce((a, b) => a + b, 0n))
  const constant =
    weights.total * (rounding * constantOf(spec.requantisation) - output * BigInt(spec.requantisation.low)) +
    nu * zero -
    nu * omega * positions
  return {
    terms: [
      { exponent: 1, source: 'weights', scalars: numbers(channels) },
      { exponent: 2, source: 'link', scalars: numbers([1n]) },
      outputTerm(4, weights),
      {
        exponent: 5,
        source: 'input0',
        scalars: numbers(Array.from({ length: inputChunks }, (_, a) => power(mu[0] ?? 0n, a * spec.inputPlanes))),
      },
    ],
    offsets: new Map([[2, offset]]),
    forms,
    quadratic: rounding,
    constant: mod(constant),
  }
}

// Kinds without hidden weights: every constraint is linear in the committed tensors, with public coefficients.
function publicWires(
  spec: Exclude<LayerSpec, DenseSpec | ConvolutionSpec | MatmulSpec | SoftmaxSpec | LayerNormSpec>,
  _shape: Shape,
  weights: Weights,
  challenges: Challenges,
  pad: Pad,
): Wires {
  const l = (k: number): bigint => challenges.lambda[k] ?? 0n
  const terms: Term[] = [outputTerm(1, weights), { exponent: 2, source: 'input0', scalars: outputTerm(1, weights).scalars }]
  const forms = new Map<number, readonly bigint[]>()
  const done = (constant: bigint): Wires => ({ terms, offsets: new Map(), forms, quadratic: 0n, constant: mod(constant) })
  const e = weights.columns
  if (spec.kind === 'argmax') {
    const all = Array.from({ length: spec.size }, (_, k) =>
      mod((weights.chunks[Math.floor(k / spec.chunk)] ?? 0n) * (e[k % spec.chunk] ?? 0n)),
    )
    const oneHot = all.map((value, k) => l(0) * value - l(1) * all.slice(0, k).reduce((a, b) => a + b, 0n) + l(3) + l(4) * BigInt(k))
    forms.set(-1, pad([-l(4)]))
    forms.set(-2, pad([...oneHot, l(1) * weights.total]))
    forms.set(-3, pad(e.map((value) => -l(1) * value)))
    const input = terms[1]?.scalars ?? new Map()
    terms.splice(0, 2, { exponent: 1, source: 'output', scalars: numbers([1n]) })
    terms.push({ exponent: 2, source: 'auxiliary', scalars: numbers([1n]) }, { exponent: 3, source: 'input0', scalars: input })
    return done(-l(3))
  }
  if (spec.kind === 'maxPool') {
    const [kh = 1, kw = 1] = spec.window.kernel
    const taps = kh * kw
    const differences = Array.from({ length: taps }, (_, k) => l(k)).reduce((a, b) => a + b, 0n)
    forms.set(-1, pad(e.map((value) => differences * value)))
    const { form, missing } = windowForm(spec.window, weights, spec.planes, (ky, kx) => l(ky * kw + kx))
    forms.set(-2, pad(form.map((value) => -value)))
    // a tap in the padding counts as -128: D = y + 128
    return done(weights.total * l(taps) + 128n * missing)
  }
  if (spec.kind === 'table') {
    forms.set(-1, pad(e.map((value) => l(3) * value)))
    forms.set(-2, pad(e.map((value) => l(2) * value)))
    return done(weights.total * (l(0) + l(1) + 128n * l(2)))
  }
  const { requantisation, bias } = spec
  const base = constantOf(requantisation) + BigInt(bias)
  forms.set(-1, pad(e.map((value) => l(2) * value)))
  const low = -l(2) * BigInt(requantisation.low)
  if (spec.kind === 'averagePool') {
    const { form, inside } = windowForm(spec.window, weights, spec.planes, () => l(0) * BigInt(spec.multiplier))
    forms.set(-2, pad(form))
    return done(weights.total * (l(0) * base + low) - BigInt(spec.inputZeroPoint) * inside)
  }
  if (spec.kind === 'add') {
    forms.set(-2, pad(e.map((value) => l(0) * BigInt(spec.multiplierA) * value)))
    forms.set(-3, pad(e.map((value) => l(0) * BigInt(spec.multiplierB) * value)))
    terms.push({ exponent: 3, source: 'input1', scalars: terms[1]?.scalars ?? new Map() })
    const zero = BigInt(spec.multiplierA * spec.zeroPointA) + BigInt(spec.multiplierB * spec.zeroPointB)
    return done(weights.total * (l(0) * (base - zero) + low))
  }
  const multiplier = BigInt(spec.multiplier)
  const zeroPoint = BigInt(spec.inputZeroPoint)
  if (spec.kind === 'rescale') {
    forms.set(-2, pad(e.map((value) => l(0) * multiplier * value)))
    return done(weights.total * (l(0) * (base - multiplier * zeroPoint) + low))
  }
  forms.set(-2, pad(e.map((value) => l(3) * value)))
  return done(weights.total * (l(0) * (base + multiplier * (128n + zeroPoint) ** 2n) + low + 128n * l(3)))
}

// The form of a pooling window over one chunk; `inside` and `missing` sum weight * e over taps inside and in the padding, all channels.
function windowForm(
  window: LayerWindow,
  weights: Weights,
  planes: number,
  tap: (ky: number, kx: number) => bigint,
): { readonly form: readonly bigint[]; readonly inside: bigint; readonly missing: bigint } {
  const [channelAxis = [], rows = [], cols = []] = weights.axes
  const plane = readBy(window, (py, px, ky, kx) => mod((rows[py] ?? 0n) * (cols[px] ?? 0n)) * tap(ky, kx))
  const channels = Array.from(
    { length: window.channels },
    (_, c) => (weights.chunks[Math.floor(c / planes)] ?? 0n) * (channelAxis[c % planes] ?? 0n),
  ).reduce((a, b) => a + b, 0n)
  const perChannel = plane.reduce((a, b) => a + b, 0n)
  const [kh = 1, kw = 1] = window.kernel
  let all = 0n
  for (let ky = 0; ky < kh; ky++) for (let kx = 0; kx < kw; kx++) all += tap(ky, kx)
  all = mod(all) * mod(rows.reduce((a, b) => a + b, 0n) * cols.reduce((a, b) => a + b, 0n))
  return {
    form: channelAxis.slice(0, planes).flatMap((p) => plane.map((value) => mod(p * value))),
    inside: mod(channels * perChannel),
    missing: mod(channels * (all - perChannel)),
  }
}
