import { concatBytes, utf8 } from '@tacit/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { embed } from '../ckks/embedding.ts'
import { encodeSlots, type IntegerPolynomial } from '../ckks/plaintext.ts'
import { MalformedEncryptionError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { getParameters } from '../parameters.ts'
import type { DenseLayer, SquareNetwork } from './network.ts'
import { encodePlan, parsePlan } from './parse-plan.ts'
import { type CircuitPlan, type HiddenPlan, powerOfTwo } from './plan.ts'

/** The integers of one hidden layer: a polynomial per diagonal, and the bias. */
export type EncodedHidden = { readonly diagonals: readonly IntegerPolynomial[]; readonly bias: IntegerPolynomial }

/**
 * A network as the integers that a worker evaluates with. The publisher encodes once and commits to {@link encodedNetworkRoot};
 * workers never embed, since a last bit of a cosine would make two honest workers disagree.
 */
export type EncodedNetwork = {
  readonly plan: CircuitPlan
  readonly hidden: readonly EncodedHidden[]
  readonly output: IntegerPolynomial
  /** Bias of the outputs at the output scale. */
  readonly outputBias: readonly bigint[]
}

/** Encodes weights and biases for a plan. */
export function encodeNetwork(network: SquareNetwork, plan: CircuitPlan): EncodedNetwork {
  const { polyDegree } = getParameters(plan.parameters)
  const last = at(network.layers, network.layers.length - 1)
  const hidden = plan.hidden.map((layer, index) => encodeHidden(polyDegree, plan, layer, at(network.layers, index), index))
  const output = plan.hidden.length === 0 ? packLinear(polyDegree, plan, last) : packOutput(polyDegree, plan, last)
  const outputBias = Array.from(last.bias, (value) => BigInt(Math.round(value * 2 ** 20)) * BigInt(plan.output.scale / 2 ** 20))
  return { plan, hidden, output, outputBias }
}

function encodeHidden(polyDegree: number, plan: CircuitPlan, layer: HiddenPlan, dense: DenseLayer, index: number): EncodedHidden {
  const slots = polyDegree / 2
  const column = index === 0 ? packedColumn(plan) : cyclicColumn(at(plan.hidden, index - 1).period)
  const weight = (row: number, t: number): number =>
    row < dense.outputs && t < dense.inputs ? at(dense.weights, row * dense.inputs + t) : 0
  const diagonals = range(layer.diagonals).map((k) => {
    const [real, imaginary] = [new Float64Array(slots), new Float64Array(slots)]
    for (let s = 0; s < slots; s++) {
      const row = s % layer.period
      const t = column((s + k) % slots)
      if (index > 0) {
        real[s] = weight(row, t)
      } else if (t < plan.input.pairs) {
        real[s] = weight(row, t) / 2
        imaginary[s] = -weight(row, t + plan.input.pairs) / 2
      }
    }
    return encodeSlots(polyDegree, { real, imaginary }, layer.weightScale)
  })
  const biases = Float64Array.from({ length: slots }, (_, s) => dense.bias[s % layer.period] ?? 0)
  return { diagonals, bias: encodeSlots(polyDegree, { real: biases }, layer.sumScale) }
}

/** Which input pair lies in a slot. */
export function packedColumn({ input: { columns, shift } }: Pick<CircuitPlan, 'input'>): (slot: number) => number {
  return (slot) => ((slot % columns) + shift * Math.floor(slot / columns)) % columns
}

function cyclicColumn(period: number): (slot: number) => number {
  return (slot) => slot % period
}

// The last hidden vector v has a period of P slots, so it is a polynomial in X^(N/2P). For real vectors coefficient 0 of v w is the
// mean of v_s w_s over the slots. So with W = sum_o X^o P w_o, coefficient o of v W is the inner product of v with row o, and no
// other output mixes in as long as there are at most N/2P of them. No rotation is needed, and the worker sends these coefficients only.
function packOutput(polyDegree: number, plan: CircuitPlan, { inputs, outputs, weights }: DenseLayer): IntegerPolynomial {
  const slots = polyDegree / 2
  const period = powerOfTwo(inputs)
  const packed = new Float64Array(polyDegree)
  for (let o = 0; o < outputs; o++) {
    const real = Float64Array.from({ length: slots }, (_, s) => (s % period < inputs ? at(weights, o * inputs + (s % period)) : 0))
    const coefficients = embed(polyDegree, { real })
    const stride = slots / period
    for (let i = 0; i < polyDegree; i += stride) packed[i + o] = Math.round(at(coefficients, i) * period * plan.output.weightScale) + 0
  }
  return packed
}

// A single layer needs neither rotations nor keys: x(X) = sum_t x_t X^t times sum_o sum_t w_ot X^(o B + B - 1 - t), B inputs, has the
// inner product with row o as coefficient o B + B - 1.
function packLinear(polyDegree: number, plan: CircuitPlan, { inputs, outputs, weights }: DenseLayer): IntegerPolynomial {
  const packed = new Float64Array(polyDegree)
  for (let o = 0; o < outputs; o++) {
    for (let t = 0; t < inputs; t++) {
      packed[(o + 1) * inputs - 1 - t] = Math.round(at(weights, o * inputs + t) * plan.output.weightScale) + 0
    }
  }
  return packed
}

/** Which coefficients of the answer are the outputs. */
export function outputPositions({ hidden, output: { inputs, outputs } }: Pick<CircuitPlan, 'hidden' | 'output'>): readonly number[] {
  return range(outputs).map((o) => (hidden.length === 0 ? (o + 1) * inputs - 1 : o))
}

const encodingVersion = 1
const maximumPlanBytes = 1 << 20

/** The canonical bytes of an encoded network: the plan as JSON, then every integer in 8 bytes, two's complement, little-endian. */
export function serializeEncodedNetwork(encoded: EncodedNetwork): Uint8Array<ArrayBuffer> {
  const json = encodePlan(encoded.plan)
  const head = new Uint8Array(8)
  head.set([0x54, 0x46, 0x6d, 0x64, encodingVersion])
  const length = new Uint8Array(new Uint32Array([json.length]).buffer)
  return concatBytes(head, length, json, encodeIntegers(encoded))
}

function encodeIntegers({ hidden, output, outputBias }: EncodedNetwork): Uint8Array {
  const polynomials = [...hidden.flatMap(({ diagonals, bias }) => [...diagonals, bias]), output]
  const integers = new BigInt64Array(polynomials.reduce((sum, { length }) => sum + length, 0) + outputBias.length)
  let offset = 0
  for (const polynomial of polynomials) for (const value of polynomial) integers[offset++] = BigInt(value)
  for (const value of outputBias) integers[offset++] = value
  return new Uint8Array(integers.buffer)
}

/**
 * Reads an encoded network. Whoever got the bytes from a stranger compares {@link hashEncodedNetwork} with the registered root first.
 * @throws MalformedEncryptionError
 */
export function parseEncodedNetwork(bytes: Uint8Array): EncodedNetwork {
  const what = 'The encoded network'
  const { json, integers: rest } = splitEncoded(bytes)
  const plan = parsePlan(json)
  const { polyDegree } = getParameters(plan.parameters)
  const polynomials = plan.hidden.reduce((sum, { diagonals }) => sum + diagonals + 1, 1)
  if (rest.length !== 8 * (polynomials * polyDegree + plan.output.outputs))
    throw new MalformedEncryptionError(what, 'does not have its length')
  const integers = new BigInt64Array(rest.slice().buffer)
  let offset = 0
  const next = (): IntegerPolynomial => Float64Array.from(integers.subarray(offset, (offset += polyDegree)), Number)
  const hidden = plan.hidden.map(({ diagonals }) => ({ diagonals: range(diagonals).map(next), bias: next() }))
  const encoded = { plan, hidden, output: next(), outputBias: [...integers.subarray(offset)] }
  assertEncoded(encoded)
  return encoded
}

/**
 * The hash that stands for an encoded network in the model's root: of the hashes of plan and integers, so that a client checks a plan
 * against it with 32 bytes more and without the weights.
 */
export function encodedNetworkRoot(encoded: EncodedNetwork): Uint8Array {
  return networkRoot(encoded.plan, hashEncodedIntegers(encoded))
}

/** SHA-256 of the integers of an encoded network. */
export function hashEncodedIntegers(encoded: EncodedNetwork): Uint8Array {
  return sha256(encodeIntegers(encoded))
}

/** {@link encodedNetworkRoot} from the plan and the hash of the integers. */
export function networkRoot(plan: CircuitPlan, integersHash: Uint8Array): Uint8Array {
  return rootOf(encodePlan(plan), integersHash)
}

const rootDomain = utf8('tacit/fhe/network/1')

function rootOf(planJson: Uint8Array, integersHash: Uint8Array): Uint8Array {
  return sha256(concatBytes(rootDomain, sha256(planJson), integersHash))
}

/**
 * The same root from the bytes as they arrived.
 * @throws MalformedEncryptionError
 */
export function hashEncodedNetwork(bytes: Uint8Array): Uint8Array {
  const { json, integers } = splitEncoded(bytes)
  return rootOf(json, sha256(integers))
}

function splitEncoded(bytes: Uint8Array): { readonly json: Uint8Array; readonly integers: Uint8Array } {
  const what = 'The encoded network'
  const head = [0x54, 0x46, 0x6d, 0x64, encodingVersion, 0, 0, 0]
  if (bytes.length < 12 || head.some((byte, i) => bytes[i] !== byte)) throw new MalformedEncryptionError(what, 'is something else')
  const length = new DataView(bytes.buffer, bytes.byteOffset, 12).getUint32(8, true)
  const integers = bytes.subarray(12 + length)
  if (length > maximumPlanBytes || integers.length % 8 !== 0) throw new MalformedEncryptionError(what, 'does not have its length')
  return { json: bytes.subarray(12, 12 + length), integers }
}

/** @throws MalformedEncryptionError when a polynomial does not have its length or a value does not fit. */
export function assertEncoded({ plan, hidden, output, outputBias }: EncodedNetwork): void {
  const what = 'The encoded network'
  const { polyDegree } = getParameters(plan.parameters)
  const polynomials = [...hidden.flatMap(({ diagonals, bias }) => [...diagonals, bias]), output]
  const matches = hidden.length === plan.hidden.length && hidden.every((h, i) => h.diagonals.length === plan.hidden[i]?.diagonals)
  if (!matches || polynomials.some(({ length }) => length !== polyDegree) || outputBias.length !== plan.output.outputs)
    throw new MalformedEncryptionError(what, 'does not have the shape of its plan')
  if (polynomials.some((polynomial) => !polynomial.every(Number.isSafeInteger)))
    throw new MalformedEncryptionError(what, 'holds a value that is not an integer')
}
