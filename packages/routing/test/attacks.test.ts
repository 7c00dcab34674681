// A hostile reviewer's solvers, checkers, connections and proofs (docs/reviews/routing.md).
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { createSigner, parseAddress, type SigningDomain } from '@tacit/protocol'
import {
  answerSigned,
  buildCardTable,
  buildDirectory,
  CardFetcher,
  type CheckerConnection,
  computeCheckVector,
  type DirectoryRow,
  DirectorySolver,
  embedLexically,
  IntentScorer,
  isCheckVectorSigned,
  judgeAnswer,
  judgeCheckVector,
  judgeRecord,
  proveRow,
  quantizeVector,
  RejectBudget,
  Router,
  type RouterOptions,
  referenceSeed,
  rejectsPerDay,
  type SignedAnswer,
  type SignedCheckVector,
  type SolverConnection,
  ScoreCheck,
  scoreInClear,
  signCheckVector,
  signRecord,
  squaredNorm,
  verifyRow,
} from '../src/index.ts'
import { range } from '../src/internal/at.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const dimensions = 128
const randomVector = (): Int8Array => Int8Array.from(random(dimensions), (byte) => (byte % 127) - 63)
const rowOf = (index: number): DirectoryRow => ({
  worker: new Uint8Array(32).fill(index + 1),
  vector: randomVector(),
  cardHash: new Uint8Array(32).fill(index),
})
const rows = range(40).map(rowOf)
const directory = buildDirectory(dimensions, rows)
const seed = referenceSeed({ chainId: 5n, beacon: new Uint8Array(32).fill(9) })
const solver = new DirectorySolver(directory, seed)
const domain: SigningDomain = { chainId: 5n, contract: parseAddress(`0x${'c0'.repeat(20)}`) }
const signerOf = (byte: number) => createSigner(new Uint8Array(32).fill(byte))
const solverKey = signerOf(1)
const checkerKeys = [signerOf(2), signerOf(3)]
const record = signRecord(solver.record, domain, solverKey)
const sign = (query: Uint8Array, bytes: Uint8Array): SignedAnswer =>
  answerSigned({ answer: () => bytes, root: directory.root } as unknown as DirectorySolver, record, query, domain, solverKey)
const lie = (query: Uint8Array): SignedAnswer =>
  sign(
    query,
    solver.answer(query).map((byte, i) => (i === 61 ? byte ^ 4 : byte)),
  )
const honest = async (query: Uint8Array): Promise<SignedAnswer> => sign(query, solver.answer(query))
const honestCheckers: readonly CheckerConnection[] = checkerKeys.map((key) => ({
  address: key.address,
  weigh: async (s) => signCheckVector(directory.root, s, computeCheckVector(directory, s), domain, key),
}))
const connect = (answer: SolverConnection['answer']): SolverConnection => ({ address: solverKey.address, record, answer })
const createRouter = (answer: SolverConnection['answer'], change: Partial<RouterOptions> = {}): Router =>
  new Router({
    ...{ committed: solver.record, domain, hints: solver.hints, random, solver: connect(answer), checkers: honestCheckers },
    use: { queries: 1, versions: 1, hours: 1, changedBytesPerHour: 0 },
    ...change,
  })
const ask = { k: 1, plan: 'encrypted' } as const
const intent = randomVector()

/** Honest for the three covers, and then whatever is given. */
function afterCovers(answer: SolverConnection['answer']): { readonly answer: SolverConnection['answer']; asked(): number } {
  let asked = 0
  return { answer: (query, options) => (++asked <= 3 ? honest(query) : answer(query, options)), asked: () => asked - 3 }
}

