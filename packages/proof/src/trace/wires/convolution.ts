import type { ConvolutionSpec } from '@tacit/protocol'
import { OUTPUT, ROUNDING } from '../../relation/gate.ts'
import { windowAxes } from '../../relation/window.ts'
import { gather, requantisedConstant, type TraceWiring, type WireInputs } from './wiring.ts'

/** Hidden kernels over committed planes, by way of the prover's link vector. */
export function wireConvolution(spec: ConvolutionSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda, forms, columns, challenges } = inputs
  const { mu, nu, omega } = challenges
  const { window, inputPlanes, outputPlanes, requantisation } = spec
  const [rows, cols] = windowAxes(window)
  const taps = window.channels * rows.kernel * cols.kernel
  const [planeWeights = [], ey = [], ex = []] = weights.axes
  const positions = m.mul(m.sum(ey), m.sum(ex))
  const [channel = m.zero, row = m.zero, column = m.zero] = mu
  const inputChunks = Math.ceil(window.channels / inputPlanes)
  const channelPowers = m.powers(channel, inputChunks * inputPlanes)
  const channels = channelPowers.slice(0, window.channels)
  const [rowPowers, columnPowers] = [m.powers(row, rows.kernel), m.powers(column, cols.kernel)]
  const [ay, ax] = [gather(m, rows, ey, rowPowers), gather(m, cols, ex, columnPowers)]
  const plane = m.outer(ay, ax)
  forms.add(-1, weights.columns, lambda(OUTPUT))
  forms.add(-2, m.outer(channelPowers.slice(0, inputPlanes), plane), m.negate(nu))
  // mu on the taps, powers of omega behind them
  const behind = m.powers(omega, columns - taps + 1).slice(1)
  const evaluation = [...m.outer(channels, m.outer(rowPowers, columnPowers)), ...behind]
  const padding = m.mul(m.sum(channels), m.mul(m.sum(ay), m.sum(ax)))
  const zeroPoint = m.mul(m.scalar(spec.inputZeroPoint), padding)
  const claim = requantisedConstant(inputs, requantisation, { rounding: lambda(ROUNDING), output: lambda(OUTPUT) })
  return {
    contributions: [
      {
        exponent: 1,
        source: 'weights',
        start: 0,
        stride: 1,
        scalars: m.outer(weights.chunksOfGroup, planeWeights.slice(0, outputPlanes)).slice(0, spec.outputChannels),
      },
      { exponent: 2, source: 'link', start: 0, stride: 1, scalars: [m.one] },
      { exponent: 4, source: 'output', start: 0, stride: 1, scalars: weights.chunks },
      {
        exponent: 5,
        source: 'input0',
        start: 0,
        stride: 1,
        scalars: Array.from({ length: inputChunks }, (_, a) => channelPowers[a * inputPlanes] ?? m.zero),
      },
    ],
    offsets: [{ exponent: 2, start: taps, count: 1, value: positions }],
    forms: [...forms.forms, { exponent: 1, scalar: nu, entries: evaluation, surplus: [] }],
    quadratic: lambda(ROUNDING),
    constant: m.fma(nu, m.sub(zeroPoint, m.mul(omega, positions)), claim),
  }
}
