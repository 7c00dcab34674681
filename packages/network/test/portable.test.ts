import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { build } from 'esbuild'

describe('outside Node', () => {
  it('the package and its web subpath bundle for browsers without a Node module', async () => {
    const bundle = await build({
      stdin: {
        contents: `export * from './index.ts'; export * from './web/index.ts'`,
        resolveDir: new URL('../src', import.meta.url).pathname,
        loader: 'ts',
      },
      bundle: true,
      platform: 'browser',
      format: 'esm',
      conditions: ['tacit-source'],
      write: false,
      metafile: true,
      logLevel: 'silent',
    })
    const inputs = Object.keys(bundle.metafile.inputs)
    assert.ok(inputs.some((path) => path.endsWith('web/web-socket.ts')))
    assert.ok(!inputs.some((path) => path.includes('node_modules/ws/') || path.includes('/src/node/')))
  })
})
