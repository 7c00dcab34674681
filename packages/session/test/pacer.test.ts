import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isTacitCode } from './codes.ts'
import { CellReader, dataCells, Pacer, type ReleasedCell, sizeClass, UpstreamPacer } from '../src/index.ts'

const paced = { mode: 'paced', cellBytes: 64, intervalMs: 20, minCells: 8 } as const

/** What a producer does: at `atMs` it has `bytes` to say; it is done at `endMs`. */
type Script = { readonly says: readonly { readonly atMs: number; readonly bytes: number }[]; readonly endMs: number }
type Seen = { readonly atMs: number; readonly direction: 'down' | 'up'; readonly bytes: number }

/** Runs a script in simulated time and records what an observer of the wire sees. */
function observe(script: Script): { readonly seen: readonly Seen[]; readonly messages: readonly number[] } {
  const pacer = new Pacer(paced, { startMs: 0 })
  const upstream = new UpstreamPacer({ cellBytes: 48 })
  const reader = new CellReader({ maxMessageBytes: 100_000 })
  const seen: Seen[] = []
  const messages: number[] = []
  const waiting = [...script.says]
  let ended = false
  for (let nowMs = 0; !pacer.done; nowMs += 5) {
    while (waiting[0] !== undefined && waiting[0].atMs <= nowMs) pacer.enqueue(new Uint8Array(waiting.shift()?.bytes ?? 0))
    if (!ended && nowMs >= script.endMs && waiting.length === 0) {
      ended = true
      pacer.finish()
    }
    for (const { cell, final } of pacer.release(nowMs).cells) {
      seen.push({ atMs: nowMs, direction: 'down', bytes: cell.length })
      messages.push(...reader.push(cell).map((message) => message.length))
      if (messages.length === 2) upstream.enqueue(new Uint8Array(20))
      const reply = upstream.onDownstreamCell({ final })
      if (reply !== undefined) seen.push({ atMs: nowMs, direction: 'up', bytes: reply.cell.length })
    }
  }
  reader.end()
  return { seen, messages }
}

describe('paced release', () => {
  it('shows two answers of one class the same way in number, size and schedule, both directions', () => {
    const chatty = { says: Array.from({ length: 30 }, (_, i) => ({ atMs: 7 * i, bytes: 3 + (i % 11) })), endMs: 215 }
    const terse = { says: [{ atMs: 90, bytes: 500 }], endMs: 90 }
    const silent = { says: [], endMs: 290 }
    const [one, two, three] = [observe(chatty), observe(terse), observe(silent)]
    assert.equal(one.seen.length, 32)
    assert.deepEqual(one.seen, two.seen)
    assert.deepEqual(one.seen, three.seen)
    assert.deepEqual(
      one.messages,
      chatty.says.map(({ bytes }) => bytes),
    )
    assert.deepEqual(two.messages, [500])
  })

  it('gives every script the schedule of its class and loses no message', () => {
    const scripts = fc.record({
      says: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 600 }), bytes: fc.integer({ min: 0, max: 200 }) }), { maxLength: 20 }),
      endMs: fc.integer({ min: 0, max: 700 }),
    })
    fc.assert(
      fc.property(scripts, (script) => {
        const says = script.says.toSorted((a, b) => a.atMs - b.atMs)
        const { seen, messages } = observe({ ...script, says })
        const total = seen.length / 2
        assert.deepEqual(
          messages,
          says.map(({ bytes }) => bytes),
        )
        assert.equal(total, sizeClass(total, { minCells: 8 }))
        const expected = Array.from({ length: total }, (_, i) => [
          { atMs: 20 * i, direction: 'down', bytes: 64 },
          { atMs: 20 * i, direction: 'up', bytes: 48 },
        ])
        assert.deepEqual(seen, expected.flat())
      }),
      { numRuns: 60 },
    )
  })

  it('catches up after a late tick without changing the schedule that follows', () => {
    const pacer = new Pacer(paced, { startMs: 1_000 })
    assert.deepEqual(pacer.release(999), { cells: [], nextMs: 1_000 })
    assert.equal(pacer.release(1_000).nextMs, 1_020)
    assert.equal(pacer.release(1_065).nextMs, 1_040)
    assert.equal(pacer.release(1_065).nextMs, 1_060)
    assert.equal(pacer.release(1_065).nextMs, 1_080)
    assert.deepEqual(pacer.release(1_065), { cells: [], nextMs: 1_080 })
  })

  it('never ends short of a class, even when it learns of the end just after one', () => {
    const pacer = new Pacer(paced, { startMs: 0 })
    const released: ReleasedCell[] = []
    for (let i = 0; i < 8; i++) released.push(...pacer.release(20 * i).cells)
    pacer.finish()
    for (let i = 8; !pacer.done; i++) released.push(...pacer.release(20 * i).cells)
    assert.equal(released.length, 16)
    assert.deepEqual(released.map(({ final }) => final).indexOf(true), 15)
    assert.deepEqual(pacer.release(10_000), { cells: [], nextMs: undefined })
  })

  it('refuses messages after the end, and options that make no sense', () => {
    const pacer = new Pacer(paced, { startMs: 0 })
    pacer.finish()
    assert.throws(() => pacer.enqueue(new Uint8Array(1)), isTacitCode('session.stream-finished'))
    for (const wrong of [{ minCells: 3 }, { intervalMs: 0 }, { intervalMs: Number.NaN }, { cellBytes: 4 }]) {
      assert.throws(() => new Pacer({ ...paced, ...wrong }, { startMs: 0 }), isTacitCode('session.pacing-invalid'))
    }
  })
})

