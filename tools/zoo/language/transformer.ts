// A LLaMA-style decoder (Touvron et al. 2023, arXiv:2302.13971, section 2.2) and its gradient, for training on one core:
// pre-normalisation with RMSNorm, rotary positions, SwiGLU, tied token embedding. All products go through the kernel.
import type { ModelShape } from './config.ts'
import { ignored } from './corpus.ts'
import type { Kernel } from './kernel.ts'
import {
  at,
  causalSoftmax,
  causalSoftmaxBackward,
  type Rotations,
  rmsNorm,
  rmsNormBackward,
  rotate,
  rotations,
  swiglu,
  swigluBackward,
  transpose,
} from './layers.ts'
import { allocateParameters, type Parameters, tensorOf, tensorShapes } from './parameters.ts'

/** A model that can be trained on batches of one size. */
export type Transformer = {
  readonly parameters: Parameters
  readonly gradients: Parameters
  /** Mean loss in nats per token that is to be learned; the logits stay for `backward`. */
  forward(inputs: Int32Array, targets: Int32Array): number
  /** Loss of every token of the last `forward`. */
  readonly losses: Float64Array
  /** Fills `gradients` for the last `forward`. */
  backward(inputs: Int32Array, targets: Int32Array): void
}

/** Weights and gradients, which transformers of different batch sizes may share. */
export type TrainedState = { readonly parameters: Parameters; readonly gradients: Parameters }

/** Room for the weights of a model and their gradients. */
export function allocateState(kernel: Kernel, shape: ModelShape): TrainedState {
  const shapes = tensorShapes(shape)
  return { parameters: allocateParameters(kernel, shapes), gradients: allocateParameters(kernel, shapes) }
}

