// The transcript of a proof as nodes: sections 3 and 6 of docs/spec/proofs.md.
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { CHUNK_BYTES, foldChunks } from '../digest.ts'
import type { ProofLayout } from '../protocol/messages.ts'
import type { Relation } from '../relation/relation.ts'
import { initialState, tagWord } from '../transcript.ts'
import type { Node, Recorder } from './recorder.ts'
import { CONTEXT_WORD, PROOF, REGISTRATION_WORD } from './source.ts'
import type { TraceChallenges } from './wires/wiring.ts'

/** A transcript whose state is a node. */
export class TraceTranscript {
  readonly #m: Recorder
  #state: Node

  constructor(m: Recorder, label: string) {
    this.#m = m
    this.#state = m.bytes(initialState(label))
  }

  /** Takes in a word. */
  absorb(tag: string, word: Node): void {
    this.#state = this.#m.emit('HASH3', this.#state, this.#m.bytes(tagWord(tag)), word)
  }

  /** Draws a scalar. */
  challenge(tag: string): Node {
    const m = this.#m
    this.absorb(tag, m.zero)
    return m.emit('REDUCE', m.emit('HASH2', this.#state, m.zero), m.emit('HASH2', this.#state, m.one))
  }
}

/** The transcript of a layer after context and registration. */
export function startTraceTranscript(m: Recorder): TraceTranscript {
  const transcript = new TraceTranscript(m, 'layer')
  transcript.absorb('context', m.emit('PUBLIC', CONTEXT_WORD))
  transcript.absorb('layer', m.emit('PUBLIC', REGISTRATION_WORD))
  return transcript
}

/** The digest of bytes of the proof. */
function digest(m: Recorder, offset: number, length: number): Node {
  let level: readonly Node[] = Array.from({ length: Math.ceil(length / CHUNK_BYTES) }, (_, k) =>
    m.emit('CHUNK', PROOF, offset + CHUNK_BYTES * k, Math.min(CHUNK_BYTES, length - CHUNK_BYTES * k)),
  )
  while (level.length > 1) level = foldChunks(level, (left, right) => m.emit('HASH2', left, right))
  return m.emit('HASH2', m.constant(BigInt(length)), level[0] ?? m.zero)
}

/** Absorbs the next message of the proof. */
export type Absorb = (tag: string, points: number) => void

/** Messages of the proof in their order: points first, `responses` are all scalars. */
export function absorbProof(
  m: Recorder,
  transcript: TraceTranscript,
  layout: ProofLayout,
): { readonly points: Absorb; readonly responses: () => void; readonly transcript: TraceTranscript; readonly layout: ProofLayout } {
  let taken = 0
  return {
    points: (tag, count) => {
      if (count === 0) return
      transcript.absorb(tag, digest(m, ENCODED_POINT_BYTES * taken, ENCODED_POINT_BYTES * count))
      taken += count
    },
    responses: () => {
      transcript.absorb('responses', digest(m, ENCODED_POINT_BYTES * layout.points, 32 * layout.scalars))
    },
    transcript,
    layout,
  }
}

/** Everything that the transcript yields. */
export type Drawn = TraceChallenges & { readonly bound: readonly Node[]; readonly c: Node; readonly gamma: Node }

/** Draws all challenges, absorbing the messages between them. */
export function drawChallenges(m: Recorder, transcript: TraceTranscript, relation: Relation, proof: ReturnType<typeof absorbProof>): Drawn {
  const { layout } = proof
  const draw = (tag: string, n: number): readonly Node[] => Array.from({ length: n }, () => transcript.challenge(tag))
  proof.points('auxiliary', layout.auxiliary)
  proof.points('cells', layout.rows)
  const tau = draw('tau', relation.space.rowBits + relation.space.slotBits)
  const [alpha = m.zero] = draw('alpha', 1)
  const lambda = draw('lambda', relation.gate.constraints)
  proof.points('link', layout.link)
  proof.points('claim', 1)
  const mu = draw('mu', 3 * layout.link)
  const [nu = m.zero] = draw('nu', layout.link)
  const [omega = m.zero] = draw('omega', layout.link)
  const [psi = m.zero] = draw('psi', 1)
  const bound = Array.from({ length: layout.rounds }, () => {
    proof.points('round', 2)
    return transcript.challenge('r')
  })
  proof.points('masks', 2)
  proof.points('phi', layout.phi + 2)
  const c = transcript.challenge('c')
  proof.responses()
  return { tau, alpha, lambda, mu, nu, omega, psi, bound, c, gamma: transcript.challenge('gamma') }
}
