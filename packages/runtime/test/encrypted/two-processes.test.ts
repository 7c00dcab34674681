import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const example = (file: string): string => fileURLToPath(new URL(`../../../../examples/encrypted-digit/${file}`, import.meta.url))
const run = (file: string, ...args: readonly string[]): string =>
  execFileSync(process.execPath, ['--conditions=tacit-source', example(file), ...args], { encoding: 'utf8', timeout: 60_000 })

describe('two processes', () => {
  it('read digits under encryption, and a replay of what the worker got gives its output bit for bit', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tacit-encrypted-'))
    try {
      const record = join(folder, 'record')
      assert.match(run('client.ts', '4', record), /[34] of 4 read correctly/)
      assert.match(run('server.ts', '--replay', record), /^4 of 4 outputs are the same/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
