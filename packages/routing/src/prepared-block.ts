import { at, range } from './internal/at.ts'
import { power, product, type ScoreRing, toCoefficients, toEvaluations } from './internal/score-ring.ts'
import { polynomialOf, type ReferenceString } from './reference-string.ts'

/** 2048 rows, ready to be scored: addresses per prime, and the public part of every answer. */
export type PreparedBlock = { readonly rows: readonly number[]; readonly digits: readonly number[]; readonly hint: Uint32Array }

/** What preparing needs besides the block itself; made once per solver. */
export type PreparationTables = {
  /** S^-1 X^j at every point, and 16 points back to coefficients, per prime. */
  readonly weights: readonly number[]
  readonly points: readonly number[]
  readonly spread: readonly number[]
  readonly components: readonly (readonly number[])[]
  readonly sum: number
  readonly turned: number
  readonly digits: readonly number[]
  readonly residues: readonly number[]
}

/** Tables and buffers for {@link prepareBlock}. */
export function createPreparationTables(ring: ScoreRing): PreparationTables {
  const { degree, digits, fold } = ring.parameters
  const vector = (): number => ring.allocate(4 * degree)
  return {
    weights: ring.primes.map((_, k) => writeWeights(ring, k)),
    points: ring.primes.map((_, k) => writePoints(ring, k)),
    spread: ring.primes.map(() => ring.allocate(4 * degree * fold)),
    components: ring.primes.map(() => range(fold).map(vector)),
    sum: vector(),
    turned: vector(),
    digits: ring.primes.map(() => ring.allocate(4 * degree * digits)),
    residues: ring.primes.map(vector),
  }
}

function writeWeights(ring: ScoreRing, k: number): number {
  const { cosets, degree, fold, generator } = ring.parameters
  const { powers, value } = at(ring.primes, k)
  const address = ring.allocate(4 * degree * fold)
  const words = ring.words(address, degree * fold)
  const down = power(fold, value - 2, value)
  for (let t = 0, turned = 1; t < fold; t++, turned = (turned * generator) % (2 * degree)) {
    for (let j = 0; j < fold; j++)
      for (let c = 0; c < cosets; c++)
        words[(t * fold + j) * cosets + c] = product(down, at(powers, ((((2 * c + 1) * turned) % (2 * degree)) * j) % (2 * degree)), value)
  }
  return address
}

function writePoints(ring: ScoreRing, k: number): number {
  const { cosets, degree, fold } = ring.parameters
  const { powers, scale, value } = at(ring.primes, k)
  const address = ring.allocate(4 * cosets * cosets)
  const words = ring.words(address, cosets * cosets)
  for (const c of range(cosets))
    for (const x of range(cosets))
      words[c * cosets + x] = product(scale[0], at(powers, (2 * degree - (((2 * c + 1) * fold * x) % (2 * degree))) % (2 * degree)), value)
  return address
}

/** Space for a block, to be filled and refilled by {@link prepareBlock}. */
export function allocateBlock(ring: ScoreRing, dimensions: number): PreparedBlock {
  const { degree, digits, fold } = ring.parameters
  return {
    rows: ring.primes.map(() => ring.allocate(4 * degree * dimensions)),
    digits: ring.primes.map(() => ring.allocate(4 * degree * digits * fold)),
    hint: new Uint32Array(degree),
  }
}

/**
 * Everything of an answer that depends on the reference string and the directory alone (docs/spec/routing.md, section on the answer).
 * Ring packing after Mahdavi, Patel, Seo, Yeo, "InsPIRe" (2025, its packing InspiRING; report and algorithm numbers not checked), restricted to the group that fixes X^S, so
 * that one key serves every step: tau^x(s) is switched to tau^(x-1)(s) with tau^(x-1) of that key.
 */
export function prepareBlock(
  ring: ScoreRing,
  tables: PreparationTables,
  reference: ReferenceString,
  table: Int8Array,
  dimensions: number,
  index: number,
  out: PreparedBlock,
): void {
  placeRows(ring, tables, reference, table, dimensions, index, out)
  const { fold } = ring.parameters
  ring.primes.forEach(({ value }, k) => {
    for (const x of range(fold))
      ring.kernels.traceComponent(at(tables.weights, k), at(tables.spread, k), fold, x, value, at(at(tables.components, k), x))
  })
  for (let x = fold - 1; x >= 1; x--) switchComponent(ring, tables, reference, x, out)
  writeHint(ring, tables, out.hint)
}

