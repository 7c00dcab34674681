// The simulator of Section 9 of docs/spec/proofs.md: challenges first, then responses, then the messages that fit them. No witness.
import { concatBytes, type LayerSpec, type LayerStatement, toHex } from '@tacit/protocol'
import { scalarBytes } from '../../src/kernels/field.ts'
import { combine, generator, inner, mod, Point, power } from '../../src/reference/arithmetic.ts'
import { type Challenges, digitSizes, existingRows, gateParts, shapeOf, weightsOf } from '../../src/reference/layer.ts'
import { wiresOf } from '../../src/reference/wires.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { chunkCount } from '../../src/relation/index-space.ts'
import { context } from './layers.ts'
import { fresh } from './lying-prover.ts'

type P = InstanceType<typeof Point>
const randomPoint = (): P => Point.BASE.multiply(fresh())
const bits = (n: number): number => Math.ceil(Math.log2(n))

/** A statement made of random points, an accepted proof of it, and the challenges that make it accepted. */
export function simulate(spec: LayerSpec): {
  readonly statement: LayerStatement
  readonly proof: Uint8Array
  readonly challenge: (tag: string) => bigint
} {
  const shape = shapeOf(spec)
  const relation = createRelation(spec)
  const many = (n: number): P[] => Array.from({ length: n }, randomPoint)
  const numbers = (n: number): bigint[] => Array.from({ length: n }, fresh)
  const hex = (points: readonly P[]): `0x${string}` => toHex(concatBytes(...points.map((point) => point.toBytes(true))))
  const given = {
    weights: many(shape.weightRows),
    input0: many(chunkCount(relation.inputs[0] ?? { groups: 0, length: 1, chunk: 1 })),
    input1: relation.inputs[1] === undefined ? [] : many(chunkCount(relation.inputs[1])),
    output: many(chunkCount(relation.output)),
    link: many(shape.link > 0 ? 1 : 0),
    auxiliary: many(shape.auxiliary[0] ?? 0),
    auxiliary1: many(shape.auxiliary[1] ?? 0),
  }
  const rows = existingRows(shape)
  const rowBits = digitSizes(shape)
    .slice(0, -1)
    .reduce((total, size) => total + bits(size), 0)
  const linked = shape.link > 0 ? 1 : 0
  const drawn: Record<string, bigint[]> = {
    tau: numbers(rowBits + bits(shape.slots)),
    alpha: numbers(1),
    lambda: numbers(shape.constraints),
    mu: numbers(3 * linked),
    nu: numbers(linked),
    omega: numbers(linked),
    psi: numbers(1),
    r: numbers(rowBits),
    c: numbers(1),
  }
  const first = (tag: string): bigint => drawn[tag]?.[0] ?? 0n
  const challenges: Challenges = {
    tau: drawn.tau ?? [],
    alpha: first('alpha'),
    lambda: drawn.lambda ?? [],
    mu: drawn.mu ?? [],
    nu: first('nu'),
    omega: first('omega'),
    psi: first('psi'),
  }
  const bound = drawn.r ?? []
  const c = first('c')
  const weights = weightsOf(shape, challenges.tau)
  const wires = wiresOf(spec, shape, weights, challenges)
  const [f1, f2] = [numbers(shape.columns), numbers(shape.slots * shape.cells)]
  const [pi1 = 0n, pi2 = 0n, theta1 = 0n, theta2 = 0n] = numbers(4)
  const G = Array.from({ length: Math.max(f1.length, f2.length) }, (_, k) => generator(`G/${k}`))
  const [U, H] = [generator('U'), generator('H')]
  // (i) gives A_1, (ii) gives A_2
  let A1 = combine(G, f1).add(combine([H], [pi1]))
  for (const { exponent, source, scalars } of wires.terms) {
    const points = [...scalars.keys()].map((k) => given[source][k] ?? Point.ZERO)
    A1 = A1.subtract(
      combine(
        points,
        [...scalars.values()].map((s) => s * power(c, exponent)),
      ),
    )
  }
  for (const [exponent, offset] of wires.offsets)
    A1 = A1.subtract(
      combine(
        G,
        offset.map((value) => value * power(c, exponent)),
      ),
    )
  const D = many(rows.length)
  const eq = (index: number): bigint =>
    bound.reduce((product, r, k) => mod(product * ((index >> (bound.length - 1 - k)) & 1 ? r : 1n - r)), 1n)
  const A2 = combine(G, f2)
    .add(combine([H], [pi2]))
    .subtract(
      combine(
        D,
        rows.map((row) => c * eq(row)),
      ),
    )
  // (iii) gives the first Phi
  const exponents = [...new Set(shape.vectors.flatMap((a) => [...(shape.product ? shape.vectors : []), ...shape.forms].map((b) => a + b)))]
    .filter((k) => k !== shape.target)
    .sort((a, b) => a - b)
  const Z0 = randomPoint()
  const form = f1.map((_, k) => mod([...wires.forms].reduce((sum, [e, vector]) => sum + power(c, e) * (vector[k] ?? 0n), 0n)))
  const value = wires.quadratic * inner(f1, f1) + 2n * inner(f1, form)
  const rest = many(exponents.length - 1)
  const claimed = combine([Z0, U], [1n, -wires.constant])
  const left = combine([U, H], [value, theta1])
    .subtract(
      combine(
        rest,
        exponents.slice(1).map((k) => power(c, k)),
      ),
    )
    .subtract(combine([claimed], [2n * power(c, shape.target)]))
  const phi = [combine([left], [power(power(c, exponents[0] ?? 0), -1)]), ...rest]
  // (iv) gives T_0
  const rounds = many(2 * rowBits)
  let Z = Z0
  bound.forEach((r, j) => {
    Z = Z.add(combine(rounds.slice(2 * j, 2 * j + 2), [r - (challenges.tau[j] ?? 0n), r * r - (challenges.tau[j] ?? 0n)]))
  })
  let gate = 0n
  weights.slots.forEach((weight, slot) => {
    const [quadratic, linear] = gateParts(spec, f2.slice(slot * shape.cells, (slot + 1) * shape.cells), challenges)
    gate += weight * (quadratic + c * linear)
  })
  const T1 = randomPoint()
  const T0 = combine([U, H], [gate, theta2]).subtract(combine([T1, Z], [c, c * c]))
  const points = [...given.auxiliary, ...given.auxiliary1, ...D, ...given.link, Z0, ...rounds, A1, A2, ...phi, T0, T1]
  const used: Record<string, number> = {}
  return {
    statement: {
      spec,
      weights: shape.weightRows > 0 ? hex(given.weights) : null,
      inputs: [hex(given.input0), ...(given.input1.length > 0 ? [hex(given.input1)] : [])],
      output: hex(given.output),
      context: context(),
    },
    proof: concatBytes(...points.map((point) => point.toBytes(true)), ...[...f1, ...f2, pi1, pi2, theta1, theta2].map(scalarBytes)),
    challenge: (tag) => {
      const k = used[tag] ?? 0
      used[tag] = k + 1
      return drawn[tag]?.[k] ?? fresh()
    },
  }
}
