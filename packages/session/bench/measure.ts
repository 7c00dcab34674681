// Measures what a session costs; `seal.bench.ts` prints it, other benchmarks may fold it in.
import { webcrypto } from 'node:crypto'
import { type AeadBackend, acceptSession, generatePrekey, openSession, type SessionInfo, type SuiteName } from '../src/index.ts'

const random = (sizeBytes: number): Uint8Array => webcrypto.getRandomValues(new Uint8Array(sizeBytes))
const worker = `0x${'a1'.repeat(20)}` as const
const info: SessionInfo = { chainId: 31_337n, sessionId: `0x${'51'.repeat(32)}`, modelId: `0x${'3d'.repeat(32)}`, worker }
const nowSeconds = 1_800_000_000

/** Median milliseconds to open (client) and accept (worker) a session, key schedule and exports included. */
export async function measureHandshake(suite: SuiteName, runs = 60): Promise<{ readonly wrapMs: number; readonly unwrapMs: number }> {
  const { record, secret } = await generatePrekey({ suite, worker, notBefore: nowSeconds, notAfter: nowSeconds + 3600, random })
  const wrap: number[] = []
  const unwrap: number[] = []
  for (let i = -10; i < runs; i++) {
    const start = performance.now()
    const { enc } = await openSession({ prekey: record, info, nowSeconds, random })
    const sent = performance.now()
    await acceptSession({ prekeySecret: secret, enc, info })
    if (i < 0) continue
    wrap.push(sent - start)
    unwrap.push(performance.now() - sent)
  }
  return { wrapMs: median(wrap), unwrapMs: median(unwrap) }
}

/** Median microseconds to seal, and to open, one chunk of `chunkBytes`. */
export async function measureChunk(
  aead: AeadBackend,
  { chunkBytes = 64, batch = 500, batches = 21 }: { readonly chunkBytes?: number; readonly batch?: number; readonly batches?: number } = {},
): Promise<{ readonly sealUs: number; readonly openUs: number }> {
  const { record, secret } = await generatePrekey({ suite: 'x25519', worker, notBefore: nowSeconds, notAfter: nowSeconds + 3600, random })
  const { enc, session } = await openSession({ prekey: record, info, nowSeconds, random, aead })
  const accepted = await acceptSession({ prekeySecret: secret, enc, info, aead })
  const stream = { jobId: `0x${'0b'.repeat(32)}`, attempt: 0 } as const
  const sealer = session.sealStream(stream, { random })
  const opener = accepted.openStream(stream, { attemptNonce: sealer.attemptNonce })
  const plaintext = random(chunkBytes)
  const seal: number[] = []
  const open: number[] = []
  for (let i = -3; i < batches; i++) {
    const start = performance.now()
    const chunks = Array.from({ length: batch }, () => sealer.seal(plaintext))
    const sealed = performance.now()
    for (const chunk of chunks) opener.open(chunk)
    if (i < 0) continue
    seal.push((1_000 * (sealed - start)) / batch)
    open.push((1_000 * (performance.now() - sealed)) / batch)
  }
  return { sealUs: median(seal), openUs: median(open) }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Number((sorted[sorted.length >> 1] ?? Number.NaN).toFixed(3))
}