// Row kappa S + j of the block is sum_i c_i X^(kappa S - i) in element j; its product with the intent has the score at kappa S.
function placeRows(
  ring: ScoreRing,
  tables: PreparationTables,
  reference: ReferenceString,
  table: Int8Array,
  dimensions: number,
  index: number,
  out: PreparedBlock,
): void {
  const { cosets, degree, fold } = ring.parameters
  const groups = dimensions / fold
  ring.primes.forEach(({ value }, k) => {
    const spread = ring.words(at(tables.spread, k), degree * fold)
    for (const j of range(fold)) {
      const sum = ring.words(tables.sum, degree)
      sum.fill(0)
      for (const group of range(groups)) {
        const element = at(out.rows, k) + 4 * degree * (j * groups + group)
        const coefficients = ring.words(element, degree)
        coefficients.fill(0)
        for (let kappa = 0; kappa < cosets; kappa++) {
          const row = (index * degree + kappa * fold + j) * dimensions + group * fold
          for (let i = 0; i < fold; i++) {
            const entry = table[row + i] ?? 0
            const power = kappa * fold - i
            const signed = power < 0 ? -entry : entry
            coefficients[power < 0 ? power + degree : power] = signed < 0 ? signed + value : signed
          }
        }
        toEvaluations(ring, element, k)
        ring.kernels.multiplyAdd(element, polynomialOf(reference.query, k, group), tables.sum, degree, value)
      }
      for (let t = 0; t < fold; t++) spread.set(sum.subarray(t * cosets, (t + 1) * cosets), (t * fold + j) * cosets)
    }
  })
}

function switchComponent(ring: ScoreRing, tables: PreparationTables, reference: ReferenceString, x: number, out: PreparedBlock): void {
  const { cosets, degree, digitBits, digits, droppedBits, fold } = ring.parameters
  const [p1, p2] = ring.parameters.primes
  const [d1, d2] = [at(tables.digits, 0), at(tables.digits, 1)]
  joinComponent(ring, tables, x)
  ring.kernels.decompose(ring.wide, degree, ring.modulus, droppedBits, digitBits, digits, p1, p2, d1, d2)
  ring.primes.forEach(({ value }, k) => {
    const target = ring.words(at(out.digits, k), degree * digits * fold)
    for (const d of range(digits)) {
      const digit = at(tables.digits, k) + 4 * degree * d
      toEvaluations(ring, digit, k)
      const words = ring.words(digit, degree)
      for (let t = 0; t < fold; t++)
        target.set(words.subarray(t * cosets, (t + 1) * cosets), ((t * (fold - 1) + x - 1) * digits + d) * cosets)
      const key = ring.words(polynomialOf(reference.key, k, d), degree)
      const turned = ring.words(tables.turned, degree)
      const cut = (x - 1) * cosets
      turned.set(key.subarray(cut))
      turned.set(key.subarray(0, cut), degree - cut)
      ring.kernels.multiplyAdd(digit, tables.turned, at(at(tables.components, k), x - 1), degree, value)
    }
  })
}

/** Component x as 64-bit coefficients in `ring.wide`. */
function joinComponent(ring: ScoreRing, tables: PreparationTables, x: number): void {
  const { degree } = ring.parameters
  ring.primes.forEach((_, k) => {
    ring.words(at(tables.residues, k), degree).set(ring.words(at(at(tables.components, k), x), degree))
    toCoefficients(ring, at(tables.residues, k), k)
  })
  ring.kernels.chinese(at(tables.residues, 0), at(tables.residues, 1), ring.wide, degree, ...ring.joining)
}

function writeHint(ring: ScoreRing, tables: PreparationTables, hint: Uint32Array): void {
  const { degree, hintBits } = ring.parameters
  joinComponent(ring, tables, 0)
  ring.kernels.roundTo(ring.wide, tables.turned, degree, ring.modulus, hintBits)
  hint.set(ring.words(tables.turned, degree))
}
