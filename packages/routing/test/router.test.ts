// The router against solvers and checkers that lie, and what their signatures are worth to a stranger.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { createSigner, parseAddress, type SigningDomain } from '@tacit/protocol'
import {
  answerSigned,
  buildDirectory,
  type CheckerConnection,
  type CheckSeed,
  chooseRoutePlan,
  computeCheckVector,
  type DirectoryRow,
  DirectorySolver,
  IntentScorer,
  judgeAnswer,
  judgeCheckVector,
  judgeRecord,
  proveRow,
  quantizeVector,
  Router,
  type RouterOptions,
  referenceSeed,
  routingSizes,
  type SignedCheckVector,
  type SolverConnection,
  scoreInClear,
  signCheckVector,
  signRecord,
} from '../src/index.ts'
import { range } from '../src/internal/at.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const dimensions = 256
const gaussian = (): number => Math.sqrt(-2 * Math.log(Math.random() + 1e-12)) * Math.cos(2 * Math.PI * Math.random())
const randomVector = (): Int8Array => quantizeVector(Array.from({ length: dimensions }, gaussian))
const rowOf = (index: number): DirectoryRow => ({
  worker: new Uint8Array(32).fill(index),
  vector: randomVector(),
  cardHash: new Uint8Array(32).fill(index),
})
const rows = range(700).map((i) => (i === 7 ? null : rowOf(i)))
const directory = buildDirectory(dimensions, rows)
const seed = referenceSeed({ chainId: 4_294_967_299n, beacon: new Uint8Array(32).fill(9) })
const solver = new DirectorySolver(directory, seed)
const domain: SigningDomain = { chainId: 4_294_967_299n, contract: parseAddress(`0x${'c0'.repeat(20)}`) }
const [solverKey, ...others] = [1, 2, 3].map((byte) => createSigner(new Uint8Array(32).fill(byte)))
const [firstKey, secondKey] = others
assert.ok(solverKey && firstKey && secondKey)
const checkerKeys = [firstKey, secondKey] as const
const record = signRecord(solver.record, domain, solverKey)

/** A solver that signs whatever it answers. */
function connectTo(answer: (query: Uint8Array) => Uint8Array): SolverConnection {
  assert.ok(solverKey)
  const key = solverKey
  return {
    address: key.address,
    record,
    // Only the bytes come from elsewhere: the signature covers them as it covers honest ones.
    answer: async (query) => answerSigned({ answer, root: directory.root } as unknown as DirectorySolver, record, query, domain, key),
  }
}

const honestCheckers: readonly CheckerConnection[] = checkerKeys.map((key) => ({
  address: key.address,
  weigh: async (s) => signCheckVector(directory.root, s, computeCheckVector(directory, s), domain, key),
}))

