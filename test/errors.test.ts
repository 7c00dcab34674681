import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { repositoryRoot } from '../tools/repository.ts'

const sources = globSync('{packages,apps}/*/src/**/*.ts', { cwd: repositoryRoot })
const codes = new Set(
  sources.flatMap((file) =>
    [...readFileSync(join(repositoryRoot, file), 'utf8').matchAll(/super\(\s*'([a-z]+\.[a-z0-9.-]+)'/g)].map((match) => match[1] ?? ''),
  ),
)

describe('error codes', () => {
  it('has a page for every code', () => {
    assert.ok(codes.size > 50, 'the codes were found')
    const missing = [...codes].filter((code) => !existsSync(join(repositoryRoot, 'docs/errors', `${code}.md`)))
    assert.deepEqual(missing, [])
  })

  it('has no page for a code that is gone', () => {
    const pages = globSync('docs/errors/*.md', { cwd: repositoryRoot }).map((file) => basename(file, '.md'))
    assert.deepEqual(
      pages.filter((code) => code !== 'README' && !codes.has(code)),
      [],
    )
  })
})
