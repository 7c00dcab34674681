import { concatBytes } from '@tacit/protocol'
import { encodeHeader, headerBytes, packedLimbBytes, parseHeader } from '../ckks/wire.ts'
import { IncompatibleOperandsError, MalformedEncryptionError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { packLimb, unpackLimb } from '../internal/packed-limbs.ts'
import { ciphertextLimbs, type Limbs, type Ring } from '../internal/ring.ts'
import type { ParameterSetName } from '../parameters.ts'

/** A ciphertext as plain data: parts c0, c1 (and c2 after a product), each a residue vector per prime in slot order. */
export type Ciphertext = {
  readonly parameters: ParameterSetName
  readonly level: number
  readonly scale: number
  readonly parts: readonly (readonly Uint32Array[])[]
}

/** Copies the parts of a ciphertext into working memory. */
export function loadParts(ring: Ring, ciphertext: Ciphertext): readonly Limbs[] {
  if (ciphertext.parameters !== ring.parameters.name) throw new IncompatibleOperandsError('they belong to different parameter sets')
  const { arena } = ring
  return ciphertext.parts.map((part) =>
    ring.moduli.map((_, t) => {
      const limb = arena.allocate(ring.limbBytes)
      const residues = part[t]
      if (residues !== undefined) arena.words.set(residues, limb / 4)
      return limb
    }),
  )
}

/** Copies limbs out of working memory, into one buffer for all of them. */
export function storeParts(ring: Ring, parts: readonly Limbs[], level: number, scale: number): Ciphertext {
  const words = ring.limbBytes / 4
  const source = ring.arena.words
  const all = new Uint32Array(parts.length * level * words)
  const copy = (limb: number, index: number): Uint32Array => {
    const target = all.subarray(index * words, (index + 1) * words)
    target.set(source.subarray(limb / 4, limb / 4 + words))
    return target
  }
  return {
    parameters: ring.parameters.name,
    level,
    scale,
    parts: parts.map((limbs, part) => ciphertextLimbs(level).map((t) => copy(at(limbs, t), part * level + t))),
  }
}

/** A ciphertext as bytes: header with the number of parts, scale, 30 bits per residue. */
export function encodeCiphertext(ring: Ring, ciphertext: Ciphertext): Uint8Array<ArrayBuffer> {
  const mark = ring.arena.top
  const parts = loadParts(ring, ciphertext)
  const limbs = parts.flatMap((part) => ciphertextLimbs(ciphertext.level).map((t) => packLimb(ring, at(part, t))))
  ring.arena.rewind(mark)
  const header = encodeHeader({ kind: 'TFct', parameters: ring.parameters.name, level: ciphertext.level, extra: ciphertext.parts.length })
  const scale = new Uint8Array(8)
  new DataView(scale.buffer).setFloat64(0, ciphertext.scale, true)
  return concatBytes(header, scale, ...limbs)
}

/**
 * Reads a ciphertext from untrusted bytes.
 * @throws MalformedEncryptionError
 */
export function parseCiphertext(ring: Ring, bytes: Uint8Array): Ciphertext {
  const what = 'The ciphertext'
  const { parameters, level, extra: count } = parseHeader(bytes, 'TFct', what)
  if (parameters.name !== ring.parameters.name) throw new MalformedEncryptionError(what, 'is for another parameter set')
  if (count < 2 || count > 3) throw new MalformedEncryptionError(what, 'has an impossible number of parts')
  const size = packedLimbBytes(ring.polyDegree)
  if (bytes.length !== headerBytes + 8 + count * level * size) throw new MalformedEncryptionError(what, 'does not have its length')
  const scale = new DataView(bytes.buffer, bytes.byteOffset + headerBytes, 8).getFloat64(0, true)
  if (!(Number.isFinite(scale) && scale >= 1 && scale <= 2 ** 240)) throw new MalformedEncryptionError(what, 'has an impossible scale')
  const mark = ring.arena.top
  try {
    const parts = range(count).map((part) =>
      ring.moduli.map((_, t) => {
        const limb = ring.arena.allocate(ring.limbBytes)
        if (t < level) unpackLimb(ring, bytes, headerBytes + 8 + (part * level + t) * size, limb, t, what)
        return limb
      }),
    )
    return storeParts(ring, parts, level, scale)
  } finally {
    ring.arena.rewind(mark)
  }
}
