// Anybody's side of the range argument.
import { type Hex, type LayerStatement, parseHex, toHex } from '@tacit/protocol'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { type LayerRegistration, registrationDigest } from '../commit/weights.ts'
import { dataDigest } from '../digest.ts'
import type { ProofEngine } from '../engine.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { bytesToNumber, mod, ORDER } from '../kernels/field.ts'
import { proofLayout } from '../protocol/messages.ts'
import { createRelation } from '../relation/create-relation.ts'
import { chunkCount } from '../relation/index-space.ts'
import type { Transcript } from '../transcript.ts'
import { type ProvedLayer, verifyLayers } from '../verifier/verify-layer.ts'
import { decodePoints } from '../commit/encoding.ts'
import { linkEquations, placePoints, TableSum } from './link.ts'
import { planRange, type RangePart, type RangePlan, type RegistrationBounds } from './plan.ts'
import { partStatement, startRangeTranscript } from './transcript.ts'

/** Which check a range argument failed first. */
export type FailedRangeCheck = 'registration' | 'length' | 'point' | 'scalar' | 'link' | 'range'

/** The verdict on a range argument. */
export type RegistrationVerdict = { readonly ok: true } | { readonly ok: false; readonly failedCheck: FailedRangeCheck }

/**
 * Checks that a registered layer holds int8 weights, and multipliers and biases within `bounds`.
 * @example
 * const verdict = verifyRegistration(registration, proof, { engine, layerIndex: 0, bounds: { multiplierBits: 15, biasBits: 40 } })
 */
export function verifyRegistration(
  registration: LayerRegistration,
  proof: Uint8Array,
  options: { readonly engine: ProofEngine; readonly layerIndex: number; readonly bounds: RegistrationBounds },
): RegistrationVerdict {
  const { engine, layerIndex, bounds } = options
  const { spec, points, digest } = registration
  const plan = planOrUndefined(registration, bounds)
  if (plan === undefined || points === null) return fail('registration')
  const registered = parseHex(points, 'The weight commitments')
  if (registered.length !== ENCODED_POINT_BYTES * plan.chunks * plan.outputs) return fail('registration')
  if (registrationDigest(spec, dataDigest(registered), { layerIndex }) !== digest) return fail('registration')
  if (proof.length !== plan.proofBytes) return fail('length')
  const sent = split(plan, proof)
  const { transcript, binding } = startRangeTranscript(digest, bounds, sent)
  const failed = engine.kernels.scoped(() => checkLink(engine, { plan, registered, sent, transcript, bounds }))
  if (failed !== undefined) return fail(failed)
  const layers = plan.parts.map((_, index): ProvedLayer => {
    const statement: LayerStatement = partStatement(plan, index, sent.parts[index] ?? '0x', { digest, binding })
    return { statement, proof: sent.proofs[index] ?? new Uint8Array(0) }
  })
  return verifyLayers(layers, { engine }).ok ? { ok: true } : fail('range')
}

function fail(failedCheck: FailedRangeCheck): { readonly ok: false; readonly failedCheck: FailedRangeCheck } {
  return { ok: false, failedCheck }
}

function planOrUndefined({ spec }: LayerRegistration, bounds: RegistrationBounds): RangePlan | undefined {
  try {
    return planRange(spec, bounds)
  } catch (error) {
    if (error instanceof UnsupportedLayerError) return undefined
    throw error
  }
}

type Sent = {
  readonly parts: readonly Hex[]
  readonly shifted: Uint8Array | undefined
  readonly announcements: Uint8Array
  readonly responses: Uint8Array
  readonly proofs: readonly Uint8Array[]
}

// The length is checked: every piece has the one place that the plan gives it.
function split(plan: RangePlan, proof: Uint8Array): Sent {
  let at = 0
  const take = (bytes: number): Uint8Array => {
    at += bytes
    return proof.subarray(at - bytes, at)
  }
  return {
    parts: plan.parts.map(({ layout }) => toHex(take(ENCODED_POINT_BYTES * chunkCount(layout)))),
    shifted: plan.shiftedPoints > 0 ? take(ENCODED_POINT_BYTES * plan.shiftedPoints) : undefined,
    announcements: take(ENCODED_POINT_BYTES * plan.announcements),
    responses: take(32 * plan.responses),
    proofs: plan.parts.map(({ spec }) => take(proofLayout(createRelation(spec)).bytes)),
  }
}

type Link = {
  readonly plan: RangePlan
  readonly registered: Uint8Array
  readonly sent: Sent
  readonly transcript: Transcript
  readonly bounds: RegistrationBounds
}

// The sum of gamma^i (sum of coefficient response point - announcement - c image) over all equations is zero.
function checkLink(engine: ProofEngine, { plan, registered, sent, transcript, bounds }: Link): FailedRangeCheck | undefined {
  const { kernels } = engine
  const points = (holds: RangePart['holds']): Uint8Array =>
    parseHex(
      `0x${sent.parts
        .filter((_, k) => plan.parts[k]?.holds === holds)
        .map((part) => part.slice(2))
        .join('')}`,
      'Commitments',
    )
  const table = placePoints(engine, plan, {
    registered,
    rows: points('rows'),
    multiplierBytes: points('multipliers'),
    biasBytes: points('biases'),
    shifted: sent.shifted ?? new Uint8Array(0),
  })
  const announcements = decodePoints(kernels, sent.announcements)
  if (table === undefined || announcements === undefined) return 'point'
  const responses = Array.from({ length: plan.responses }, (_, k) => bytesToNumber(sent.responses.subarray(32 * k, 32 * k + 32)))
  if (responses.some((response) => response >= ORDER)) return 'scalar'
  const epsilon = transcript.challenge('epsilon')
  transcript.absorb('announcements', sent.announcements)
  const c = transcript.challenge('c')
  transcript.absorb('responses', sent.responses)
  const gamma = transcript.challenge('gamma')
  const sum = new TableSum(kernels, table)
  const signs: bigint[] = []
  let power = 1n
  for (const { secrets, image } of linkEquations(plan, table, epsilon, bounds.biasBits)) {
    for (const [point, secret, coefficient] of secrets) sum.add(point, mod(power * mod(coefficient * (responses[secret] ?? 0n))))
    for (const [point, coefficient] of image) sum.add(point, -power * mod(c * coefficient))
    signs.push(-power)
    power = mod(power * gamma)
  }
  const result = sum.evaluate({ points: announcements, scalars: signs })
  return kernels.x.isZeroXyzz(result) !== 0 ? undefined : 'link'
}