describe('a budget of refusals', () => {
  it('holds for queries side by side', async () => {
    const same = afterCovers(async (query) => lie(query))
    const router = createRouter(same.answer)
    const outcomes = await Promise.allSettled(range(12).map(() => router.query(intent, ask)))
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    assert.equal(same.asked(), 2)
    const many = afterCovers(async (query) => lie(query))
    const other = createRouter(many.answer)
    await Promise.allSettled(range(12).map(() => other.query(randomVector(), ask)))
    assert.equal(many.asked(), rejectsPerDay)
  })

  it('lets queries to an honest solver through, however many', async () => {
    let asked = 0
    const router = createRouter((query) => {
      asked++
      return honest(query)
    })
    const results = await Promise.all(range(9).map(() => router.query(intent, ask)))
    assert.equal(new Set(results.map(({ ranking }) => JSON.stringify(ranking))).size, 1)
    assert.equal(asked, 9 + 3, 'one check for all of them')
  })

  it('outlives a version when it is shared, and counts covers', async () => {
    const budget = new RejectBudget()
    let asked = 0
    const liar = async (query: Uint8Array): Promise<SignedAnswer> => {
      asked++
      return lie(query)
    }
    for (const _ of range(6))
      await createRouter(liar, { budget })
        .query(intent, ask)
        .catch(() => {})
    assert.equal(asked, rejectsPerDay)
    await assert.rejects(createRouter(honest, { budget }).query(randomVector(), ask), { code: 'routing.reject-budget' })
    budget.newDay()
    await createRouter(honest, { budget }).query(intent, ask)
  })

  it('is not spent by a solver that does not answer, and does not make others wait for it for ever', async () => {
    const silent = afterCovers(() => new Promise(() => {}))
    const router = createRouter(silent.answer)
    for (const _ of range(6)) {
      const leaving = new AbortController()
      const pending = router.query(intent, { ...ask, signal: leaving.signal })
      setImmediate(() => leaving.abort(new Error('left')))
      await assert.rejects(pending, { message: 'left' })
    }
    let [dead, late] = [true, (): void => {}]
    const reviving = afterCovers((query) => (dead ? new Promise((resolve) => (late = () => resolve(lie(query)))) : honest(query)))
    const second = createRouter(reviving.answer)
    const leaving = new AbortController()
    const pending = second.query(intent, { ...ask, signal: leaving.signal })
    while (reviving.asked() < 1) await new Promise(setImmediate)
    leaving.abort(new Error('left'))
    await assert.rejects(pending, { message: 'left' })
    dead = false
    late()
    assert.equal((await second.query(intent, ask)).ranking.length, 1)
    assert.deepEqual(second.takeEvidence(), [])
  })

  it('survives a checker that hangs while somebody else waits for the same check', async () => {
    let calls = 0
    const checkers = honestCheckers.map((checker, i) => ({
      ...checker,
      weigh: (s: Uint8Array, root: Uint8Array) => (i === 0 && ++calls === 1 ? new Promise<never>(() => {}) : checker.weigh(s, root)),
    }))
    const router = createRouter(honest, { checkers })
    const leaving = new AbortController()
    const first = router.query(intent, { ...ask, signal: leaving.signal })
    const second = router.query(intent, ask)
    setImmediate(() => leaving.abort(new Error('left')))
    await assert.rejects(first, { message: 'left' })
    assert.equal((await second).ranking.length, 1)
  })

  it('counts cards that are not those of the row', async () => {
    const cards = range(40).map(() => random(64))
    const table = new DirectorySolver(buildCardTable(cards), seed)
    const budget = new RejectBudget()
    const fetcher = new CardFetcher(table.record, table.hints, random, { referenceSeed: seed, budget })
    const row = {
      cardHash: new Uint8Array(
        createHash('sha256')
          .update(cards[33] ?? '')
          .digest(),
      ),
    }
    assert.deepEqual(await fetcher.fetch(33, row, async (query) => table.answer(query)), cards[33])
    const spoilt = async (query: Uint8Array): Promise<Uint8Array> => table.answer(query).fill(1, 200, 400)
    await assert.rejects(fetcher.fetch(33, row, spoilt), { code: 'routing.scores-refused', rejectsLeft: 1 })
    await assert.rejects(
      fetcher.fetch(33, row, async () => 'x' as never),
      { code: 'routing.scores-refused', rejectsLeft: 0 },
    )
    await assert.rejects(fetcher.fetch(33, row, spoilt), { code: 'routing.reject-budget' })
    await assert.rejects(fetcher.fetch(-1, row, spoilt), { code: 'routing.malformed' })
    assert.throws(() => new CardFetcher(table.record, table.hints, random, { referenceSeed: random(32) }), {
      code: 'routing.record-refused',
    })
  })
})

