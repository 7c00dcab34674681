// The same bits in a browser's worker: Chromium verifies the frozen proofs and makes them again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { findChromium } from '../../../tools/chromium.ts'

it('a worker in Chromium verifies and makes the frozen proofs, with and without SIMD', async () => {
  const entry = join(import.meta.dirname, 'support/browser-worker.ts')
  const bundle = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    conditions: ['tacit-source'],
    format: 'iife',
    write: false,
    logLevel: 'silent',
  })
  const executablePath = findChromium()
  assert.ok(executablePath !== undefined, 'This test needs a Chromium.')
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  try {
    const page = await browser.newPage()
    const vectors: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/layer-proofs.json'), 'utf8'))
    const results = await page.evaluate(
      ([code, data]) =>
        new Promise<readonly string[]>((resolve, reject) => {
          const worker = new Worker(URL.createObjectURL(new Blob([String(code)], { type: 'text/javascript' })))
          worker.onmessage = (event: MessageEvent<readonly string[]>) => resolve(event.data)
          worker.onerror = (event) => reject(new Error(event.message))
          worker.postMessage(data)
        }),
      [bundle.outputFiles[0]?.text ?? '', vectors],
    )
    assert.deepEqual(
      results,
      ['simd', 'scalar'].flatMap((variant) => ['dense', 'conv', 'maxPool', 'argmax'].map((kind) => `${variant} ${kind} true true`)),
    )
  } finally {
    await browser.close()
  }
})
