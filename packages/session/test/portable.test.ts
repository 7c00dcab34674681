import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { describe, it } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'

const program = `
import { acceptSession, generatePrekey, openSession } from './index.ts'
const now = 1_800_000_000
const worker = '0x' + 'a1'.repeat(20)
const id = '0x' + '51'.repeat(32)
const info = { chainId: 5n, sessionId: id, modelId: id, worker }
export async function run(suite, random) {
  const { record, secret } = await generatePrekey({ suite, worker, notBefore: now, notAfter: now + 3600, random })
  const { enc, session } = await openSession({ prekey: record, info, nowSeconds: now, random })
  const accepted = await acceptSession({ prekeySecret: secret, enc, info })
  const sealer = session.sealStream({ jobId: id, attempt: 0 }, { random })
  const opener = accepted.openStream({ jobId: id, attempt: 0 }, { attemptNonce: sealer.attemptNonce })
  return new TextDecoder().decode(opener.open(sealer.sealFinal(new TextEncoder().encode('hello'))).plaintext)
}`

describe('outside Node', () => {
  it('a bundle for browsers opens sessions with nothing but text coding: no Node, no WebCrypto, no ambient randomness', async () => {
    const bundle = await build({
      stdin: { contents: program, resolveDir: new URL('../src', import.meta.url).pathname, loader: 'ts' },
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'session',
      conditions: ['tacit-source'],
      write: false,
      logLevel: 'silent',
    })
    // JavaScript itself, text coding and typed arrays; the libraries may not reach for anything else.
    const context = createContext({ TextEncoder, TextDecoder, Uint8Array })
    runInContext(bundle.outputFiles[0]?.text ?? '', context)
    let drawn = 0
    const random = (sizeBytes: number): Uint8Array => {
      drawn += sizeBytes
      return webcrypto.getRandomValues(new Uint8Array(sizeBytes))
    }
    const { run } = runInContext('session', context) as { run(suite: string, random: (n: number) => Uint8Array): Promise<string> }
    assert.equal(await run('x-wing', random), 'hello')
    assert.equal(drawn, 32 + 64 + 32)
    assert.equal(await run('x25519', random), 'hello')
  })
})