describe('a guess about one coordinate, by one changed entry of the table', () => {
  const changed = rows.map((row, i) => (i === 4 ? { ...row, vector: row.vector.with(9, (row.vector[9] ?? 0) > 0 ? 0 : 1) } : row))
  const guessing = new DirectorySolver({ ...buildDirectory(dimensions, changed), root: directory.root }, seed)
  const guess = async (query: Uint8Array): Promise<SignedAnswer> => sign(query, guessing.answer(query))

  it('is refused whatever the coordinate is: the public part belongs to the true table', async () => {
    for (const value of [0, 5]) {
      const router = createRouter(afterCovers(guess).answer)
      await assert.rejects(router.query(intent.with(9, value), ask), { code: 'routing.scores-refused' })
    }
  })

  it('is found by the covers when the solver signs the public part of the changed table', async () => {
    let asked = 0
    const own = signRecord(guessing.record, domain, solverKey)
    const answer: SolverConnection['answer'] = async (query) => {
      asked++
      return answerSigned(guessing, own, query, domain, solverKey)
    }
    const router = createRouter(answer, { solver: { ...connect(answer), record: own }, hints: guessing.hints })
    // With a zero there, every answer to the real intent would be accepted.
    await assert.rejects(router.query(intent.with(9, 0), ask), { code: 'routing.scores-refused' })
    assert.ok(asked <= 3)
    assert.equal(judgeRecord(own, directory, domain), 'false')
  })
})

describe('a hostile connection', () => {
  it('is refused for answers that are no answers, whatever they are', async () => {
    let query: Uint8Array = new Uint8Array()
    const earlier = await honest(new IntentScorer(solver.record, solver.hints, random).query(intent).bytes)
    const garbage: readonly (() => unknown)[] = [
      () => null,
      () => 'text',
      () => ({ bytes: 'text', claim: {} }),
      () => ({ ...lie(query), bytes: Array.from(lie(query).bytes) }),
      () => ({ ...lie(query), claim: null }),
      () => ({ ...lie(query), bytes: new Uint8Array(1 << 20) }),
      () => Object.defineProperty({}, 'bytes', { get: () => assert.fail('thrown by the sender') }),
      () => earlier,
      // Signs the right bytes, for another query.
      () => ({ bytes: solver.answer(query), claim: earlier.claim }),
    ]
    for (const make of garbage) {
      const { answer } = afterCovers(async (bytes) => {
        query = bytes
        return make() as SignedAnswer
      })
      const router = createRouter(answer)
      await assert.rejects(router.query(intent, ask), { code: 'routing.scores-refused' }, String(make))
      assert.deepEqual(router.takeEvidence(), [])
    }
  })

  it('cannot change afterwards what it said, was asked, or stands for', async () => {
    const other = signRecord({ ...solver.record, root: random(32) }, domain, solverKey)
    let answered: SignedAnswer | undefined
    let current = record
    const { answer } = afterCovers(async (query) => {
      answered = lie(query)
      query.fill(0)
      current = other
      return answered
    })
    const connection: SolverConnection = {
      ...connect(answer),
      get record() {
        return current
      },
    }
    const router = createRouter(answer, { solver: connection })
    await assert.rejects(router.query(intent, ask), { code: 'routing.scores-refused' })
    answered?.bytes.fill(0)
    Object.assign(answered?.claim.document ?? {}, { solver: `0x${'00'.repeat(20)}` })
    const [evidence] = router.takeEvidence()
    assert.ok(evidence)
    assert.equal(judgeAnswer(evidence, solver, domain), 'false')
  })

  it('that fails on its own spends nothing, and an intent changed while it waits is not what is checked', async () => {
    const { answer } = afterCovers(async () => {
      throw new TypeError('no network')
    })
    const router = createRouter(answer)
    for (const _ of range(5)) await assert.rejects(router.query(intent, ask), { message: 'no network' })
    const own = intent.slice()
    const changing = createRouter((query) => {
      own.fill(0)
      return honest(query)
    })
    const [winner] = (await changing.query(own, ask)).ranking
    assert.equal(winner?.score, Math.max(...scoreInClear(directory, intent)))
  })
})

