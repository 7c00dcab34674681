import { at } from './layers.ts'

/** One step of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2) with the gradient clipped to norm 1. */
export function createAdam(
  weights: Float32Array,
  { weightDecay }: { readonly weightDecay: number },
): (gradient: Float32Array, learningRate: number) => void {
  const beta1 = 0.9
  const beta2 = 0.98
  const epsilon = 1e-8
  const mean = new Float32Array(weights.length)
  const variance = new Float32Array(weights.length)
  let step = 0
  return (gradient, learningRate) => {
    step++
    const correction1 = 1 / (1 - beta1 ** step)
    const correction2 = 1 / (1 - beta2 ** step)
    let squares = 0
    for (const value of gradient) squares += value * value
    const clip = Math.min(1, 1 / Math.sqrt(squares))
    for (let i = 0; i < weights.length; i++) {
      const g = at(gradient, i) * clip
      const m = beta1 * at(mean, i) + (1 - beta1) * g
      const v = beta2 * at(variance, i) + (1 - beta2) * g * g
      mean[i] = m
      variance[i] = v
      const w = at(weights, i)
      weights[i] = w - learningRate * ((m * correction1) / (Math.sqrt(v * correction2) + epsilon) + weightDecay * w)
    }
  }
}
