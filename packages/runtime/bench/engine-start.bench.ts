// How long until a language engine answers: start of the child process, loading, first token, tokens per second.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { openLlamaEngine } from '../src/node/llama-engine.ts'

const file = fileURLToPath(new URL('../../../zoo/language/babble-q8_0.gguf', import.meta.url))
const runs = 7

export async function run(report: (line: string) => void): Promise<Readonly<Record<string, number | null>>> {
  const opens: number[] = []
  const firsts: number[] = []
  const rates: number[] = []
  for (let i = 0; i < runs; i++) {
    const started = performance.now()
    await using engine = await openLlamaEngine({ file })
    opens.push(performance.now() - started)
    const asked = performance.now()
    let first = 0
    let tokens = 0
    for await (const event of engine.generate({ prompt: 'Once there was', maxTokens: 200, temperature: 2, seed: 1, stop: ['\u0000'] })) {
      first ||= performance.now() - asked
      if (event.type === 'end') tokens = event.completionTokens
    }
    firsts.push(first)
    rates.push(tokens / ((performance.now() - asked) / 1000))
    report(`run ${i + 1}: open ${opens.at(-1)?.toFixed(0)} ms, first token ${first.toFixed(1)} ms, ${rates.at(-1)?.toFixed(0)} tokens/s`)
  }
  const packageMs = packageStart()
  const open = median(opens)
  return {
    'open.p50_ms': open,
    'open.max_ms': Math.max(...opens),
    'first_token.p50_ms': median(firsts),
    'tokens.p50_per_s': median(rates),
    'package_open.p50_ms': packageMs,
    'open.package_speedup': packageMs / open,
  }
}

/** The same through the JavaScript of node-llama-cpp in a process of its own. */
function packageStart(): number {
  const script = `
    const { getLlama } = await import('node-llama-cpp')
    const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: 1 })
    const model = await llama.loadModel({ modelPath: ${JSON.stringify(file)}, useMmap: false })
    await model.createContext({ contextSize: 2048, batchSize: 128, threads: 1, flashAttention: false })
    process.exit(0)`
  const times = Array.from({ length: 3 }, () => {
    const started = performance.now()
    spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    })
    return performance.now() - started
  })
  return median(times)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
