// Encrypted scoring of a whole directory, against slot-packed BFV in SEAL in the same process. CPU milliseconds, medians.
import { randomBytes } from 'node:crypto'
import type { Metrics } from '../../../tools/bench.ts'
import {
  breakEvenQueries,
  buildDirectory,
  computeCheckVector,
  type DirectoryRow,
  DirectorySolver,
  IntentScorer,
  quantizeVector,
  referenceSeed,
  ScoreCheck,
  scoreInClear,
} from '../src/index.ts'
import { benchLexical } from './lexical.ts'
import { scoreWithSeal } from './seal-scores.ts'

const dimensions = 384
const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

function cpu<T>(run: () => T): readonly [number, T] {
  const start = process.cpuUsage()
  const value = run()
  const used = process.cpuUsage(start)
  return [(used.user + used.system) / 1000, value]
}

let state = 99
const uniform = (): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) / 2 ** 32
}
const gaussian = (): number => Math.sqrt(-2 * Math.log(uniform() + 1e-12)) * Math.cos(2 * Math.PI * uniform())
const centres = Array.from({ length: 100 }, () => Float64Array.from({ length: dimensions }, gaussian))
const clustered = (): Int8Array => {
  const centre = centres[Math.floor(uniform() * centres.length)] ?? new Float64Array(dimensions)
  return quantizeVector(centre.map((value) => value + gaussian()))
}

function measure(count: number, queries: number, report: (line: string) => void) {
  const rows: DirectoryRow[] = Array.from({ length: count }, (_, i) => {
    const worker = new Uint8Array(32)
    new DataView(worker.buffer).setUint32(0, i)
    return { worker, vector: clustered(), cardHash: new Uint8Array(32) }
  })
  const directory = buildDirectory(dimensions, rows)
  const seed = referenceSeed({ chainId: 1n, beacon: new Uint8Array(32) })
  const [prepareMs, solver] = cpu(() => new DirectorySolver(directory, seed))
  const [openMs, scorer] = cpu(() => new IntentScorer(solver.record, solver.hints, random))
  const seeds = [random(32), random(32)]
  const [weighMs, vectors] = cpu(() => seeds.map((s) => computeCheckVector(directory, s)))
  const check = new ScoreCheck(seeds, vectors, count)
  const times: { [name: string]: number[] } = { query: [], answer: [], decode: [], check: [] }
  let [exact, total, accepted, up, down] = [0, 0, 0, 0, 0]
  for (let i = 0; i < queries + 2; i++) {
    const intent = clustered()
    const [queryMs, query] = cpu(() => scorer.query(intent))
    const [answerMs, answer] = cpu(() => solver.answer(query.bytes))
    const [decodeMs, scores] = cpu(() => scorer.decode(query, answer))
    const [checkMs, fine] = cpu(() => check.accepts(intent, scores))
    const expected = scoreInClear(directory, intent)
    exact += scores.filter((score, row) => score === expected[row]).length
    total += count
    accepted += fine ? 1 : 0
    ;[up, down] = [query.bytes.length, answer.length]
    if (i < 2) continue
    for (const [name, ms] of Object.entries({ query: queryMs, answer: answerMs, decode: decodeMs, check: checkMs })) times[name]?.push(ms)
  }
  const at = (name: string): number => median(times[name] ?? [])
  const clientMs = at('query') + at('decode') + at('check')
  const blocks = Math.ceil(count / 2048)
  report(
    `${count} rows: solver ${round(at('answer'))} ms, client ${round(clientMs)} ms, ${exact} of ${total} scores exact, ${accepted} of ${queries + 2} accepted`,
  )
  return {
    metrics: {
      solver_ms: round(at('answer')),
      client_ms: round(clientMs),
      encrypt_ms: round(at('query')),
      decode_ms: round(at('decode')),
      up_bytes: up,
      down_bytes: down,
      hint_bytes: solver.hints.length,
      open_ms: round(openMs),
      exact_fraction: exact / total,
      accepted_fraction: accepted / (queries + 2),
      weigh_ms: round(weighMs / 2),
    },
    prepareBlockMs: prepareMs / blocks,
    verifyMicroseconds: at('check') * 1000,
    directory,
  }
}

export async function run(report: (line: string) => void): Promise<Metrics> {
  const small = measure(10_000, 11, report)
  const seal = await scoreWithSeal(small.directory.table, dimensions, report)
  const large = measure(100_000, 5, report)
  const shard = large.metrics
  return {
    ...prefix('n10k', small.metrics),
    'n10k.seal_bfv_ms': round(seal.ms),
    'n10k.seal_bfv_speedup': round(seal.ms / small.metrics.solver_ms),
    'n10k.seal_bfv_exact_fraction': seal.exactFraction,
    ...prefix('n100k', large.metrics),
    'verify.us': round(small.verifyMicroseconds),
    'prepare_block.ms': round(small.prepareBlockMs),
    ...benchLexical(report),
    breakeven_queries_int8: round(breakEvenQueries(10_000, dimensions), 1),
    // Ten shards of 100,000 rows, each on a machine of its own; bytes and client time add up, solver time is that of one shard.
    'n1m_projected.solver_ms_per_shard': shard.solver_ms,
    'n1m_projected.solver_cpu_ms': round(10 * shard.solver_ms),
    'n1m_projected.client_ms': round(shard.encrypt_ms + 10 * (shard.client_ms - shard.encrypt_ms)),
    'n1m_projected.down_bytes': 10 * shard.down_bytes,
    'n1m_projected.hint_bytes': 10 * shard.hint_bytes,
  }
}

function prefix(name: string, values: Readonly<Record<string, number>>): Metrics {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]))
}
