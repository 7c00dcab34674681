// The same bytes from every engine: this Node, whatever other Node the system has, and Chromium.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { findChromium } from '../../../tools/chromium.ts'

const folder = mkdtempSync(join(tmpdir(), 'tacit-engines-'))
const script = join(folder, 'program.mjs')
let expected = ''

describe('engines', () => {
  before(async () => {
    const entryPoints = [fileURLToPath(new URL('./engines-program.ts', import.meta.url))]
    const bundle = await build({ entryPoints, bundle: true, format: 'esm', conditions: ['tacit-source'], write: false, logLevel: 'silent' })
    writeFileSync(script, bundle.outputFiles[0]?.text ?? '')
    expected = execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim()
  })
  after(() => rmSync(folder, { recursive: true }))

  it('agree: the Node of the system', (context) => {
    const node = ['/usr/local/bin/node', '/usr/bin/node', '/opt/homebrew/bin/node'].find((path) => existsSync(path))
    if (node === undefined) {
      context.skip('no other Node on this machine')
      return
    }
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
    const hashes = execFileSync(node, [script], { encoding: 'utf8' }).trim()
    assert.match(expected, /^([0-9a-f]{16} ){3}[0-9a-f]{16}$/)
    assert.equal(hashes, expected, version)
  })

  it('agree: Chromium', async (context) => {
    const executablePath = findChromium()
    if (executablePath === undefined) {
      context.skip('no Chromium on this machine')
      return
    }
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      await page.goto('about:blank')
      await page.addScriptTag({ path: script, type: 'module' })
      await page.waitForFunction('globalThis.engineHashes !== undefined', undefined, { timeout: 60_000 })
      assert.equal(await page.evaluate('globalThis.engineHashes'), expected)
    } finally {
      await browser.close()
    }
  })
})