describe('the router', () => {
  const intent = randomVector()
  const best = Array.from(scoreInClear(directory, intent), (score, index) => ({ score, index })).sort(
    (a, b) => b.score - a.score || a.index - b.index,
  )
  const createRouter = (change: Partial<RouterOptions> = {}): Router =>
    new Router({
      committed: solver.record,
      domain,
      hints: solver.hints,
      random,
      solver: connectTo(solver.answer.bind(solver)),
      checkers: honestCheckers,
      use: { queries: 1, versions: 1, hours: 1, changedBytesPerHour: 0 },
      ...change,
    })

  it('ranks by exact scores and verifies the winner under the root', async () => {
    const router = createRouter()
    const { ranking, plan } = await router.query(intent, { k: 5 })
    assert.deepEqual(ranking, best.slice(0, 5))
    assert.equal(plan.plan, 'encrypted')
    const [winner] = ranking
    assert.ok(winner)
    assert.ok(router.verifyWinner(intent, winner, proveRow(directory, winner.index)))
    assert.ok(!router.verifyWinner(intent, { ...winner, score: winner.score + 1 }, proveRow(directory, winner.index)))
    assert.ok(!router.verifyWinner(intent, winner, proveRow(directory, winner.index + 1)))
  })

  it('scores locally when it holds the table, and asks nobody', async () => {
    const router = createRouter({
      directory,
      solver: connectTo(() => assert.fail('asked')),
    })
    const { ranking, plan } = await router.query(intent, { k: 3 })
    assert.deepEqual(ranking, best.slice(0, 3))
    assert.equal(plan.plan, 'download')
  })

  it('downloads only what hashes to the root, and refuses rather than go another way', async () => {
    const none = createRouter()
    await assert.rejects(none.query(intent, { k: 1, plan: 'download' }), { code: 'routing.malformed' })
    const other = buildDirectory(
      dimensions,
      rows.map((row, i) => (i === 100 ? rowOf(100) : row)),
    )
    const forged = createRouter({ fetchDirectory: async () => ({ ...other, root: directory.root }) })
    await assert.rejects(forged.query(intent, { k: 1, plan: 'download' }), { code: 'routing.directory-changed' })
    const honest = createRouter({ fetchDirectory: async () => directory })
    assert.deepEqual((await honest.query(intent, { k: 4, plan: 'download' })).ranking, best.slice(0, 4))
  })

  it('refuses a solver that lies, the same way for every kind of lie, within its budget', async () => {
    const changedRows = rows.map((row, i) => (i === 100 ? rowOf(100) : row))
    const otherSolver = new DirectorySolver(buildDirectory(dimensions, changedRows), seed)
    const reroot = (bytes: Uint8Array, root: Uint8Array): Uint8Array => {
      const copy = bytes.slice()
      copy.set(root, 8)
      return copy
    }
    let earlier: Uint8Array | undefined
    const lies: readonly ((query: Uint8Array) => Uint8Array)[] = [
      (query) => solver.answer(query).map((byte, i) => (i === 500 ? byte ^ 4 : byte)),
      (query) => solver.answer(query).fill(0, 400, 500),
      (query) => solver.answer(query).slice(0, -1),
      (query) => reroot(otherSolver.answer(reroot(query, otherSolver.record.root)), solver.record.root),
      (query) => (earlier ??= solver.answer(query)),
      () => new Uint8Array(10),
    ]
    for (const [i, lie] of lies.entries()) {
      let [lying, asked] = [false, 0]
      const answer = (query: Uint8Array): Uint8Array => {
        asked++
        if (i === 4 && earlier === undefined) earlier = solver.answer(query)
        return lying ? lie(query) : solver.answer(query)
      }
      const router = createRouter({ solver: connectTo(answer) })
      await router.query(randomVector(), { k: 1 })
      assert.equal(router.takeEvidence().length, 0)
      lying = true
      const before = asked
      for (const left of [1, 0])
        await assert.rejects(router.query(intent, { k: 1 }), { code: 'routing.scores-refused', rejectsLeft: left }, `lie ${i}`)
      await assert.rejects(router.query(intent, { k: 1 }), { code: 'routing.reject-budget' })
      assert.equal(asked, before + 2, 'nothing was sent after a refusal')
      const evidence = router.takeEvidence()
      assert.equal(evidence.length, 2)
      for (const item of evidence) assert.equal(judgeAnswer(item, solver, domain), 'false', `lie ${i}`)
      assert.equal(router.takeEvidence().length, 0)
      for (const _ of range(2)) await assert.rejects(router.query(randomVector(), { k: 1 }), { code: 'routing.scores-refused' })
      await assert.rejects(router.query(randomVector(), { k: 1 }), { code: 'routing.reject-budget' })
      router.newDay()
      lying = false
      assert.equal((await router.query(intent, { k: 1 })).ranking.length, 1)
    }
  })

  it('finds a lying checker with random intents, before a real one is at stake', async () => {
    const statements: [CheckSeed, SignedCheckVector][] = []
    const lying: CheckerConnection = {
      address: checkerKeys[1].address,
      weigh: async (s) => {
        const [first, second] = computeCheckVector(directory, s)
        // Accepted only for intents whose coordinate 7 is zero: a guess about the intent.
        first[7] = ((first[7] ?? 0n) + 1n) % 2147483647n
        second[7] = ((second[7] ?? 0n) + 1n) % 2147483629n
        const signed = signCheckVector(directory.root, s, [first, second], domain, checkerKeys[1])
        statements.push([s, signed])
        return signed
      },
    }
    let refused = 0
    for (const _ of range(5)) {
      const router = createRouter({ checkers: [honestCheckers[0] ?? lying, lying] })
      await router.query(intent, { k: 1 }).catch((error: { code: string }) => {
        assert.equal(error.code, 'routing.scores-refused')
        refused++
      })
    }
    assert.equal(refused, 5)
    for (const [checkSeed, signed] of statements) {
      assert.equal(judgeCheckVector(signed, checkSeed, directory, domain), 'false')
      assert.equal(judgeCheckVector(signed, random(32), directory, domain), 'unattributable')
    }
  })

  it('wants two checkers besides the solver', () => {
    const [first, second] = honestCheckers
    assert.ok(first && second)
    const lists = [[], [second], [first, second, { ...second, address: solverKey.address }], [second, second]]
    for (const checkers of lists) assert.throws(() => createRouter({ checkers }), { code: 'routing.checkers' })
  })

  it('chooses by bytes and says why', () => {
    const use = { versions: 1, hours: 0, changedBytesPerHour: 0 }
    assert.equal(chooseRoutePlan(10_000, 384, { ...use, queries: 1 }).plan, 'encrypted')
    assert.equal(chooseRoutePlan(10_000, 384, { ...use, queries: 1000 }).plan, 'download')
    assert.equal(chooseRoutePlan(100, 384, { ...use, queries: 1 }).plan, 'download')
    const { up, down, hint } = routingSizes(10_000, 384)
    assert.ok(up <= 68_000 && down <= 30_000 && hint <= 41_000)
  })
})