describe('immediate release', () => {
  it('sends each message at once, without dummies or padding, and one final cell', () => {
    const pacer = new Pacer({ mode: 'immediate', cellBytes: 64 }, { startMs: 0 })
    const reader = new CellReader({ maxMessageBytes: 1_000 })
    const messages: number[] = []
    const sizes: number[] = []
    const release = () => {
      const { cells, nextMs } = pacer.release(0)
      assert.equal(nextMs, undefined)
      for (const { cell } of cells) {
        sizes.push(cell.length)
        messages.push(...reader.push(cell).map((message) => message.length))
      }
      return cells
    }
    assert.deepEqual(release(), [])
    for (const bytes of [5, 17, 150]) {
      pacer.enqueue(new Uint8Array(bytes))
      assert.ok(release().every(({ final }) => !final))
    }
    pacer.finish()
    assert.deepEqual(
      release().map(({ final }) => final),
      [true],
    )
    assert.deepEqual(release(), [])
    assert.deepEqual(messages, [5, 17, 150])
    assert.deepEqual(sizes, [11, 23, 64, 64, 32, 2])
  })

  it('marks the last content cell as final when the end is known', () => {
    const pacer = new Pacer({ mode: 'immediate', cellBytes: 64 }, { startMs: 0 })
    pacer.enqueue(new Uint8Array(70))
    pacer.finish()
    assert.deepEqual(
      pacer.release(0).cells.map(({ final }) => final),
      [false, true],
    )
    assert.equal(pacer.done, true)
  })
})

describe('upstream slots', () => {
  it('follow the count that came down, whatever the client has to say', () => {
    const run = (messages: number) => {
      const upstream = new UpstreamPacer({ cellBytes: 64, downstreamPerUpstream: 4 })
      for (let i = 0; i < messages; i++) upstream.enqueue(new Uint8Array(30))
      return Array.from({ length: 32 }, (_, i) => upstream.onDownstreamCell({ final: i === 31 })?.cell.length)
    }
    assert.deepEqual(run(0), run(9))
    assert.equal(run(0).filter((bytes) => bytes === 64).length, 8)
  })

  it('say so when the last slot is too small', () => {
    const upstream = new UpstreamPacer({ cellBytes: 32 })
    upstream.enqueue(new Uint8Array(100))
    assert.throws(() => upstream.onDownstreamCell({ final: true }), isTacitCode('session.upstream-overflow'))
    assert.throws(() => new UpstreamPacer({ cellBytes: 32, downstreamPerUpstream: 0 }), isTacitCode('session.pacing-invalid'))
  })

  it('end with the stream', () => {
    const upstream = new UpstreamPacer({ cellBytes: 32 })
    assert.equal(upstream.onDownstreamCell({ final: true })?.final, true)
    assert.throws(() => upstream.enqueue(new Uint8Array(1)), isTacitCode('session.stream-finished'))
    assert.throws(() => upstream.onDownstreamCell({ final: false }), isTacitCode('session.stream-finished'))
  })
})

describe('size classes', () => {
  it('are powers of two from the smallest class on', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 8, 9, 1000].map((cells) => sizeClass(cells)),
      [1, 1, 2, 4, 8, 16, 1024],
    )
    assert.deepEqual(
      [1, 8, 9].map((cells) => sizeClass(cells, { minCells: 8 })),
      [8, 8, 16],
    )
    assert.equal(dataCells([0], { cellBytes: 16 }), 1)
    assert.equal(dataCells([11], { cellBytes: 16 }), 2)
  })
})
