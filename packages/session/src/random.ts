import { RandomSourceError } from './errors.ts'

/** Cryptographic randomness from outside, for example `(n) => crypto.getRandomValues(new Uint8Array(n))`. */
export type RandomSource = (sizeBytes: number) => Uint8Array

/**
 * Exactly `sizeBytes` fresh bytes, copied out of whatever the source returned.
 * @throws RandomSourceError when the source returned another number of bytes.
 */
export function drawRandom(random: RandomSource, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = random(sizeBytes)
  if (bytes.length !== sizeBytes) throw new RandomSourceError({ wanted: sizeBytes, received: bytes.length })
  return Uint8Array.from(bytes)
}
