import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findFloorViolations } from '../tools/floors.ts'
import { repositoryRoot } from '../tools/repository.ts'

describe('floors', () => {
  it('lets every import go down', () => {
    assert.deepEqual(findFloorViolations(repositoryRoot), [])
  })
})
