import { MalformedEncryptionError } from '../errors.ts'
import { type CkksParameters, getParameters, type ParameterSetName, parameterSetNames } from '../parameters.ts'

// Every encoding begins with eight bytes: four letters for the kind, the version, the parameter set, the level, and zero or a
// kind's own byte. docs/spec/fhe.md lists the kinds.

/** Version of every encoding of this package. */
export const wireVersion = 1

/** Bytes of the common header. */
export const headerBytes = 8

/** Bytes of a seed. */
export const seedBytes = 32

export type WireKind = 'TFct' | 'TFcs' | 'TFek' | 'TFan' | 'TFmd'

export type WireHeader = { readonly kind: WireKind; readonly parameters: ParameterSetName; readonly level: number; readonly extra?: number }

/** The eight bytes. */
export function encodeHeader({ kind, parameters, level, extra = 0 }: WireHeader): Uint8Array {
  const letters = Array.from(kind, (letter) => letter.charCodeAt(0))
  return Uint8Array.of(...letters, wireVersion, parameterSetNames.indexOf(parameters), level, extra)
}

/**
 * Checks kind, version, parameter set and level of untrusted bytes.
 * @throws MalformedEncryptionError
 */
export function parseHeader(
  bytes: Uint8Array,
  kind: WireKind,
  what: string,
): { readonly parameters: CkksParameters; readonly level: number; readonly extra: number } {
  if (bytes.length < headerBytes) throw new MalformedEncryptionError(what, 'is too short')
  for (let i = 0; i < 4; i++) if (bytes[i] !== kind.charCodeAt(i)) throw new MalformedEncryptionError(what, 'is something else')
  if (bytes[4] !== wireVersion) throw new MalformedEncryptionError(what, `has version ${bytes[4]}, not ${wireVersion}`)
  const name = parameterSetNames[bytes[5] ?? -1]
  if (name === undefined) throw new MalformedEncryptionError(what, 'names an unknown parameter set')
  const parameters = getParameters(name)
  const level = bytes[6] ?? 0
  if (level < 1 || level > parameters.coefficientModuli.length) throw new MalformedEncryptionError(what, 'has an impossible level')
  return { parameters, level, extra: bytes[7] ?? 0 }
}

/** Bytes of one limb on the wire: N residues of 30 bits. */
export function packedLimbBytes(polyDegree: number): number {
  return (polyDegree * 30) / 8
}