/** A transformer for batches of one size; `parameters` are not touched. */
export function createTransformer(
  kernel: Kernel,
  shape: ModelShape,
  size: { readonly window: number; readonly batch: number },
  { parameters, gradients }: TrainedState,
): Transformer {
  const { width, heads, layers, feedForward, vocabulary, normEpsilon } = shape
  const { window, batch } = size
  const count = window * batch
  const rows = { count, width }
  const headWidth = width / heads
  const scale = 1 / Math.sqrt(headWidth)
  const angles: Rotations = rotations(window, headWidth, shape.ropeBase)

  const weight = (name: string): Float32Array => tensorOf(parameters, name)
  const gradient = (name: string): Float32Array => tensorOf(gradients, name)
  const dimensions = new Map(parameters.shapes.map((tensor) => [tensor.name, { out: tensor.rows, in: tensor.columns ?? 1 }]))
  const dimensionsOf = (name: string): { readonly out: number; readonly in: number } => {
    const found = dimensions.get(name)
    if (found === undefined) throw new Error(`No tensor ${name}.`)
    return found
  }
  const transposed = new Map(
    parameters.shapes.flatMap(({ name, rows: r, columns }) =>
      columns === undefined ? [] : [[name, kernel.allocate(r * columns)] as const],
    ),
  )

  const wide = (): Float32Array => kernel.allocate(count * width)
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    prefix: `blk.${layer}.`,
    x: wide(),
    scale1: kernel.allocate(count),
    h1: wide(),
    q: wide(),
    k: wide(),
    v: wide(),
    attention: kernel.allocate(batch * heads * window * window),
    mixed: wide(),
    x2: wide(),
    scale2: kernel.allocate(count),
    h2: wide(),
    gate: kernel.allocate(count * feedForward),
    up: kernel.allocate(count * feedForward),
    inner: kernel.allocate(count * feedForward),
  }))
  const last = { x: wide(), scale: kernel.allocate(count), h: wide() }
  const logits = kernel.allocate(count * vocabulary)
  const losses = new Float64Array(count)
  const headColumns = kernel.allocate(headWidth * window)
  const scores = kernel.allocate(window * window)
  const d = { x: wide(), h: wide(), q: wide(), k: wide(), v: wide(), mixed: wide() }
  const dInner = kernel.allocate(count * feedForward)
  const dGate = kernel.allocate(count * feedForward)
  const dUp = kernel.allocate(count * feedForward)

  /** y (+)= x W^T */
  const linear = (x: Float32Array, name: string, y: Float32Array, accumulate = false): void => {
    const { out, in: inner } = dimensionsOf(name)
    const b = transposed.get(name)
    if (b === undefined) throw new Error(`${name} is not a matrix.`)
    kernel.multiply({ rows: count, columns: out, inner, a: x, aRow: inner, aColumn: 1, b, bRow: out, c: y, cRow: out, accumulate })
  }
  /** dx (+)= dy W, dW += dy^T x */
  const linearBackward = (x: Float32Array, name: string, dy: Float32Array, dx: Float32Array, accumulate: boolean): void => {
    const { out, in: inner } = dimensionsOf(name)
    kernel.multiply({
      rows: count,
      columns: inner,
      inner: out,
      a: dy,
      aRow: out,
      aColumn: 1,
      b: weight(name),
      bRow: inner,
      c: dx,
      cRow: inner,
      accumulate,
    })
    const c = gradient(name)
    kernel.multiply({
      rows: out,
      columns: inner,
      inner: count,
      a: dy,
      aRow: 1,
      aColumn: out,
      b: x,
      bRow: inner,
      c,
      cRow: inner,
      accumulate: true,
    })
  }
  const eachHead = (visit: (offset: number, square: number) => void): void => {
    for (let row = 0; row < batch; row++) {
      for (let head = 0; head < heads; head++) visit(row * window * width + head * headWidth, (row * heads + head) * window * window)
    }
  }
  const headProduct = { aRow: width, aColumn: 1, accumulate: false } as const
  const square = { rows: window, columns: window, inner: headWidth, bRow: window, cRow: window } as const
  const narrow = { rows: window, columns: headWidth, inner: window, aRow: window, bRow: width, cRow: width, accumulate: false } as const

  function attend(block: (typeof blocks)[number]): void {
    eachHead((offset, at0) => {
      const attention = block.attention.subarray(at0, at0 + window * window)
      transpose(block.k.subarray(offset), headColumns, window, headWidth, width)
      kernel.multiply({ ...headProduct, ...square, a: block.q.subarray(offset), b: headColumns, c: attention })
      causalSoftmax(attention, window, scale)
      kernel.multiply({ ...narrow, a: attention, aColumn: 1, b: block.v.subarray(offset), c: block.mixed.subarray(offset) })
    })
  }

  function attendBackward(block: (typeof blocks)[number]): void {
    eachHead((offset, at0) => {
      const attention = block.attention.subarray(at0, at0 + window * window)
      const dMixed = d.mixed.subarray(offset)
      transpose(block.v.subarray(offset), headColumns, window, headWidth, width)
      kernel.multiply({ ...headProduct, ...square, a: dMixed, b: headColumns, c: scores })
      kernel.multiply({ ...narrow, a: attention, aRow: 1, aColumn: window, b: dMixed, c: d.v.subarray(offset) })
      causalSoftmaxBackward(attention, scores, window, scale)
      kernel.multiply({ ...narrow, a: scores, aColumn: 1, b: block.k.subarray(offset), c: d.q.subarray(offset) })
      kernel.multiply({ ...narrow, a: scores, aRow: 1, aColumn: window, b: block.q.subarray(offset), c: d.k.subarray(offset) })
    })
  }

  return {
    parameters,
    gradients,
    losses,
    forward(inputs, targets) {
      for (const [name, target] of transposed) transpose(weight(name), target, dimensionsOf(name).out, dimensionsOf(name).in)
      const embedding = weight('token_embd')
      const first = blocks[0]?.x ?? last.x
      inputs.forEach((token, n) => first.set(embedding.subarray(token * width, (token + 1) * width), n * width))
      blocks.forEach((block, layer) => {
        const name = (part: string): string => block.prefix + part
        rmsNorm(block.x, weight(name('attn_norm')), block.scale1, block.h1, rows, normEpsilon)
        linear(block.h1, name('attn_q'), block.q)
        linear(block.h1, name('attn_k'), block.k)
        linear(block.h1, name('attn_v'), block.v)
        rotate(block.q, rows, angles, 1)
        rotate(block.k, rows, angles, 1)
        attend(block)
        block.x2.set(block.x)
        linear(block.mixed, name('attn_output'), block.x2, true)
        rmsNorm(block.x2, weight(name('ffn_norm')), block.scale2, block.h2, rows, normEpsilon)
        linear(block.h2, name('ffn_gate'), block.gate)
        linear(block.h2, name('ffn_up'), block.up)
        swiglu(block.gate, block.up, block.inner)
        const next = blocks[layer + 1]?.x ?? last.x
        next.set(block.x2)
        linear(block.inner, name('ffn_down'), next, true)
      })
      rmsNorm(last.x, weight('output_norm'), last.scale, last.h, rows, normEpsilon)
      linear(last.h, 'token_embd', logits)
      return crossEntropy(logits, targets, vocabulary, losses)
    },
    backward(inputs, targets) {
      gradients.flat.fill(0)
      crossEntropyBackward(logits, targets, vocabulary)
      linearBackward(last.h, 'token_embd', logits, d.h, false)
      d.x.fill(0)
      rmsNormBackward(last.x, weight('output_norm'), last.scale, d.h, gradient('output_norm'), d.x, rows)
      for (const block of blocks.toReversed()) {
        const name = (part: string): string => block.prefix + part
        linearBackward(block.inner, name('ffn_down'), d.x, dInner, false)
        swigluBackward(block.gate, block.up, dInner, dGate, dUp)
        linearBackward(block.h2, name('ffn_gate'), dGate, d.h, false)
        linearBackward(block.h2, name('ffn_up'), dUp, d.h, true)
        rmsNormBackward(block.x2, weight(name('ffn_norm')), block.scale2, d.h, gradient(name('ffn_norm')), d.x, rows)
        linearBackward(block.mixed, name('attn_output'), d.x, d.mixed, false)
        attendBackward(block)
        rotate(d.q, rows, angles, -1)
        rotate(d.k, rows, angles, -1)
        linearBackward(block.h1, name('attn_q'), d.q, d.h, false)
        linearBackward(block.h1, name('attn_k'), d.k, d.h, true)
        linearBackward(block.h1, name('attn_v'), d.v, d.h, true)
        rmsNormBackward(block.x, weight(name('attn_norm')), block.scale1, d.h, gradient(name('attn_norm')), d.x, rows)
      }
      const dEmbedding = gradient('token_embd')
      inputs.forEach((token, n) => {
        for (let j = 0; j < width; j++) dEmbedding[token * width + j] = at(dEmbedding, token * width + j) + at(d.x, n * width + j)
      })
    },
  }
}

