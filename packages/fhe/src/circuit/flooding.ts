import { range } from '../internal/at.ts'
import type { Ring } from '../internal/ring.ts'
import { purposes, readStream } from '../internal/streams.ts'

// Flooding for circuit privacy: noise much wider than that of the evaluation is added to what is decrypted. For CKKS Kluczniak, Santato, "On Circuit
// Private, Multikey and Threshold Approximate Homomorphic Encryption" (ePrint 2023/301, abstract read): exponentially wide noise is enough, and
// less lets an efficient adversary win. What fits here is far less than that, so this hardens and proves little: docs/spec/fhe.md has the numbers.
// Unlike the paper, only the outputs' coefficients exist in an answer, so only they get noise, and it is a sum of twelve uniform
// integers instead of a Gaussian: exact, the same on every engine, never beyond six deviations.

const terms = 12
const bytesPerTerm = 8
/** Outputs whose noise comes from one key stream. */
const outputsPerStream = 256

/** The widest noise: log2 of its deviation. Twelve terms of it stay exact in doubles. */
export const largestFlooding = 48

/** No flooding noise is larger than this, for `bits` = log2 of its deviation; 0 stands for none. */
export function floodingLimit(bits: number): number {
  return bits === 0 ? 0 : 6 * 2 ** bits
}

/** The noise of every output, drawn from the request's mask seed so that a re-execution adds the same. */
export function drawFlooding(ring: Ring, seed: Uint8Array, outputs: number, bits: number): readonly bigint[] {
  if (bits === 0) return range(outputs).map(() => 0n)
  const streams = range(Math.ceil(outputs / outputsPerStream)).map((index) =>
    readStream(ring, seed, [purposes.flooding, index, 0], outputsPerStream * terms * bytesPerTerm),
  )
  return range(outputs).map((o) => {
    const bytes = streams[Math.floor(o / outputsPerStream)] ?? new Uint8Array()
    const view = new DataView(bytes.buffer, bytes.byteOffset + (o % outputsPerStream) * terms * bytesPerTerm, terms * bytesPerTerm)
    return sumTerms(view, bits)
  })
}

// Sum of twelve integers uniform in [0, 2^bits), less its mean: deviation sqrt(4^bits - 1).
function sumTerms(view: DataView, bits: number): bigint {
  const mask = (1n << BigInt(bits)) - 1n
  let sum = 0n
  for (const i of range(terms)) sum += view.getBigUint64(bytesPerTerm * i, true) & mask
  return sum - BigInt(terms / 2) * mask
}

/**
 * What an answer's noise tells about the weights: log2 of a bound on the statistical distance between answers of two evaluations whose own
 * noise is independent and has that deviation (in units of the outputs). The Hellinger distance of a density from itself shifted by e is at
 * most e sqrt(I) / 2, I its Fisher information, and the statistical distance is at most that; over outputs squares add up.
 */
export function floodingDistanceLog2(
  { outputs, scale, flooding }: { readonly outputs: number; readonly scale: number; readonly flooding: number },
  deviation: number,
): number {
  if (flooding === 0) return 0
  const ratio = (Math.SQRT2 * deviation * scale) / 2 ** flooding
  return Math.min(0, Math.log2((Math.sqrt(fisherInformation * outputs) * ratio) / 2))
}

/** Of a sum of twelve uniform variables, in units of its inverse variance, rounded up: test/flooding.test.ts integrates it. */
export const fisherInformation = 1.01
