// A real worker process, killed at every message of a job and at every change of its journal.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { assertFair, type KillPoint, KillWorld } from './kill-world.ts'

describe('a worker killed at any point', () => {
  let world: KillWorld
  let points = 0
  let atRisk = 0
  const errors = new Map<string, number>()
  before(async () => {
    world = await KillWorld.start()
  })
  after(() => world?.[Symbol.asyncDispose]())

  for (const [at, streamMode, limit] of [
    ['message', 'immediate', 40],
    ['message', 'paced', 80],
    ['journal', 'immediate', 24],
  ] as const) {
    it(`keeps the books at every ${at} of a job with ${streamMode} release`, async () => {
      let beyond = 0
      for (let count = 1; count <= limit && beyond < 2; count++) {
        const point: KillPoint = { at, after: count, streamMode }
        const outcome = await world.run(point)
        assertFair(outcome, `${at} ${count} ${streamMode}`)
        if (!outcome.killed) {
          beyond++
          continue
        }
        points++
        if (outcome.error !== '' && outcome.stepsPaid > outcome.wholeSteps) atRisk++
        errors.set(outcome.error, (errors.get(outcome.error) ?? 0) + 1)
      }
    })
  }

  it('was killed at fifty points or more', () => {
    console.log(
      `killed at ${points} points; the payer lost (part of) one step at ${atRisk} of them, the worker none; tokens created or lost: 0`,
    )
    for (const [error, count] of errors) console.log(`  ${count} times: ${error === '' ? 'the job was finished' : error}`)
    assert.ok(points >= 50, `only ${points} points`)
  })
})
