// The verifier as a browser would load it: bundled, and run where nothing of Node exists.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import recorded from './vectors/recorded-chain.json' with { type: 'json' }

describe('the verifier without Node', () => {
  it('bundles for a browser, and checks a receipt with web globals only', async () => {
    const bundle = await build({
      entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
      bundle: true,
      platform: 'browser',
      conditions: ['tacit-source'],
      format: 'iife',
      globalName: 'receipt',
      minify: true,
      write: false,
      logLevel: 'silent',
    })
    const code = bundle.outputFiles[0]?.text ?? ''
    assert.ok(code.length > 0 && code.length < 600_000, `${code.length} characters`)
    const web = {
      TextEncoder,
      TextDecoder,
      URL,
      structuredClone,
      queueMicrotask,
      setTimeout,
      crypto,
      input: JSON.stringify(recorded.registered),
    }
    const context = createContext(web)
    runInContext(code, context)
    const program = `(async () => {
      const { file, checkpoint } = JSON.parse(input)
      const good = await receipt.verifyReceipt(file, { checkpoint })
      const bad = await receipt.verifyReceipt({ ...file, evidence: [] }, { checkpoint })
      return [typeof process, typeof Buffer, good.exitCode, bad.exitCode].join()
    })()`
    assert.equal(await runInContext(program, context), 'undefined,undefined,0,2')
  })
})
