// A few of the points of kill.full.test.ts.
import { after, before, describe, it } from 'node:test'
import { assertFair, KillWorld } from './kill-world.ts'

describe('a worker killed in the middle of a job', () => {
  let world: KillWorld
  before(async () => {
    world = await KillWorld.start()
  })
  after(() => world?.[Symbol.asyncDispose]())

  it('costs neither side more than a step, and no token is created or lost', async () => {
    let killed = 0
    for (const point of [
      { at: 'message', after: 6, streamMode: 'immediate' },
      { at: 'message', after: 9, streamMode: 'immediate' },
      { at: 'message', after: 14, streamMode: 'immediate' },
      { at: 'message', after: 20, streamMode: 'paced' },
      { at: 'journal', after: 3, streamMode: 'immediate' },
      { at: 'journal', after: 7, streamMode: 'immediate' },
    ] as const) {
      const outcome = await world.run(point)
      assertFair(outcome, `${point.at} ${point.after} ${point.streamMode}`)
      if (outcome.killed) killed++
    }
    if (killed < 5) throw new Error(`the worker was killed at only ${killed} of 6 points`)
  })
})
