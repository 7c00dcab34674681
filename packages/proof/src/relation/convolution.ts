// Convolution without an im2col commitment. w = sum_o e_o (M_o W_o | B_o) meets x*_(c,ky,kx) = sum_p e_p x[c, S p + D k - P] - z on the taps
// inside. The prover commits to x* ("link"); a random evaluation mu of it equals one public linear form on the input planes.
import type { ConvolutionSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, writeScalars } from '../kernels/scalars.ts'
import { single } from './dense.ts'
import { addOuter, constantOffset, FormBuilder, gatherAxis, powersOf, residues, total } from './forms.ts'
import { OUTPUT, ROUNDING, requantisationGate } from './gate.ts'
import { chunkCount, createIndexSpace, outer } from './index-space.ts'
import type { Relation } from './relation.ts'
import { roundingConstant } from './rounding.ts'
import { windowAxes } from './window.ts'

/** The relation of a convolution. */
export function convolutionRelation(spec: ConvolutionSpec): Relation {
  const { window, outputChannels, inputPlanes, outputPlanes, requantisation } = spec
  const [rows, cols] = windowAxes(window)
  const plane = window.height * window.width
  const input = { groups: 1, length: window.channels * plane, chunk: inputPlanes * plane }
  const outputPlane = rows.output * cols.output
  const output = { groups: 1, length: outputChannels * outputPlane, chunk: outputPlanes * outputPlane }
  const space = createIndexSpace(output, [outputPlanes, rows.output, cols.output], spec.slots)
  const taps = window.channels * rows.kernel * cols.kernel
  const columns = Math.max(taps + 1, input.chunk, output.chunk)
  return {
    space,
    gate: requantisationGate(requantisation),
    inputs: [input],
    output,
    weightRows: outputChannels,
    linkColumns: taps,
    auxiliaries: [],
    columns,
    target: 3,
    vectorExponents: [0, 1, 2, 4, 5],
    formExponents: [-2, -1, 1],
    hasProduct: true,
    wire: (kernels, weights, { lambda, mu, nu, omega, psi }) => {
      const [rounding, outputWeight] = [lambda[ROUNDING] ?? 0n, lambda[OUTPUT] ?? 0n]
      const [, rowWeights = 0, columnWeights = 0] = weights.axes
      const ey = residues(kernels, rowWeights, rows.output)
      const ex = residues(kernels, columnWeights, cols.output)
      const positions = mod(total(ey) * total(ex))
      const channels = outer(kernels, weights.chunksOfGroup, space.chunksPerGroup, weights.axes[0] ?? 0, outputPlanes)
      const [muChannel, muRow, muColumn] = mu
      const channelPowers = powersOf(muChannel, window.channels)
      const ay = gatherAxis(rows, ey, powersOf(muRow, rows.kernel))
      const ax = gatherAxis(cols, ex, powersOf(muColumn, cols.kernel))
      // the gathered form over the planes of one chunk
      const gathered = kernels.zeros(input.chunk)
      addOuter(kernels, gathered, 1n, [channelPowers.slice(0, inputPlanes), ay, ax])
      const builder = new FormBuilder(kernels, columns, psi)
      builder.add(-1, { vector: weights.columns, count: output.chunk, scalar: outputWeight })
      builder.add(-2, { vector: gathered, count: input.chunk, scalar: mod(-nu) })
      // nu mu on the taps, nu times powers of omega behind them
      const evaluation = kernels.zeros(columns)
      addOuter(kernels, evaluation, nu, [channelPowers, powersOf(muRow, rows.kernel), powersOf(muColumn, cols.kernel)])
      const step = placeScalars(kernels, [omega])
      kernels.x.powers(evaluation + SCALAR_BYTES * taps, placeScalars(kernels, [mod(nu * omega)]), step, columns - taps)
      const chunks = chunkCount(input)
      const chunkPowers = kernels.allocate(SCALAR_BYTES * chunks)
      writeScalars(
        kernels,
        chunkPowers,
        powersOf(channelPowers[inputPlanes] ?? mod(muChannel * (channelPowers[inputPlanes - 1] ?? 1n)), chunks),
      )
      const zeroPoint = BigInt(spec.inputZeroPoint)
      const padding = mod(total(channelPowers) * mod(total(ay) * total(ax)))
      const claim = weights.sum * (rounding * roundingConstant(requantisation) - outputWeight * BigInt(requantisation.low))
      return {
        contributions: [
          { exponent: 1, source: 'weights', start: 0, stride: 1, count: outputChannels, scalars: channels },
          { exponent: 2, source: 'link', start: 0, stride: 1, count: 1, scalars: single(kernels, 1n) },
          { exponent: 4, source: 'output', start: 0, stride: 1, count: space.chunksPerGroup, scalars: weights.chunks },
          { exponent: 5, source: 'input0', start: 0, stride: 1, count: chunks, scalars: chunkPowers },
        ],
        offsets: [constantOffset(kernels, 2, { start: taps, count: 1, value: positions })],
        forms: [...builder.forms, { exponent: 1, count: columns, at: evaluation }],
        quadratic: rounding,
        constant: mod(claim + nu * zeroPoint * padding - nu * mod(omega * positions)),
      }
    },
  }
}
