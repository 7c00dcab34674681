import { evaluateSlots, type SlotValues } from '../ckks/embedding.ts'
import { encodeSlots, type IntegerPolynomial } from '../ckks/plaintext.ts'
import { type SecretKey, withSecret } from '../ckks/secret-key.ts'
import { headerBytes, parseHeader } from '../ckks/wire.ts'
import { InputRangeError, MalformedEncryptionError } from '../errors.ts'
import { at } from '../internal/at.ts'
import { ciphertextLimbs, type Ring, toCoefficients, toSlots } from '../internal/ring.ts'
import { getParameters } from '../parameters.ts'
import { outputPositions, packedColumn } from './encoded-network.ts'
import type { CircuitPlan } from './plan.ts'

/**
 * An input as the integer polynomial that is encrypted.
 * @throws InputRangeError when a value is missing, not a number or out of the planned range: out of range, outputs could wrap unseen.
 */
export function encodeInput(plan: CircuitPlan, input: ArrayLike<number>): IntegerPolynomial {
  const { count, range, scale } = plan.input
  if (input.length !== count) throw new InputRangeError(`it has ${input.length} values, the model takes ${count}`)
  for (let i = 0; i < count; i++) {
    const value = at(input, i)
    if (!(value >= range[0] && value <= range[1])) throw new InputRangeError(`value ${i} is not between ${range[0]} and ${range[1]}`)
  }
  const { polyDegree } = getParameters(plan.parameters)
  if (plan.hidden.length > 0) return encodeSlots(polyDegree, packInput(plan, input), scale)
  const polynomial = new Float64Array(polyDegree)
  for (let t = 0; t < count; t++) polynomial[t] = Math.round(at(input, t) * scale) + 0
  return polynomial
}

function packInput(plan: CircuitPlan, input: ArrayLike<number>): SlotValues {
  const slots = getParameters(plan.parameters).polyDegree / 2
  const { pairs } = plan.input
  const column = packedColumn(plan)
  const [real, imaginary] = [new Float64Array(slots), new Float64Array(slots)]
  for (let s = 0; s < slots; s++) {
    const t = column(s)
    if (t >= pairs) continue
    real[s] = input[t] ?? 0
    imaginary[s] = input[t + pairs] ?? 0
  }
  return { real, imaginary }
}

/** The parts of a response after the first check: nothing of it was decrypted yet. */
export type ParsedResponse = { readonly maskCommitment: Uint8Array; readonly outputs: readonly bigint[]; readonly second: Uint8Array }

/**
 * Reads a response of a plan.
 * @throws MalformedEncryptionError when it does not have its length, or an output is not canonical.
 */
export function parseResponse(plan: CircuitPlan, bytes: Uint8Array): ParsedResponse {
  const what = 'The answer'
  const { parameters, level, extra } = parseHeader(bytes, 'TFan', what)
  if (parameters.name !== plan.parameters || level !== 2 || extra !== plan.output.width)
    throw new MalformedEncryptionError(what, 'is for another plan')
  if (bytes.length !== plan.sizes.responseBytes) throw new MalformedEncryptionError(what, 'does not have its length')
  const [q0 = 0, q1 = 0] = parameters.coefficientModuli
  const start = headerBytes + 32
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, 8 * plan.output.outputs)
  const outputs = Array.from({ length: plan.output.outputs }, (_, o) => view.getBigUint64(8 * o, true))
  if (outputs.some((value) => value >= BigInt(q0) * BigInt(q1)))
    throw new MalformedEncryptionError(what, 'holds a value that is not canonical')
  return { maskCommitment: bytes.slice(headerBytes, start), outputs, second: bytes.subarray(start + 8 * plan.output.outputs) }
}

/**
 * Decrypts the outputs of a response. What a caller may do with them depends on whether somebody re-executed the answer: see
 * {@link EncryptedModelClient}.
 */
export function decryptOutputs(ring: Ring, secretKey: SecretKey, plan: CircuitPlan, { outputs, second }: ParsedResponse): Float64Array {
  const { kernels, limbBytes, moduli } = ring
  const { scale, width } = plan.output
  const [q0, q1] = [at(moduli, 0), at(moduli, 1)]
  const positions = outputPositions(plan)
  const products = withSecret(ring, secretKey, (secret) => {
    const stream = ring.arena.allocate(second.length + 16)
    const coefficients = ciphertextLimbs(2).map(() => ring.arena.allocate(ring.coefficientBytes))
    const limb = ring.arena.allocate(limbBytes)
    ring.arena.bytes.set(second, stream)
    const [x0, x1] = [at(coefficients, 0), at(coefficients, 1)]
    kernels.unpackRounded(stream, x0, x1, q0.big, q1.big, BigInt(60 - width), BigInt(width), ring.polyDegree)
    for (const t of ciphertextLimbs(2)) {
      const { value, montgomeryInverse } = at(moduli, t)
      toSlots(ring, at(coefficients, t), limb, t)
      kernels.multiply(limb, at(secret, t), limb, value, montgomeryInverse, limbBytes)
      toCoefficients(ring, limb, at(coefficients, t), t)
    }
    const { words } = ring.arena
    return positions.map((position) => [at(words, x0 / 4 + position), at(words, x1 / 4 + position)] as const)
  })
  const modulus = q0.big * q1.big
  const lift0 = q1.big * inverseOf(q1.big, q0.big)
  const lift1 = q0.big * inverseOf(q0.big, q1.big)
  return Float64Array.from(products, ([r0, r1], o) => {
    const sum = (at(outputs, o) + BigInt(r0) * lift0 + BigInt(r1) * lift1) % modulus
    return Number(sum > modulus / 2n ? sum - modulus : sum) / scale
  })
}

function inverseOf(value: bigint, prime: bigint): bigint {
  let [result, base, exponent] = [1n, value % prime, prime - 2n]
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % prime) if (exponent & 1n) result = (result * base) % prime
  return result
}

/** All slots of an integer polynomial: for tests and the reference. */
export function decodeSlots(polyDegree: number, polynomial: ArrayLike<number>, scale: number): ReturnType<typeof evaluateSlots> {
  return evaluateSlots(
    polyDegree,
    Array.from(polynomial, (value) => value / scale),
  )
}
