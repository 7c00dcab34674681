// The coordinator: runs two share provers and a cell prover through one layer proof. It handles public messages and shares of responses
// only, and the result is an ordinary proof.
import { concatBytes, type LayerStatement, layerContextDigest, layerSpecDigest, parseHex } from '@tacit/protocol'
import { scalarBytes } from '../kernels/field.ts'
import { digest, mod, type Point, ReferenceTranscript, word } from '../reference/arithmetic.ts'
import { type Challenges, digitSizes, shapeOf, weightsOf } from '../reference/layer.ts'
import { wiresOf } from '../reference/wires.ts'
import type { CellProver } from './cell-prover.ts'
import type { ShareProver, Vectors } from './share-prover.ts'

const bits = (n: number): number => Math.ceil(Math.log2(n))

/** What share prover `to` received from the other one. */
export type Received = (to: 0 | 1, vectors: Vectors) => void

/** Proves a dense layer whose openings nobody holds. `onReceived` shows what the share provers tell each other. */
export function proveSharedLayer(
  statement: LayerStatement,
  provers: { readonly shares: readonly [ShareProver, ShareProver]; readonly cells: CellProver },
  onReceived: Received = () => undefined,
): Uint8Array<ArrayBuffer> {
  const { spec } = statement
  const { shares, cells } = provers
  const shape = shapeOf(spec)
  const rowBits = digitSizes(shape)
    .slice(0, -1)
    .reduce((total, size) => total + bits(size), 0)
  const transcript = begin(statement)
  const sent: Uint8Array[] = []
  const send = (tag: string, points: readonly Point[]): void => {
    const bytes = concatBytes(...points.map((point) => point.toBytes(true)))
    sent.push(bytes)
    transcript.absorb(tag, digest(bytes))
  }
  const draw = (tag: string, n = 1): bigint[] => Array.from({ length: n }, () => transcript.challenge(tag))
  send('cells', cells.cells())
  const tau = draw('tau', rowBits + bits(shape.slots))
  const [alpha = 0n] = draw('alpha')
  const early: Challenges = { tau, alpha, lambda: draw('lambda', shape.constraints), mu: [], nu: 0n, omega: 0n, psi: 0n }
  const weights = weightsOf(shape, tau)
  send('claim', [cells.claim(early, weights, rowBits)])
  const [psi = 0n] = draw('psi')
  for (let j = 0; j < rowBits; j++) {
    const { points, bind } = cells.round(j)
    send('round', points)
    bind(transcript.challenge('r'))
  }
  const wires = wiresOf(spec, shape, weights, { ...early, psi })
  const [first, second] = shares.map((prover) => prover.hideVectors(wires)) as [Vectors, Vectors] // two provers
  onReceived(0, second)
  onReceived(1, first)
  const hidden = addVectors(first, second)
  const [a, b] = [shares[0].announce(hidden), shares[1].announce(hidden)]
  const own = cells.announce()
  send('masks', [a.mask.add(b.mask), own.mask])
  const exponents = [...a.phi.keys()].sort((x, y) => x - y)
  send('phi', [...exponents.map((k) => sum(a.phi.get(k), b.phi.get(k))), ...own.gate])
  const c = transcript.challenge('c')
  const [left, right, rest] = [shares[0].respond(c), shares[1].respond(c), cells.respond(c)]
  const f1 = left.f1.map((value, k) => mod(value + (right.f1[k] ?? 0n)))
  const blinders = [mod(left.pi1 + right.pi1), rest.pi2, mod(left.theta1 + right.theta1 + rest.theta1), rest.theta2]
  return concatBytes(...sent, ...[...f1, ...rest.f2, ...blinders].map(scalarBytes))
}

function sum(a: Point | undefined, b: Point | undefined): Point {
  if (a === undefined || b === undefined) throw new RangeError('The provers announced different coefficients.')
  return a.add(b)
}

function addVectors(a: Vectors, b: Vectors): Vectors {
  return new Map([...a].map(([exponent, vector]) => [exponent, vector.map((value, k) => mod(value + (b.get(exponent)?.[k] ?? 0n)))]))
}

function begin({ spec, context, weights, inputs, output }: LayerStatement): ReferenceTranscript {
  const hex = (text: `0x${string}` | null): Uint8Array => (text === null ? new Uint8Array(0) : parseHex(text, 'Points'))
  const registration = new ReferenceTranscript('registration')
  registration.absorb('index', word(context.layerIndex))
  registration.absorb('spec', layerSpecDigest(spec))
  registration.absorb('points', digest(hex(weights)))
  const transcript = new ReferenceTranscript('layer')
  transcript.absorb('context', layerContextDigest(context))
  transcript.absorb('layer', registration.state)
  for (const input of inputs) transcript.absorb('input', digest(hex(input)))
  transcript.absorb('output', digest(hex(output)))
  return transcript
}
