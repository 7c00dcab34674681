import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { RuntimeError } from '../src/errors.ts'
import { type LlamaEngine, openLlamaEngine } from '../src/node/llama-engine.ts'
import { openPinned } from '../src/node/pinned-file.ts'
import { collect, languageCard, zooFile } from './language-zoo.ts'

const folder = mkdtempSync(join(tmpdir(), 'tacit-runtime-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RuntimeError).code === code

/** Greedy, this is a whole tale: far longer than what may be under way to a consumer that has not read on. */
const long = { prompt: 'Once there was', maxTokens: 1900, temperature: 0, seed: 5 } as const

/** Generates until some text has arrived, then does something to the child, then reads on. */
async function disturb(engine: LlamaEngine, what: (pid: number) => void): Promise<void> {
  let disturbed = false
  for await (const event of engine.generate(long)) {
    if (event.type === 'text' && !disturbed) {
      disturbed = true
      what(engine.childPid ?? 0)
    }
  }
}

describe('a llama.cpp process that dies or hangs', () => {
  it('fails the running job with a named error, serves the queued one after a restart, and gives the same answers again', async () => {
    await using engine = await openLlamaEngine({ file: zooFile('q4_0'), restartDelayMs: 10 })
    const request = { prompt: 'Once', maxTokens: 30, temperature: 0.9, seed: 4 } as const
    const before = await collect(engine, request)
    const failing = disturb(engine, (pid) => process.kill(pid, 'SIGKILL'))
    failing.catch(() => {})
    const queued = collect(engine, request)
    await assert.rejects(failing, hasCode('runtime.engine-crashed'))
    assert.deepEqual(await queued, before)
    assert.deepEqual(await engine.health(), { status: 'ready', running: 0, queued: 0, restarts: 1 })
  })

  it('kills and replaces a process that shows no progress', async () => {
    await using engine = await openLlamaEngine({ file: zooFile('q4_0'), restartDelayMs: 10, stallTimeoutMs: 1200 })
    await assert.rejects(
      disturb(engine, (pid) => process.kill(pid, 'SIGSTOP')),
      hasCode('runtime.engine-hung'),
    )
    assert.ok((await collect(engine, { ...long, maxTokens: 5 })).end)
    assert.equal((await engine.health()).restarts, 1)
  })

  it('kills a process that does not stop when a request is cancelled', async () => {
    await using engine = await openLlamaEngine({ file: zooFile('q4_0'), restartDelayMs: 10, cancelTimeoutMs: 200 })
    for await (const event of engine.generate(long)) {
      assert.equal(event.type, 'text')
      process.kill(engine.childPid ?? 0, 'SIGSTOP')
      break
    }
    assert.ok((await collect(engine, { ...long, maxTokens: 5 })).end)
    assert.equal((await engine.health()).restarts, 1)
  })

  it('does not come back with other weights: a replaced file is a failed engine that says so', async () => {
    const file = join(folder, 'replaced.gguf')
    copyFileSync(zooFile('q4_0'), file)
    await using engine = await openLlamaEngine({ file, restartDelayMs: 10 })
    copyFileSync(zooFile('q8_0'), file)
    await assert.rejects(
      disturb(engine, (pid) => process.kill(pid, 'SIGKILL')),
      hasCode('runtime.engine-crashed'),
    )
    await assert.rejects(collect(engine, long), hasCode('runtime.digest-mismatch'))
    assert.equal((await engine.health()).status, 'failed')
  })

  it('leaves no process behind when it is closed, and rejects what was running', async () => {
    const engine = await openLlamaEngine({ file: zooFile('q4_0') })
    const pid = engine.childPid ?? 0
    const running = collect(engine, long)
    running.catch(() => {})
    await engine[Symbol.asyncDispose]()
    await assert.rejects(running, hasCode('runtime.engine-closed'))
    await assert.rejects(collect(engine, long), hasCode('runtime.engine-closed'))
    assert.ok(await gone(pid))
  })

  it('never outlives its parent, not even one that is killed with SIGKILL', async () => {
    const script = join(folder, 'parent.ts')
    const module = new URL('../src/node/llama-engine.ts', import.meta.url).href
    writeFileSync(
      script,
      `import { openLlamaEngine } from '${module}'
       const engine = await openLlamaEngine({ file: ${JSON.stringify(zooFile('q4_0'))} })
       console.log(engine.childPid)
       for await (const event of engine.generate(${JSON.stringify(long)})) void event
       setInterval(() => {}, 1000)`,
    )
    const parent = spawn(process.execPath, ['--conditions=tacit-source', '--no-warnings', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (line) => resolve(Number(String(line)))))
    assert.ok(pid > 0)
    process.kill(pid, 0)
    parent.kill('SIGKILL')
    assert.ok(await gone(pid))
  })
})

describe('a model file that is not what it should be', () => {
  const opens = (file: string, options: { readonly digest?: `sha256:${string}` } = {}) =>
    openLlamaEngine({ file, ...options, startTimeoutMs: 20_000 })

  it('is refused with a named error: missing, empty, a folder, text, cut, or broken', async () => {
    const good = readFileSync(zooFile('q4_0'))
    const write = (name: string, bytes: Uint8Array | string): string => {
      const file = join(folder, name)
      writeFileSync(file, bytes)
      return file
    }
    await assert.rejects(opens(join(folder, 'nowhere.gguf')), hasCode('runtime.model-not-found'))
    await assert.rejects(opens(folder), hasCode('runtime.model-not-found'))
    const brokenTensor = Uint8Array.from(good)
    const at = good.indexOf('blk.0.attn_q.weight')
    brokenTensor[at] = 0x78
    const cases: readonly (readonly [string, Uint8Array | string])[] = [
      ['empty.gguf', ''],
      ['text.gguf', 'This is not a model.'],
      ['header-only.gguf', good.subarray(0, 24)],
      ['cut-metadata.gguf', good.subarray(0, 1000)],
      ['cut-weights.gguf', good.subarray(0, good.length - 20_000)],
      ['wrong-tensor.gguf', brokenTensor],
    ]
    for (const [name, bytes] of cases) await assert.rejects(opens(write(name, bytes)), hasCode('runtime.model-malformed'), name)
  })

  it('is refused when its digest is not the pinned one', async () => {
    const digest = `sha256:${languageCard.files[0]?.sha256}` as const
    await assert.rejects(opens(zooFile('q4_0'), { digest }), (error: RuntimeError & { expected?: string }) => {
      assert.equal(error.code, 'runtime.digest-mismatch')
      assert.equal(error.expected, digest)
      return true
    })
  })

  it('is noticed when it is written to after it was hashed, and not followed when its path is', async () => {
    const file = join(folder, 'pinned.gguf')
    copyFileSync(zooFile('q4_0'), file)
    await using moved = await openPinned(file)
    copyFileSync(zooFile('q8_0'), join(folder, 'other.gguf'))
    renameSync(join(folder, 'other.gguf'), file)
    if (process.platform === 'linux') assert.deepEqual(readFileSync(moved.loadPath), readFileSync(zooFile('q4_0')))
    else assert.equal(await moved.unchanged(), false)

    await using written = await openPinned(file)
    assert.equal(await written.unchanged(), true)
    const bytes = readFileSync(file)
    bytes[bytes.length - 1] = 0xff ^ (bytes[bytes.length - 1] ?? 0)
    writeFileSync(file, bytes)
    assert.equal(await written.unchanged(), false)
  })
})

async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}