describe('a hostile checker', () => {
  it('is named for vectors that are none, before anything is asked', async () => {
    const [first] = honestCheckers
    const [, key] = checkerKeys
    assert.ok(first && key)
    const vector = (length: number): BigInt64Array => new BigInt64Array(length)
    const vectors: readonly unknown[] = [
      ...[null, [], 'text', [vector(128)], [vector(128), vector(127)], [vector(127), vector(127)], [vector(0), vector(0)]],
      ...[
        [vector(128), vector(128), vector(128)],
        [Array(128).fill(0n), Array(128).fill(0n)],
        [vector(2000), vector(2000)],
      ],
      ...[[new Float64Array(128), new Float64Array(128)]],
    ]
    for (const given of vectors) {
      const hostile: CheckerConnection = {
        address: key.address,
        weigh: async (s) => {
          const plain = signCheckVector(directory.root, s, computeCheckVector(directory, s), domain, key)
          if (!Array.isArray(given) || !given.every((half) => half instanceof BigInt64Array)) return { ...plain, vector: given as never }
          return signCheckVector(directory.root, s, given as never, domain, key)
        },
      }
      const router = createRouter(async () => assert.fail('asked'), { checkers: [first, hostile] })
      await assert.rejects(router.query(intent, ask), { code: 'routing.checkers' })
    }
    for (const nothing of [undefined, null, {}, { vector: 1, statement: 2 }]) {
      assert.equal(isCheckVectorSigned(nothing, random(32), directory.root, key.address, domain), false)
      assert.equal(judgeCheckVector(nothing as never, random(32), directory, domain), 'unattributable')
    }
  })

  it('can change neither its seed nor its vector afterwards', async () => {
    const [first] = honestCheckers
    const [, key] = checkerKeys
    assert.ok(first && key)
    let given: SignedCheckVector | undefined
    const hostile: CheckerConnection = {
      address: key.address,
      weigh: async (s, root) => {
        given = signCheckVector(directory.root, s, computeCheckVector(directory, s), domain, key)
        s.fill(0)
        root.fill(0)
        return given
      },
    }
    const router = createRouter(
      (query) => {
        for (const half of given?.vector ?? []) half.fill(0n)
        return honest(query)
      },
      { checkers: [first, hostile] },
    )
    assert.equal((await router.query(intent, ask)).ranking.length, 1)
  })
})

