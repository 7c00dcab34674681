import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isTacitCode } from './codes.ts'
import { CellReader, dataCells, encodeCell, packCells, SessionError, sizeClass, unpackCells } from '../src/index.ts'

const limits = { maxMessageBytes: 10_000 }

describe('cells', () => {
  it('give back the payload, and show only its size class', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.integer({ min: 16, max: 300 }),
        fc.constantFrom(1, 2, 8),
        (payload, cellBytes, minCells) => {
          const cells = packCells(payload, { cellBytes, minCells })
          assert.ok(cells.every((cell) => cell.length === cellBytes))
          assert.equal(cells.length, sizeClass(dataCells([payload.length], { cellBytes }), { minCells }))
          assert.equal(Math.log2(cells.length) % 1, 0)
          assert.deepEqual(Buffer.from(unpackCells(cells, limits)), Buffer.from(payload))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('carry an empty payload', () => {
    assert.equal(unpackCells(packCells(new Uint8Array(0), { cellBytes: 16 }), limits).length, 0)
  })

  it('may be cut anywhere between dummies and come out as the same messages', () => {
    const reader = new CellReader(limits)
    const cells = packCells(
      Uint8Array.from({ length: 100 }, (_, i) => i),
      { cellBytes: 16, minCells: 16 },
    )
    const dummy = encodeCell(new Uint8Array(0), { cellBytes: 16 })
    const messages = cells.flatMap((cell) => [...reader.push(dummy), ...reader.push(cell)])
    assert.deepEqual(
      messages.map((message) => message.length),
      [100],
    )
    reader.end()
  })

  it('refuse garbage in bounded memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 6 }), (cells) => {
        const reader = new CellReader({ maxMessageBytes: 100 })
        try {
          for (const cell of cells) for (const message of reader.push(cell)) assert.ok(message.length <= 100)
        } catch (error) {
          assert.ok(error instanceof SessionError)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('name what is wrong with a cell', () => {
    const push = (...bytes: number[]) => new CellReader({ maxMessageBytes: 10 }).push(Uint8Array.from(bytes))
    const malformed = isTacitCode('session.cell-malformed')
    assert.throws(() => push(0), malformed)
    assert.throws(() => push(0, 2, 1), malformed)
    assert.throws(() => push(0, 0, 1), malformed)
    assert.throws(() => push(0, 4, 0, 0, 0, 11), malformed)
    assert.throws(() => unpackCells([], limits), malformed)
    assert.throws(() => unpackCells([Uint8Array.of(0, 4, 0, 0, 0, 9)], limits), malformed)
    assert.throws(() => unpackCells([Uint8Array.of(0, 8, 0, 0, 0, 0, 0, 0, 0, 0)], limits), malformed)
    for (const cellBytes of [15, 65_538, 20.5]) {
      assert.throws(() => packCells(new Uint8Array(1), { cellBytes }), isTacitCode('session.pacing-invalid'))
    }
    assert.throws(() => packCells(new Uint8Array(1), { cellBytes: 16, minCells: 3 }), isTacitCode('session.pacing-invalid'))
  })
})
