import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

it('the example of the README runs', () => {
  const folder = join(import.meta.dirname, '..')
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))?.[1] ?? ''
  const scratch = mkdtempSync(join(folder, 'test', '.readme-'))
  try {
    const file = join(scratch, 'example.ts')
    writeFileSync(file, code)
    const printed = execFileSync(process.execPath, ['--conditions=tacit-source', '--no-warnings', file], { encoding: 'utf8' })
    assert.equal(printed.trim(), '{ ok: true }')
  } finally {
    rmSync(scratch, { recursive: true })
  }
})
