import type { AveragePoolSpec, LayerWindow, MaxPoolSpec } from '@tacit/protocol'
import { OUTPUT, ROUNDING } from '../../relation/gate.ts'
import { windowAxes } from '../../relation/window.ts'
import type { Node } from '../recorder.ts'
import { gather, requantisedConstant, type TraceWiring, type WireInputs } from './wiring.ts'

type Pool = { readonly window: LayerWindow; readonly planes: number }

/** v is a separable form of the input planes. */
export function wireAveragePool(spec: AveragePoolSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda } = inputs
  const [rows, cols] = windowAxes(spec.window)
  const [, ey = [], ex = []] = weights.axes
  const [ay, ax] = [gather(m, rows, ey, ones(inputs, rows.kernel)), gather(m, cols, ex, ones(inputs, cols.kernel))]
  const scale = m.mul(lambda(ROUNDING), m.scalar(spec.multiplier))
  const zero = m.mul(m.mul(scale, m.scalar(spec.inputZeroPoint)), m.mul(realChannels(spec, inputs), m.mul(m.sum(ay), m.sum(ax))))
  const constant = requantisedConstant(inputs, spec.requantisation, {
    rounding: lambda(ROUNDING),
    output: lambda(OUTPUT),
    extra: BigInt(spec.bias),
  })
  return pool(spec, inputs, { plane: m.outer(ay, ax), scale, output: lambda(OUTPUT), constant: m.sub(constant, zero) })
}

/** D_k = y - x_k for every tap; a tap in the padding counts as -128. */
export function wireMaxPool(spec: MaxPoolSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda } = inputs
  const [rows, cols] = windowAxes(spec.window)
  const taps = rows.kernel * cols.kernel
  const [, ey = [], ex = []] = weights.axes
  const all = m.mul(m.sum(ey), m.sum(ex))
  const unit = (n: number, k: number): readonly Node[] => Array.from({ length: n }, (_, i) => (i === k ? m.one : m.zero))
  let plane: readonly Node[] = new Array<Node>(rows.input * cols.input).fill(m.zero)
  let missing = m.zero
  for (let k = 0; k < taps; k++) {
    const fy = gather(m, rows, ey, unit(rows.kernel, Math.floor(k / cols.kernel)))
    const fx = gather(m, cols, ex, unit(cols.kernel, k % cols.kernel))
    const weighted = fy.map((value) => m.mul(value, lambda(k)))
    plane = plane.map((value, at) => m.fma(weighted[Math.floor(at / cols.input)] ?? m.zero, fx[at % cols.input] ?? m.zero, value))
    missing = m.fma(lambda(k), m.sub(all, m.mul(m.sum(fy), m.sum(fx))), missing)
  }
  const padding = m.mul(m.scalar(128), m.mul(missing, realChannels(spec, inputs)))
  const differences = m.sum(Array.from({ length: taps }, (_, k) => lambda(k)))
  return pool(spec, inputs, {
    plane,
    scale: m.scalar(-1),
    output: differences,
    constant: m.fma(weights.sum, lambda(taps), padding),
  })
}

function pool(
  { planes }: Pool,
  { m, weights, forms }: WireInputs,
  parts: { readonly plane: readonly Node[]; readonly scale: Node; readonly output: Node; readonly constant: Node },
): TraceWiring {
  const [planeWeights = []] = weights.axes
  forms.add(-1, weights.columns, parts.output)
  forms.add(-2, m.outer(planeWeights.slice(0, planes), parts.plane), parts.scale)
  return {
    contributions: [
      { exponent: 1, source: 'output', start: 0, stride: 1, scalars: weights.chunks },
      { exponent: 2, source: 'input0', start: 0, stride: 1, scalars: weights.chunks },
    ],
    offsets: [],
    forms: forms.forms,
    quadratic: m.zero,
    constant: parts.constant,
  }
}

// The last chunk may hold fewer channels than `planes`.
function realChannels({ window, planes }: Pool, { m, weights }: WireInputs): Node {
  const [planeWeights = []] = weights.axes
  return m.sum(m.outer(weights.chunks, planeWeights.slice(0, planes)).slice(0, window.channels))
}

function ones({ m }: WireInputs, n: number): readonly Node[] {
  return new Array<Node>(n).fill(m.one)
}