describe('secrets', () => {
  it('are overwritten after a malformed answer too', () => {
    const kept: Uint32Array[] = []
    const { slice } = Uint32Array.prototype
    Uint32Array.prototype.slice = function (this: Uint32Array, ...cut) {
      const copy = slice.apply(this, cut)
      if (copy.length === 2048) kept.push(copy)
      return copy as Uint32Array<ArrayBuffer>
    }
    try {
      const scorer = new IntentScorer(solver.record, solver.hints, random)
      const query = scorer.query(intent)
      assert.equal(kept.filter((part) => part.some((word) => word !== 0)).length, 2)
      assert.throws(() => scorer.decode(query, new Uint8Array(7)), { code: 'routing.malformed' })
      assert.ok(kept.every((part) => part.every((word) => word === 0)))
    } finally {
      Uint32Array.prototype.slice = slice
    }
  })

  it('leave no error polynomial behind in the memory of the kernels', () => {
    const memories: WebAssembly.Memory[] = []
    const { Memory } = WebAssembly
    WebAssembly.Memory = class extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        super(descriptor)
        memories.push(this)
      }
    }
    try {
      const scorer = new IntentScorer(solver.record, solver.hints, random)
      const query = scorer.query(intent)
      const [memory] = memories
      assert.ok(memory)
      const smallest = (): number => {
        const words = new Uint32Array(memory.buffer)
        let [run, different, longest] = [0, 0, 0]
        for (const word of words) {
          const small = word <= 21 || (word < 33550337 && word >= 33538049 - 21)
          run = small ? run + 1 : 0
          different = small ? different + (word === 0 ? 0 : 1) : 0
          if (run >= 512) longest = Math.max(longest, different)
        }
        return longest
      }
      assert.ok(smallest() < 256, `${smallest()} small words in a row`)
      scorer.decode(query, solver.answer(query.bytes))
      assert.ok(smallest() < 256)
    } finally {
      WebAssembly.Memory = Memory
    }
  })

  it('are not made of randomness that was cut', () => {
    const scorer = new IntentScorer(solver.record, solver.hints, (size) => random(size / 2))
    assert.throws(() => scorer.query(intent), { code: 'routing.malformed' })
    for (const change of [
      { dimensions: 129 },
      { dimensions: 0 },
      { count: 0 },
      { count: 2 ** 23 },
      { count: 0.5 },
      { root: new Uint8Array(31) },
    ])
      assert.throws(() => new IntentScorer({ ...solver.record, ...change }, solver.hints, random), { code: 'routing.malformed' })
  })
})

describe('judges', () => {
  it('do not convict a solver whose directory changed between two queries', () => {
    const next = buildDirectory(
      dimensions,
      rows.map((row, i) => (i === 3 ? rowOf(3) : row)),
    )
    const moving = new DirectorySolver(directory, seed)
    moving.update(next)
    const query = new IntentScorer(moving.record, moving.hints, random).query(intent).bytes
    // Signed under the record of the version before, this would be an answer to a query that honest solvers refuse.
    assert.throws(() => answerSigned(moving, record, query, domain, solverKey), { code: 'routing.directory-changed' })
  })

  it('are not stopped by evidence that is none', () => {
    const query = new IntentScorer(solver.record, solver.hints, random).query(intent).bytes
    const answer = lie(query)
    const items: readonly unknown[] = [
      ...[{}, { record: null, query, answer }, { record: {}, query, answer }, { record, query: null, answer }],
      ...[
        { record, query, answer: null },
        { record, query, answer: { bytes: null, claim: answer.claim } },
      ],
      ...[{ record: { ...record, document: null }, query, answer }],
    ]
    for (const item of items) assert.equal(judgeAnswer(item as never, solver, domain), 'unattributable')
    for (const item of [null, {}, { document: null }]) assert.equal(judgeRecord(item as never, directory, domain), 'unattributable')
    // The same root under other hints: the answer is true, the record is not.
    const other = signRecord({ ...solver.record, hintHashes: [random(32)] }, domain, solverKey)
    const true2 = answerSigned(solver, other, query, domain, solverKey)
    assert.equal(judgeAnswer({ record: other, query, answer: true2 }, solver, domain), 'true')
    assert.equal(judgeRecord(other, directory, domain), 'false')
  })
})

