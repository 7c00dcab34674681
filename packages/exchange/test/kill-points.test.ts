import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Cut, stepPrice, stepTokens, World } from './world.ts'

describe('a job that runs to its end', () => {
  it('costs exactly the steps that were delivered', () => {
    const world = new World()
    const result = world.runJob(3 * stepTokens)
    assert.deepEqual(result, { outcome: 'receipt', error: '', received: 3 * stepTokens })
    assert.equal(world.redeemable, 3n * stepPrice)
    world.check()
  })

  it('does not ask for a step that has nothing in it', () => {
    const world = new World()
    world.runJob(stepTokens)
    assert.equal(world.redeemable, stepPrice)
  })
})

describe('power cuts', () => {
  const reference = new World()
  reference.runJob(4 * stepTokens)

  for (const who of ['worker', 'client', 'connection'] as const) {
    it(`loses at most one step when the ${who} fails at any point, and goes on afterwards`, () => {
      let points = 0
      for (let after = 0; after < 200; after++) {
        const world = new World()
        const cut = world.runJob(4 * stepTokens, { who, after })
        world.check()
        if (cut.outcome !== 'cut') break
        points++
        // The next job may first be told that the worker's books are a step ahead.
        let next = world.runJob(2 * stepTokens)
        if (next.outcome === 'failed') next = world.runJob(2 * stepTokens)
        assert.equal(next.outcome, 'receipt', `${who} cut after ${after}: ${next.error}`)
        world.check()
      }
      assert.ok(points >= 20, `only ${points} points were cut`)
    })
  }
})

describe('any history of jobs and failures', () => {
  const cut: fc.Arbitrary<Cut | undefined> = fc.option(
    fc.record({ who: fc.constantFrom('worker' as const, 'client' as const, 'connection' as const), after: fc.nat(40) }),
    { nil: undefined },
  )

  class RunJob implements fc.Command<{ jobs: number }, World> {
    readonly tokens: number
    readonly cut: Cut | undefined
    constructor(tokens: number, where: Cut | undefined) {
      this.tokens = tokens
      this.cut = where
    }
    check(): boolean {
      return true
    }
    run(model: { jobs: number }, world: World): void {
      model.jobs++
      world.runJob(this.tokens, this.cut)
      world.check()
      assert.equal(world.jobs, model.jobs)
    }
    toString(): string {
      return `job of ${this.tokens} tokens${this.cut === undefined ? '' : `, ${this.cut.who} fails after ${this.cut.after}`}`
    }
  }

  it('loses at most one step a failure, and creates no money', () => {
    const commands = fc.commands([fc.tuple(fc.integer({ min: 1, max: 20 }), cut).map(([tokens, where]) => new RunJob(tokens, where))], {
      maxCommands: 12,
    })
    fc.assert(
      fc.property(commands, (list) => {
        fc.modelRun(() => ({ model: { jobs: 0 }, real: new World() }), list)
      }),
      { numRuns: 25 },
    )
  })
})
