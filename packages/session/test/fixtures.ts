import { createHash } from 'node:crypto'
import { type Hex, toHex } from '@tacit/protocol'
import { acceptSession, generatePrekey, openSession, type RandomSource, type SessionInfo, type SuiteName } from '../src/index.ts'

/** Deterministic bytes for tests: SHA-256(label | counter) blocks. Never the same twice from one source. */
export function seededRandom(label: string): RandomSource {
  let counter = 0
  return (sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes)
    for (let offset = 0; offset < sizeBytes; offset += 32) {
      bytes.set(
        createHash('sha256')
          .update(`${label}/${counter++}`)
          .digest()
          .subarray(0, sizeBytes - offset),
        offset,
      )
    }
    return bytes
  }
}

export const worker: Hex = `0x${'a1'.repeat(20)}`
export const info: SessionInfo = { chainId: 4_294_967_301n, sessionId: `0x${'51'.repeat(32)}`, modelId: `0x${'3d'.repeat(32)}`, worker }
export const jobId: Hex = `0x${'0b'.repeat(32)}`
export const notBefore = 1_800_000_000
export const nowSeconds: number = notBefore + 60

/** A prekey and an open session, both ends. */
export async function sessionPair(suite: SuiteName = 'x25519', label: string = suite) {
  const random = seededRandom(label)
  const { record, secret } = await generatePrekey({ suite, worker, notBefore, notAfter: notBefore + 3600, random })
  const { enc, session } = await openSession({ prekey: record, info, nowSeconds, random })
  const accepted = await acceptSession({ prekeySecret: secret, enc, info })
  return { record, secret, enc, client: session, worker: accepted, random }
}

export function randomHex(random: RandomSource, sizeBytes: number): Hex {
  return toHex(random(sizeBytes))
}

/** Flips one bit of a copy. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
