// The parts of the network that are not matrix products, each with its derivative. Plain loops over flat arrays; `at`
// reads an element that is known to exist.

/** Rows of `width` elements. */
export type Rows = { readonly count: number; readonly width: number }

/** `target[j][i] = source[i][j]` for `rows` x `columns`, `stride` elements from one source row to the next. */
export function transpose(source: Float32Array, target: Float32Array, rows: number, columns: number, stride: number = columns): void {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) target[j * rows + i] = at(source, i * stride + j)
}

/** RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467, equation 4) with a gain; `scale` keeps 1/RMS per row for the way back. */
export function rmsNorm(
  x: Float32Array,
  gain: Float32Array,
  scale: Float32Array,
  y: Float32Array,
  { count, width }: Rows,
  epsilon: number,
): void {
  for (let n = 0; n < count; n++) {
    const row = n * width
    let squares = 0
    for (let j = 0; j < width; j++) squares += at(x, row + j) ** 2
    const inverse = 1 / Math.sqrt(squares / width + epsilon)
    scale[n] = inverse
    for (let j = 0; j < width; j++) y[row + j] = at(x, row + j) * inverse * at(gain, j)
  }
}

/** Adds the gradient of `rmsNorm` with respect to its input to `dx` and with respect to the gain to `dGain`. */
export function rmsNormBackward(
  x: Float32Array,
  gain: Float32Array,
  scale: Float32Array,
  dy: Float32Array,
  dGain: Float32Array,
  dx: Float32Array,
  { count, width }: Rows,
): void {
  for (let n = 0; n < count; n++) {
    const row = n * width
    const inverse = at(scale, n)
    let along = 0
    for (let j = 0; j < width; j++) {
      along += at(dy, row + j) * at(gain, j) * at(x, row + j)
      dGain[j] = at(dGain, j) + at(dy, row + j) * at(x, row + j) * inverse
    }
    const correction = (along * inverse ** 3) / width
    for (let j = 0; j < width; j++) {
      dx[row + j] = at(dx, row + j) + at(dy, row + j) * at(gain, j) * inverse - at(x, row + j) * correction
    }
  }
}

/** Angles of the rotary embedding, one cosine and sine per position and pair. */
export type Rotations = { readonly cosine: Float64Array; readonly sine: Float64Array; readonly window: number; readonly pairs: number }

/** RoPE (Su et al. 2021, arXiv:2104.09864, section 3.2.2) as llama.cpp rotates LLaMA heads: neighbours form a pair. */
export function rotations(window: number, headWidth: number, base: number): Rotations {
  const pairs = headWidth / 2
  const cosine = new Float64Array(window * pairs)
  const sine = new Float64Array(window * pairs)
  for (let position = 0; position < window; position++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = position * base ** ((-2 * pair) / headWidth)
      cosine[position * pairs + pair] = Math.cos(angle)
      sine[position * pairs + pair] = Math.sin(angle)
    }
  }
  return { cosine, sine, window, pairs }
}

/** Rotates all heads of all rows in place; `direction` -1 undoes it, which is also its derivative. */
export function rotate(x: Float32Array, { count, width }: Rows, { cosine, sine, window, pairs }: Rotations, direction: 1 | -1): void {
  for (let n = 0; n < count; n++) {
    const angles = (n % window) * pairs
    for (let i = 0; i < width / 2; i++) {
      const c = at(cosine, angles + (i % pairs))
      const s = direction * at(sine, angles + (i % pairs))
      const even = at(x, n * width + 2 * i)
      const odd = at(x, n * width + 2 * i + 1)
      x[n * width + 2 * i] = even * c - odd * s
      x[n * width + 2 * i + 1] = even * s + odd * c
    }
  }
}

/** Softmax over each row of scores up to the diagonal; what lies in the future becomes 0. */
export function causalSoftmax(scores: Float32Array, window: number, scale: number): void {
  for (let t = 0; t < window; t++) {
    const row = t * window
    let highest = Number.NEGATIVE_INFINITY
    for (let j = 0; j <= t; j++) highest = Math.max(highest, at(scores, row + j))
    let sum = 0
    for (let j = 0; j <= t; j++) {
      const e = Math.exp((at(scores, row + j) - highest) * scale)
      scores[row + j] = e
      sum += e
    }
    for (let j = 0; j <= t; j++) scores[row + j] = at(scores, row + j) / sum
    scores.fill(0, row + t + 1, row + window)
  }
}

/** Turns the gradient of the probabilities into that of the unscaled scores, in place. */
export function causalSoftmaxBackward(probabilities: Float32Array, gradient: Float32Array, window: number, scale: number): void {
  for (let t = 0; t < window; t++) {
    const row = t * window
    let mean = 0
    for (let j = 0; j <= t; j++) mean += at(gradient, row + j) * at(probabilities, row + j)
    for (let j = 0; j <= t; j++) gradient[row + j] = at(probabilities, row + j) * (at(gradient, row + j) - mean) * scale
    gradient.fill(0, row + t + 1, row + window)
  }
}

/** SwiGLU (Shazeer 2020, arXiv:2002.05202, equation 6): `silu(gate) * up`. */
export function swiglu(gate: Float32Array, up: Float32Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = (at(gate, i) / (1 + Math.exp(-at(gate, i)))) * at(up, i)
}

/** The gradients of `swiglu` with respect to both inputs. */
export function swigluBackward(gate: Float32Array, up: Float32Array, dOut: Float32Array, dGate: Float32Array, dUp: Float32Array): void {
  for (let i = 0; i < dOut.length; i++) {
    const sigmoid = 1 / (1 + Math.exp(-at(gate, i)))
    const silu = at(gate, i) * sigmoid
    dUp[i] = at(dOut, i) * silu
    dGate[i] = at(dOut, i) * at(up, i) * (sigmoid + silu * (1 - sigmoid))
  }
}

/** An element that the loop bounds prove to exist. */
export function at(array: Float32Array | Float64Array | Int32Array, index: number): number {
  return array[index] as number
}
