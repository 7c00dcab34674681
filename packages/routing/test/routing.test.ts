import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import {
  addCheckVectors,
  buildDirectory,
  computeCheckVector,
  createLexicalEmbedder,
  createSemanticEmbedder,
  type DirectoryRow,
  DirectorySolver,
  embedLexically,
  IntentScorer,
  proveRow,
  quantizeVector,
  referenceSeed,
  route1,
  ScoreCheck,
  scoreInClear,
  squaredNorm,
  verifyRow,
} from '../src/index.ts'
import { range } from '../src/internal/at.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const dimensions = 256
const gaussian = (): number => Math.sqrt(-2 * Math.log(Math.random() + 1e-12)) * Math.cos(2 * Math.PI * Math.random())
const randomVector = (): Int8Array => quantizeVector(Array.from({ length: dimensions }, gaussian))
const rowOf = (index: number, vector = randomVector()): DirectoryRow => {
  const worker = new Uint8Array(32)
  new DataView(worker.buffer).setUint32(0, index)
  return { worker, vector, cardHash: new Uint8Array(32).fill(index) }
}
const extremes = [
  new Int8Array(dimensions).fill(62),
  new Int8Array(dimensions).fill(-62),
  Int8Array.from({ length: dimensions }, (_, i) => (i < 62 ? 126 : 0)),
  Int8Array.from({ length: dimensions }, (_, i) => (i === 3 ? 127 : 0)),
  new Int8Array(dimensions),
]
// One row more than a block, with a removed one among them.
const rows = range(route1.degree + 1).map((i) => (i === 7 ? null : rowOf(i, extremes[i] ?? randomVector())))
const directory = buildDirectory(dimensions, rows)
const seed = referenceSeed({ chainId: 4_294_967_299n, beacon: new Uint8Array(32).fill(9) })
const solver = new DirectorySolver(directory, seed)
const createScorer = (): IntentScorer => new IntentScorer(solver.record, solver.hints, random)

describe('encrypted scores', () => {
  it('are exact for every row, extreme vectors included', () => {
    const scorer = createScorer()
    for (const intent of [...extremes, randomVector(), randomVector()]) {
      const query = scorer.query(intent)
      assert.deepEqual(scorer.decode(query, solver.answer(query.bytes)), scoreInClear(directory, intent))
    }
    assert.ok(scorer.noiseShare < 0.5, `noise ${scorer.noiseShare}`)
  })

  it('come from queries that share nothing, one secret each', () => {
    const scorer = createScorer()
    const intent = randomVector()
    const [a, b] = [scorer.query(intent), scorer.query(intent)]
    const same = a.bytes.subarray(40).filter((byte, i) => byte === b.bytes[40 + i]).length
    assert.ok(same < (a.bytes.length / 256) * 1.5)
    scorer.decode(a, solver.answer(a.bytes))
    assert.throws(() => scorer.decode(a, solver.answer(a.bytes)), { code: 'routing.query-used' })
    assert.ok(!/Uint32Array|secret/.test(inspect(b, { showHidden: true })) && JSON.stringify(b) === '"[IntentQuery: redacted]"')
  })

  it('are the same bytes from every honest solver', () => {
    const scorer = createScorer()
    const query = scorer.query(randomVector())
    const first = solver.answer(query.bytes)
    const small = buildDirectory(dimensions, rows.slice(0, 5))
    const other = new DirectorySolver(small, seed)
    assert.deepEqual(solver.answer(query.bytes), first)
    assert.throws(() => other.answer(query.bytes), { code: 'routing.directory-changed' })
  })

  it('follow the directory, changed blocks only', () => {
    const small = buildDirectory(dimensions, rows.slice(0, 40))
    const own = new DirectorySolver(small, seed)
    const next = buildDirectory(
      dimensions,
      rows.slice(0, 40).map((row, i) => (i === 5 ? rowOf(5) : row)),
    )
    assert.equal(own.update(small), 0)
    assert.equal(own.update(next), 1)
    const scorer = new IntentScorer(own.record, own.hints, random)
    const intent = randomVector()
    const query = scorer.query(intent)
    assert.deepEqual(scorer.decode(query, own.answer(query.bytes)), scoreInClear(next, intent))
    assert.throws(() => own.update(directory), { code: 'routing.malformed' })
  })

  it('refuse queries, answers and hints that are cut, grown, foreign or not canonical', () => {
    const scorer = createScorer()
    const query = scorer.query(randomVector())
    const answer = solver.answer(query.bytes)
    for (const bytes of [new Uint8Array(), query.bytes.slice(0, -1), Uint8Array.from([...query.bytes, 0]), answer])
      assert.throws(() => solver.answer(bytes), { code: 'routing.malformed' })
    const wild = query.bytes.slice()
    wild.fill(255, 40, 45)
    assert.throws(() => solver.answer(wild), { code: 'routing.malformed' })
    for (const bytes of [answer.slice(0, -1), query.bytes, new Uint8Array(3)])
      assert.throws(() => scorer.decode(scorer.query(randomVector()), bytes), { code: 'routing.malformed' })
    const hints = solver.hints
    hints[100] = (hints[100] ?? 0) ^ 1
    assert.throws(() => new IntentScorer(solver.record, hints, random), { code: 'routing.malformed' })
    assert.throws(() => new IntentScorer(solver.record, hints.slice(1), random), { code: 'routing.malformed' })
    assert.throws(() => scorer.query(new Int8Array(dimensions).fill(127)), { code: 'routing.vector-rule' })
    assert.throws(() => scorer.query(new Int8Array(128)), { code: 'routing.vector-rule' })
  })

  it('survive garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.throws(
          () => solver.answer(bytes),
          (error: { code: string }) => error.code.startsWith('routing.'),
        )
      }),
      { numRuns: 50 },
    )
  })
})

