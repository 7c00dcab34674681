// The byte form of an activation opening, for handing a proving job to somebody who is meant to read it.
import { concatBytes, MalformedError, parseHex, toHex, utf8 } from '@tacit/protocol'
import type { ProofEngine } from '../engine.ts'
import { MAX_COLUMNS } from '../relation/create-relation.ts'
import { chunkCount } from '../relation/index-space.ts'
import { type ActivationOpening, openActivation } from './activation.ts'
import { ENCODED_POINT_BYTES } from './encoding.ts'

const MAGIC = utf8('TACITAO\u0001')
const MAX_VALUES = 1 << 20

/** magic | u32 groups, length, chunk | points | values | blinders. Secret: whoever holds these bytes reads the tensor. */
export function encodeOpening(opening: ActivationOpening): Uint8Array<ArrayBuffer> {
  const { layout, values, blinders, commitment } = opening
  const header = new Uint8Array(12)
  const view = new DataView(header.buffer)
  ;[layout.groups, layout.length, layout.chunk].forEach((value, k) => {
    view.setUint32(4 * k, value)
  })
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return concatBytes(MAGIC, header, parseHex(commitment, 'A commitment'), bytes, blinders)
}

/**
 * Reads an opening and checks that it opens its commitment.
 * @throws MalformedError when the bytes are not an opening.
 * @throws WitnessMismatchError when values and blinders open something else.
 */
export async function parseOpening(bytes: Uint8Array, options: { readonly engine: ProofEngine }): Promise<ActivationOpening> {
  const head = MAGIC.length + 12
  if (bytes.length < head || toHex(bytes.subarray(0, MAGIC.length)) !== toHex(MAGIC))
    throw new MalformedError('An opening', 'does not start with its magic number')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [groups = 0, length = 0, chunk = 0] = [0, 1, 2].map((k) => view.getUint32(MAGIC.length + 4 * k))
  if (groups < 1 || chunk < 1 || chunk > length || chunk > MAX_COLUMNS || groups * length > MAX_VALUES)
    throw new MalformedError('An opening', 'has an impossible layout')
  const layout = { groups, length, chunk }
  const chunks = chunkCount(layout)
  const [points, values] = [ENCODED_POINT_BYTES * chunks, groups * length]
  if (bytes.length !== head + points + values + 32 * chunks)
    throw new MalformedError('An opening', 'has another length than its layout says')
  const at = head + points
  return await openActivation(
    {
      layout,
      commitment: toHex(bytes.subarray(head, at)),
      values: Int8Array.from(bytes.subarray(at, at + values)),
      blinders: bytes.slice(at + values),
    },
    options,
  )
}