/** Mean of -log softmax(logits)[target] over the targets that count; each token's own loss goes to `losses`. */
function crossEntropy(logits: Float32Array, targets: Int32Array, vocabulary: number, losses: Float64Array): number {
  let total = 0
  let counted = 0
  for (let n = 0; n < targets.length; n++) {
    const target = at(targets, n)
    losses[n] = 0
    if (target === ignored) continue
    const { highest, sum } = exponentials(logits, n * vocabulary, vocabulary)
    const loss = Math.log(sum) + highest - at(logits, n * vocabulary + target)
    losses[n] = loss
    total += loss
    counted++
  }
  return total / Math.max(1, counted)
}

/** Replaces the logits by the gradient of the mean loss. */
function crossEntropyBackward(logits: Float32Array, targets: Int32Array, vocabulary: number): void {
  const counted = Math.max(
    1,
    targets.reduce((count, target) => count + (target === ignored ? 0 : 1), 0),
  )
  for (let n = 0; n < targets.length; n++) {
    const target = at(targets, n)
    const row = n * vocabulary
    if (target === ignored) {
      logits.fill(0, row, row + vocabulary)
      continue
    }
    const { highest, sum } = exponentials(logits, row, vocabulary)
    for (let j = 0; j < vocabulary; j++) logits[row + j] = Math.exp(at(logits, row + j) - highest) / sum / counted
    logits[row + target] = at(logits, row + target) - 1 / counted
  }
}

function exponentials(logits: Float32Array, row: number, vocabulary: number): { readonly highest: number; readonly sum: number } {
  let highest = Number.NEGATIVE_INFINITY
  for (let j = 0; j < vocabulary; j++) highest = Math.max(highest, at(logits, row + j))
  let sum = 0
  for (let j = 0; j < vocabulary; j++) sum += Math.exp(at(logits, row + j) - highest)
  return { highest, sum }
}