describe('the directory', () => {
  it('proves rows and refuses every changed part of a proof', () => {
    for (const index of [0, 1, 1023, route1.degree]) {
      const proof = proveRow(directory, index)
      assert.ok(verifyRow(proof, directory.root, dimensions))
      const { row, path } = proof
      const changed = [
        { ...proof, index: index + 1 },
        { ...proof, count: proof.count - 1 },
        { ...proof, row: { ...row, vector: row.vector.map((v, i) => (i === 0 ? v + 1 : v)) } },
        { ...proof, row: { ...row, worker: row.worker.map((v) => v ^ 1) } },
        { ...proof, row: { ...row, cardHash: row.cardHash.map((v) => v ^ 1) } },
        { ...proof, path: path.slice(1) },
        { ...proof, path: [...path, new Uint8Array(32)] },
        { ...proof, path: path.map((hash, i) => (i === 0 ? hash.map((v) => v ^ 1) : hash)) },
      ]
      for (const [i, other] of changed.entries()) assert.ok(!verifyRow(other, directory.root, dimensions), `change ${i} at ${index}`)
    }
  })

  it('takes no row that breaks the norm, so that no honest solver can be made to look like a liar', () => {
    const long = new Int8Array(dimensions).fill(127)
    assert.throws(() => buildDirectory(dimensions, [rowOf(0, long)]), { code: 'routing.vector-rule' })
    assert.throws(() => buildDirectory(dimensions, [rowOf(0, new Int8Array(dimensions).fill(-128))]), { code: 'routing.vector-rule' })
    const proof = proveRow(directory, 0)
    assert.ok(!verifyRow({ ...proof, row: { ...proof.row, vector: long } }, directory.root, dimensions))
  })

  it('quantises every finite vector to one that keeps the rules', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: dimensions, maxLength: dimensions }), (values) => {
        fc.pre(values.some((value) => Math.abs(value) > 1e-100))
        const vector = quantizeVector(values)
        assert.ok(squaredNorm(vector) <= 1_000_000 && !vector.includes(-128))
      }),
      { numRuns: 50 },
    )
    for (const bad of [
      [0, 0],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
    ])
      assert.throws(() => quantizeVector(bad), { code: 'routing.vector-rule' })
  })
})

describe('the check of scores', () => {
  const small = buildDirectory(dimensions, rows.slice(0, 300))
  const seeds = [random(32), random(32)]
  const check = new ScoreCheck(
    seeds,
    seeds.map((s) => computeCheckVector(small, s)),
    300,
  )

  it('accepts true scores and refuses inflation, swaps, omissions and scores of another directory', () => {
    const other = buildDirectory(
      dimensions,
      rows.slice(0, 300).map((row, i) => (i === 200 ? rowOf(200) : row)),
    )
    for (const _ of range(20)) {
      const intent = randomVector()
      const scores = scoreInClear(small, intent)
      assert.ok(check.accepts(intent, scores))
      const lie = (change: (s: Int32Array) => void): Int32Array => {
        const copy = scores.slice()
        change(copy)
        return copy
      }
      const lies = [
        lie((s) => (s[11] = (s[11] ?? 0) + 1)),
        lie((s) => (s[12] = 0)),
        lie((s) => s.set([s[21] ?? 0, s[20] ?? 0], 20)),
        scores.subarray(1),
        scoreInClear(other, intent),
      ]
      for (const [i, scoresOfLie] of lies.entries()) assert.ok(!check.accepts(intent, scoresOfLie), `lie ${i}`)
    }
  })

  it('adds vectors of several checkers', () => {
    const all = seeds.map((s) => computeCheckVector(small, s))
    assert.deepEqual(addCheckVectors(all), addCheckVectors([...all].reverse()))
  })
})

describe('a semantic embedder', () => {
  it('quantises what a model gives, in a space of its own, and refuses what is no vector', async () => {
    const fake = (vectors: readonly (readonly number[])[]) =>
      createSemanticEmbedder({ model: 'fake-model@1', embed: async () => vectors }, 256)
    const long = Array.from({ length: 300 }, (_, i) => Math.sin(i))
    const [vector] = await fake([long]).embed(['text'])
    assert.ok(vector?.length === 256 && squaredNorm(vector) <= 1_000_000 && squaredNorm(vector) > 900_000)
    assert.equal(fake([]).space, 'fake-model@1-256')
    await assert.rejects(fake([]).embed(['text']), { code: 'routing.malformed' })
    await assert.rejects(fake([[0, 0]]).embed(['text']), { code: 'routing.vector-rule' })
    await assert.rejects(fake([[Number.NaN]]).embed(['text']), { code: 'routing.vector-rule' })
  })
})

describe('the lexical embedder', () => {
  it('prefers texts that share words, keeps the rules, and says that it is lexical', async () => {
    const embedder = createLexicalEmbedder(256)
    assert.equal(embedder.kind, 'lexical')
    const [query, near, far, empty] = await embedder.embed([
      'translate german legal text',
      'Translates legal documents from German',
      'classifies images of cats',
      '',
    ])
    assert.ok(query && near && far && empty)
    const dot = (a: Int8Array, b: Int8Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
    assert.ok(dot(query, near) > 2 * Math.abs(dot(query, far)))
    for (const vector of [query, near, far, empty]) assert.ok(squaredNorm(vector) <= 1_000_000 && !vector.includes(-128))
    assert.deepEqual(embedLexically('same text', 256), embedLexically('same text', 256))
  })
})
