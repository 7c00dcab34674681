// Pooling: v (or the differences to the maximum) is a public linear form of the committed input planes; no hidden weights.
import type { AveragePoolSpec, LayerSpec, LayerWindow, MaxPoolSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import type { Kernels } from '../kernels/kernels.ts'
import { addOuter, FormBuilder, gatherAxis, residues, total, type WindowAxis } from './forms.ts'
import { type Gate, maximumGate, OUTPUT, ROUNDING, requantisationGate } from './gate.ts'
import { chunkCount, createIndexSpace, type SpaceWeights } from './index-space.ts'
import type { GateChallenges, LinkChallenges, Relation, Wiring } from './relation.ts'
import { roundingConstant } from './rounding.ts'
import { windowAxes } from './window.ts'

type PoolSpec = Extract<LayerSpec, { readonly window: LayerWindow; readonly planes: number }>
type WindowSums = { readonly form: number; readonly outputWeight: bigint; readonly constant: bigint }
type Build = (kernels: Kernels, weights: SpaceWeights, challenges: GateChallenges & LinkChallenges, pool: PoolShape) => WindowSums
type PoolShape = {
  readonly rows: WindowAxis
  readonly cols: WindowAxis
  readonly planes: number
  readonly chunk: number
  readonly outputChunk: number
}

function poolRelation(spec: PoolSpec, gate: Gate, build: Build): Relation {
  const { window, planes } = spec
  const [rows, cols] = windowAxes(window)
  const plane = window.height * window.width
  const outputPlane = rows.output * cols.output
  const input = { groups: 1, length: window.channels * plane, chunk: planes * plane }
  const output = { groups: 1, length: window.channels * outputPlane, chunk: planes * outputPlane }
  const space = createIndexSpace(output, [planes, rows.output, cols.output], spec.slots)
  const columns = Math.max(input.chunk, output.chunk)
  const shape = { rows, cols, planes, chunk: input.chunk, outputChunk: output.chunk }
  return {
    space,
    gate,
    inputs: [input],
    output,
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [],
    columns,
    target: 0,
    vectorExponents: [0, 1, 2],
    formExponents: [-2, -1],
    hasProduct: false,
    wire: (kernels, weights, challenges): Wiring => {
      const { form, outputWeight, constant } = build(kernels, weights, challenges, shape)
      const builder = new FormBuilder(kernels, columns, challenges.psi)
      builder.add(-1, { vector: weights.columns, count: output.chunk, scalar: outputWeight })
      builder.add(-2, { vector: form, count: input.chunk, scalar: 1n })
      const chunks = chunkCount(output)
      return {
        contributions: [
          { exponent: 1, source: 'output', start: 0, stride: 1, count: chunks, scalars: weights.chunks },
          { exponent: 2, source: 'input0', start: 0, stride: 1, count: chunks, scalars: weights.chunks },
        ],
        offsets: [],
        forms: builder.forms,
        quadratic: 0n,
        constant: mod(constant),
      }
    },
  }
}

/** v = M sum of the window + bias + ...: one separable form. */
export function averagePoolRelation(spec: AveragePoolSpec): Relation {
  const { requantisation } = spec
  return poolRelation(spec, requantisationGate(requantisation), (kernels, weights, { lambda }, shape) => {
    const { rows, cols, planes, chunk } = shape
    const [rounding, outputWeight] = [lambda[ROUNDING] ?? 0n, lambda[OUTPUT] ?? 0n]
    const [ep, ey, ex] = axisWeights(kernels, weights, shape)
    const ay = gatherAxis(rows, ey, new Array<bigint>(rows.kernel).fill(1n))
    const ax = gatherAxis(cols, ex, new Array<bigint>(cols.kernel).fill(1n))
    const form = kernels.zeros(chunk)
    addOuter(kernels, form, mod(rounding * BigInt(spec.multiplier)), [ep.slice(0, planes), ay, ax])
    const channels = realChannels(kernels, weights, ep, spec.window.channels)
    const taps = mod(total(ay) * total(ax))
    return {
      form,
      outputWeight,
      constant:
        weights.sum * (rounding * (roundingConstant(requantisation) + BigInt(spec.bias)) - outputWeight * BigInt(requantisation.low)) -
        rounding * BigInt(spec.multiplier) * BigInt(spec.inputZeroPoint) * mod(channels * taps),
    }
  })
}

/** D_k = y - x_k for every tap k; a tap in the padding counts as -128, which never wins against a real one. */
export function maxPoolRelation(spec: MaxPoolSpec): Relation {
  const [rows, cols] = windowAxes(spec.window)
  const taps = rows.kernel * cols.kernel
  return poolRelation(spec, maximumGate(taps), (kernels, weights, { lambda }, shape) => {
    const [ep, ey, ex] = axisWeights(kernels, weights, shape)
    const all = mod(total(ey) * total(ex))
    const channels = realChannels(kernels, weights, ep, spec.window.channels)
    const form = kernels.zeros(shape.chunk)
    let constant = weights.sum * (lambda[taps] ?? 0n)
    let outputWeight = 0n
    const unit = (n: number, k: number): readonly bigint[] => Array.from({ length: n }, (_, i) => (i === k ? 1n : 0n))
    for (let k = 0; k < taps; k++) {
      const weight = lambda[k] ?? 0n
      const fy = gatherAxis(rows, ey, unit(rows.kernel, Math.floor(k / cols.kernel)))
      const fx = gatherAxis(cols, ex, unit(cols.kernel, k % cols.kernel))
      addOuter(kernels, form, mod(-weight), [ep.slice(0, shape.planes), fy, fx])
      constant += weight * 128n * mod(channels * (all - total(fy) * total(fx)))
      outputWeight += weight
    }
    return { form, outputWeight: mod(outputWeight), constant }
  })
}

type Residues = readonly bigint[]

function axisWeights(kernels: Kernels, weights: SpaceWeights, shape: PoolShape): readonly [Residues, Residues, Residues] {
  const [planes = 0, rows = 0, cols = 0] = weights.axes
  return [residues(kernels, planes, shape.planes), residues(kernels, rows, shape.rows.output), residues(kernels, cols, shape.cols.output)]
}

// Sum of the weights of the channels that exist: the last chunk may hold fewer than `planes`.
function realChannels(kernels: Kernels, weights: SpaceWeights, planeWeights: readonly bigint[], channels: number): bigint {
  const planes = planeWeights.length
  const chunks = residues(kernels, weights.chunks, Math.ceil(channels / planes))
  return total(Array.from({ length: channels }, (_, c) => (chunks[Math.floor(c / planes)] ?? 0n) * (planeWeights[c % planes] ?? 0n)))
}
