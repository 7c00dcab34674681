// What prover and verifier of a range argument share: the transcript, and the statements of its parts.
import { type Address, type Bytes32, type Hex, type LayerStatement, type ModelId, parseHex, toHex } from '@tacit/protocol'
import { Transcript } from '../transcript.ts'
import type { RangePlan, RegistrationBounds } from './plan.ts'

/** The transcript after everything that is committed, and the word that binds the parts to it. */
export function startRangeTranscript(
  digest: Hex,
  bounds: RegistrationBounds,
  committed: { readonly parts: readonly Hex[]; readonly shifted: Uint8Array | undefined },
): { readonly transcript: Transcript; readonly binding: Bytes32 } {
  const transcript = new Transcript('registration-range')
  transcript.absorbWord('layer', parseHex(digest, 'A digest', 32))
  transcript.absorb('bounds', Uint8Array.of(bounds.multiplierBits, bounds.biasBits))
  for (const points of committed.parts) transcript.absorb('part', parseHex(points, 'Commitments'))
  if (committed.shifted !== undefined) transcript.absorb('shifted', committed.shifted)
  return { transcript, binding: toHex(transcript.state) as Bytes32 } // 32 bytes by construction
}

/** The layer proof that shows the range of part `index`: input and output are the same commitments. */
export function partStatement(
  plan: RangePlan,
  index: number,
  points: Hex,
  bound: { readonly digest: Hex; readonly binding: Bytes32 },
): LayerStatement {
  const spec = plan.parts[index]?.spec
  if (spec === undefined) throw new RangeError('There is no such part.')
  const nobody = `0x${'00'.repeat(20)}` as Address
  return {
    spec,
    weights: null,
    inputs: [points],
    output: points,
    context: {
      chainId: '0',
      registry: nobody,
      modelId: bound.digest as ModelId, // a 32-byte word, in a context of its own
      requestId: bound.binding,
      nonce: bound.binding,
      payee: nobody,
      layerIndex: index,
    },
  }
}
