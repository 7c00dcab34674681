// Public vectors that several layer kinds need.
import { mod } from '../kernels/field.ts'
import { type Kernels, SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalars, writeScalars } from '../kernels/scalars.ts'
import type { Form, Offset } from './relation.ts'

/**
 * Builds forms whose surplus columns carry fresh powers of psi: they force the vector they meet to be zero there. Columns that
 * nothing constrains would let owner and prover smuggle in values (Section 8 of docs/spec/proofs.md).
 */
export class FormBuilder {
  readonly forms: Form[] = []
  readonly #kernels: Kernels
  readonly #columns: number
  readonly #psi: bigint
  #power: bigint

  constructor(kernels: Kernels, columns: number, psi: bigint) {
    this.#kernels = kernels
    this.#columns = columns
    this.#psi = psi
    this.#power = psi
  }

  /** scalar * vector on the first `count` columns, powers of psi on the others. Returns the entry of column `watch`, if surplus. */
  add(exponent: number, form: { readonly vector: number; readonly count: number; readonly scalar: bigint }, watch = -1): bigint {
    const kernels = this.#kernels
    const at = kernels.zeros(this.#columns)
    if (form.count > 0) kernels.x.scale(at, form.vector, placeScalars(kernels, [form.scalar]), form.count)
    const surplus = this.#columns - form.count
    const [first = 0, step = 0] = [this.#power, this.#psi].map((value) => placeScalars(kernels, [value]))
    if (surplus > 0) kernels.x.powers(at + SCALAR_BYTES * form.count, first, step, surplus)
    let watched = 0n
    for (let k = form.count; k < this.#columns; k++) {
      if (k === watch) watched = this.#power
      this.#power = mod(this.#power * this.#psi)
    }
    this.forms.push({ exponent, count: this.#columns, at })
    return watched
  }
}

/** A constant on columns start .. start + count - 1. */
export function constantOffset(
  kernels: Kernels,
  exponent: number,
  columns: { readonly start: number; readonly count: number; readonly value: bigint },
): Offset {
  const at = kernels.allocate(SCALAR_BYTES * Math.max(1, columns.count))
  const [value = 0, one = 0] = [columns.value, 1n].map((v) => placeScalars(kernels, [v]))
  kernels.x.powers(at, value, one, columns.count)
  return { exponent, start: columns.start, count: columns.count, at }
}

/** 1, t, t^2, ... as residues. */
export function powersOf(t: bigint, n: number): readonly bigint[] {
  const out: bigint[] = []
  for (let i = 0, power = 1n; i < n; i++, power = mod(power * t)) out.push(power)
  return out
}

/** One axis of a window: output `p`, tap `k` reads input position stride p + dilation k - pad. */
export type WindowAxis = {
  readonly input: number
  readonly output: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly pad: number
}

/** The input position of a tap, or -1 in the padding. */
export function tapPosition(axis: WindowAxis, output: number, tap: number): number {
  const position = axis.stride * output + axis.dilation * tap - axis.pad
  return position < axis.input ? position : -1
}

/** a(position) = sum over outputs and taps that read it of outputWeight * tapWeight. */
export function gatherAxis(axis: WindowAxis, outputWeights: readonly bigint[], tapWeights: readonly bigint[]): readonly bigint[] {
  const sums = new Array<bigint>(axis.input).fill(0n)
  for (let p = 0; p < axis.output; p++) {
    for (let k = 0; k < axis.kernel; k++) {
      const position = tapPosition(axis, p, k)
      if (position >= 0) sums[position] = (sums[position] ?? 0n) + (outputWeights[p] ?? 0n) * (tapWeights[k] ?? 0n)
    }
  }
  return sums.map(mod)
}

/** Reads a kernel vector as residues. */
export function residues(kernels: Kernels, at: number, n: number): readonly bigint[] {
  return readScalars(kernels, at, n)
}

/** Sum of residues. */
export function total(values: readonly bigint[]): bigint {
  return mod(values.reduce((sum, value) => sum + value, 0n))
}

/** Adds scalar * (a outer b outer c) to a vector; the three factors are residues. */
export function addOuter(
  kernels: Kernels,
  at: number,
  scalar: bigint,
  factors: readonly [readonly bigint[], readonly bigint[], readonly bigint[]],
): void {
  const [a, b, c] = factors
  kernels.scoped(() => {
    const row = placeScalars(kernels, c)
    const coefficient = kernels.allocate(SCALAR_BYTES)
    a.forEach((x, i) => {
      b.forEach((y, j) => {
        writeScalars(kernels, coefficient, [mod(scalar * x) * y])
        kernels.x.axpy(at + SCALAR_BYTES * (i * b.length + j) * c.length, coefficient, row, c.length)
      })
    })
  })
}