describe('signed statements', () => {
  const other = createSigner(new Uint8Array(32).fill(4))
  const honestQuery = (): Uint8Array => new IntentScorer(solver.record, solver.hints, random).query(randomVector()).bytes

  it('are refused without a query when the record is of another signer, version, size or reference string', () => {
    const options = {
      ...{ committed: solver.record, domain, hints: solver.hints, random, checkers: honestCheckers },
      use: { queries: 1, versions: 1, hours: 1, changedBytesPerHour: 0 },
    }
    const served = connectTo(solver.answer.bind(solver))
    assert.ok(new Router({ ...options, solver: served }))
    const zero = new Uint8Array(32)
    const committed = [
      { ...solver.record, root: zero },
      { ...solver.record, count: 701 },
      { ...solver.record, dimensions: 384 },
      { ...solver.record, referenceSeed: zero },
    ]
    for (const version of committed)
      assert.throws(() => new Router({ ...options, solver: served, committed: version }), { code: 'routing.record-refused' })
    const foreign = [
      signRecord(solver.record, domain, other),
      signRecord(solver.record, { ...domain, chainId: 1n }, solverKey),
      { ...record, document: { ...record.document, count: 699 } },
      { ...record, signature: '0x' as const },
    ]
    for (const wrong of foreign)
      assert.throws(() => new Router({ ...options, solver: { ...served, record: wrong } }), { code: 'routing.record-refused' })
  })

  it('are judged by re-execution, and count against nobody when the signature does not say it', () => {
    const query = honestQuery()
    const honest = answerSigned(solver, record, query, domain, solverKey)
    const evidence = { record, query, answer: honest }
    assert.equal(judgeAnswer(evidence, solver, domain), 'true')
    const lie = answerSigned(
      { answer: () => honest.bytes.map((b, i) => (i === 99 ? b ^ 1 : b)), root: directory.root } as unknown as DirectorySolver,
      record,
      query,
      domain,
      solverKey,
    )
    assert.equal(judgeAnswer({ ...evidence, answer: lie }, solver, domain), 'false')
    // A solver that signs an answer to what is no query lies too: honest ones refuse it.
    const nonsense = answerSigned(
      { answer: () => honest.bytes, root: directory.root } as unknown as DirectorySolver,
      record,
      random(10),
      domain,
      solverKey,
    )
    assert.equal(judgeAnswer({ ...evidence, answer: nonsense }, solver, domain), 'unattributable')
    const framed = [
      { ...evidence, answer: { ...honest, bytes: lie.bytes } },
      { ...evidence, query: query.map((b, i) => (i === 50 ? b ^ 1 : b)) },
      { ...evidence, record: signRecord(solver.record, domain, other) },
      { ...evidence, answer: answerSigned(solver, record, query, domain, other) },
      { ...evidence, answer: answerSigned(solver, record, query, { ...domain, chainId: 1n }, solverKey) },
    ]
    for (const [i, item] of framed.entries()) assert.equal(judgeAnswer(item, solver, domain), 'unattributable', `frame ${i}`)
  })

  it('convict a solver whose hints are stale although it signed them', () => {
    const stale = { ...solver.record, hintHashes: solver.record.hintHashes.map((value) => value.map((byte) => byte ^ 1)) }
    assert.equal(judgeRecord(record, directory, domain), 'true')
    assert.equal(judgeRecord(signRecord(stale, domain, solverKey), directory, domain), 'false')
    assert.equal(judgeRecord(record, buildDirectory(dimensions, rows.slice(1)), domain), 'unattributable')
    assert.equal(judgeRecord({ ...record, signature: '0x' }, directory, domain), 'unattributable')
  })

  it('make an unsigned answer worth as much as a false one, and leave no evidence', async () => {
    const unsigned = connectTo(solver.answer.bind(solver))
    let lying = false
    const router = new Router({
      ...{ committed: solver.record, domain, hints: solver.hints, random, checkers: honestCheckers },
      solver: {
        ...unsigned,
        answer: async (query) => (lying ? answerSigned(solver, record, query, domain, other) : unsigned.answer(query)),
      },
      use: { queries: 1, versions: 1, hours: 1, changedBytesPerHour: 0 },
    })
    await router.query(randomVector(), { k: 1 })
    lying = true
    await assert.rejects(router.query(randomVector(), { k: 1 }), { code: 'routing.scores-refused' })
    assert.deepEqual(router.takeEvidence(), [])
  })
})