describe('directories and vectors', () => {
  it('prove no row that is another kind of object than it hashes as', () => {
    const proof = proveRow(directory, 5)
    const { row } = proof
    const fractions = { ...row, vector: Array.from(row.vector, (value, i) => (i === 0 ? value + 0.001 * Math.sign(value || 1) : value)) }
    const hostile: readonly unknown[] = [
      ...[{ ...proof, row: fractions }, { ...proof, row: null }, { ...proof, row: { ...row, vector: null } }, null, {}],
      ...[
        { ...proof, path: null },
        { ...proof, path: proof.path.map((hash) => Array.from(hash)) },
        { ...proof, path: {} },
      ],
      ...[
        { ...proof, count: Number.POSITIVE_INFINITY },
        { ...proof, count: 40.5 },
        { ...proof, index: 5 + 2 ** 32, count: 40 + 2 ** 32 },
      ],
      ...[{ ...proof, row: { ...row, worker: 'w'.repeat(32) } }],
    ]
    for (const [i, item] of hostile.entries()) assert.equal(verifyRow(item as never, directory.root, dimensions), false, `proof ${i}`)
    assert.throws(() => buildDirectory(dimensions, [{ ...row, vector: Array(128).fill(200) as never }]), { code: 'routing.vector-rule' })
    assert.throws(() => buildDirectory(dimensions, Array(2 ** 22 + 1).fill(null)), { code: 'routing.malformed' })
    // The root does not bind the count: the router does.
    const winner = { index: 5, score: row.vector.reduce((sum, value, j) => sum + value * (intent[j] ?? 0), 0) }
    const router = createRouter(honest)
    assert.ok(router.verifyWinner(intent, winner, proof))
    for (const count of [39, 41, 64]) assert.ok(!router.verifyWinner(intent, winner, { ...proof, count }))
  })

  it('are not downloaded with more rows than were committed', async () => {
    const fetchDirectory = async () => ({ ...directory, rows: Array(2 ** 21).fill(null) })
    await assert.rejects(createRouter(honest, { fetchDirectory }).query(intent, { k: 1, plan: 'download' }), {
      code: 'routing.directory-changed',
    })
  })

  it('come out of the smallest and the largest numbers there are', () => {
    const shape = Array.from({ length: 384 }, (_, i) => ((i * 37) % 101) - 50)
    const plain = quantizeVector(shape)
    for (const power of [-1060, -1022, -700, 400, 700, 1015]) {
      const vector = quantizeVector(shape.map((value) => value * 2 ** (power / 2) * 2 ** (power / 2)))
      assert.ok(vector.some((value) => value !== 0) && squaredNorm(vector) <= 1_000_000, `2^${power}`)
      if (power > -1022) assert.deepEqual(vector, plain, `2^${power}`)
    }
    assert.ok(squaredNorm(quantizeVector(Array(384).fill(5e-324))) > 900_000)
    assert.ok(squaredNorm(quantizeVector(Array(384).fill(Number.MAX_VALUE))) > 900_000)
    // Every entry rounds up: a norm of 990 becomes one above 1000.
    const rounding = Array.from({ length: 1024 }, (_, i) => (i < 2 ? 119.28 : 30.5001))
    const up = quantizeVector(rounding.map((value) => (value * 990) / Math.hypot(...rounding)))
    assert.ok(squaredNorm(up) <= 1_000_000)
    assert.throws(() => quantizeVector(new Float64Array(300_000).fill(1)), { code: 'routing.vector-rule' })
  })

  it('of texts full of combining marks are made in linear time', () => {
    // Without a limit on runs this takes minutes: normalising sorts every run by insertion.
    const text = `a${'\u0315\u0300'.repeat(300_000)} cat`
    assert.ok(squaredNorm(embedLexically(text, 384)) > 0)
    assert.deepEqual(embedLexically('e\u0301le\u0300ve', 384), embedLexically('\u00e9l\u00e8ve', 384))
  })

  it('have no score above the bound, where products are no longer exact', () => {
    const seeds = [random(32), random(32)]
    const vectors = seeds.map((s) => computeCheckVector(directory, s))
    const check = new ScoreCheck(seeds, vectors, 40)
    const scores = scoreInClear(directory, intent)
    assert.ok(check.accepts(intent, scores))
    for (const large of [1_000_001, -1_000_001, 2 ** 31 - 1, -(2 ** 31)]) assert.ok(!check.accepts(intent, scores.with(7, large)))
  })
})
