import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Bytes32,
  deriveTraceKey,
  openTrace,
  parseBytes32,
  parseJobId,
  parseSessionId,
  sha256Hash,
  type TraceEntry,
  traceOpeningSchema,
  toHex,
  traceRoot,
  utf8,
  verifyTraceOpening,
} from '../src/index.ts'

const key = new Uint8Array(32).fill(1)
const entries = (count: number): readonly TraceEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    index,
    elementType: 'int8',
    shape: [1, index + 1],
    activationHash: sha256Hash(utf8(`layer ${index}`)),
  }))

const flip = (hash: Bytes32): Bytes32 => parseBytes32(`${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}`)

describe('the key of a trace', () => {
  it('is another one for each franking key, session and job', () => {
    const id = (digit: string): string => `0x${digit.repeat(64)}`
    const source = {
      requestKey: new Uint8Array(32).fill(1),
      responseKey: new Uint8Array(32).fill(2),
      session: parseSessionId(id('3')),
      job: parseJobId(id('4')),
    }
    const keys = [
      source,
      { ...source, requestKey: source.responseKey },
      { ...source, responseKey: source.requestKey },
      { ...source, session: parseSessionId(id('4')) },
      { ...source, job: parseJobId(id('3')) },
    ].map((item) => toHex(deriveTraceKey(item)))
    assert.equal(new Set(keys).size, keys.length)
    assert.equal(keys[0], '0x94ab4d1dab5230ec1fcf6f5532571b441fdd78775231d1cb9192b063a12d05e6')
  })
})

describe('a layer trace', () => {
  it('opens at every layer, whatever the number of layers', () => {
    for (let count = 1; count <= 20; count++) {
      const list = entries(count)
      const root = traceRoot(list, key)
      for (let index = 0; index < count; index++) {
        const opening = openTrace(list, key, index)
        assert.ok(verifyTraceOpening(root, opening), `${index} of ${count}`)
        assert.deepEqual(traceOpeningSchema(JSON.parse(JSON.stringify(opening)), 'opening'), opening)
      }
    }
  })

  it('refuses an opening with any field changed', () => {
    const list = entries(11)
    const root = traceRoot(list, key)
    fc.assert(
      fc.property(fc.nat(10), fc.nat(3), (index, place) => {
        const opening = openTrace(list, key, index)
        const { entry } = opening
        const wrong = [
          { ...opening, salt: flip(opening.salt) },
          { ...opening, layerCount: opening.layerCount + 1 },
          { ...opening, layerCount: opening.layerCount - 1 },
          { ...opening, path: opening.path.slice(1) },
          { ...opening, path: [...opening.path, root] },
          { ...opening, path: opening.path.map((hash, i) => (i === place % opening.path.length ? flip(hash) : hash)) },
          { ...opening, entry: { ...entry, index: (entry.index + 1) % 11 } },
          { ...opening, entry: { ...entry, index: -1 } },
          { ...opening, entry: { ...entry, elementType: 'uint8' as const } },
          { ...opening, entry: { ...entry, shape: [...entry.shape, 1] } },
          { ...opening, entry: { ...entry, activationHash: flip(entry.activationHash) } },
        ]
        for (const candidate of wrong) assert.equal(verifyTraceOpening(root, candidate), false)
        assert.equal(verifyTraceOpening(flip(root), opening), false)
      }),
    )
  })

  it('hides layers: without the key a guessed activation cannot be checked', () => {
    const list = entries(4)
    assert.notEqual(traceRoot(list, key), traceRoot(list, new Uint8Array(32).fill(2)))
    const guess = { ...openTrace(list, new Uint8Array(32), 2), path: openTrace(list, key, 2).path }
    assert.equal(verifyTraceOpening(traceRoot(list, key), guess), false)
  })

  it('refuses entries out of order', () => {
    assert.throws(() => traceRoot([...entries(3)].reverse(), key), { code: 'protocol.malformed' })
    assert.throws(() => traceRoot([], key), { code: 'protocol.malformed' })
  })
})
