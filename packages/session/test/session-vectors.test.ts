import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { sessionVectors } from './session-vectors.ts'

describe('the session format', () => {
  it('still gives the published vectors', async () => {
    const published = JSON.parse(readFileSync(new URL('vectors/tacit-session.json', import.meta.url), 'utf8'))
    assert.deepEqual(JSON.parse(JSON.stringify(await sessionVectors())), published)
  })
})
