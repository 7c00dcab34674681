// Mutated model files through the real loader: each is refused by name or opens, within bounded time. A file that crashes
// native code must cost nothing but its own child.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { RuntimeError } from '../src/errors.ts'
import { parseGgufHeader } from '../src/gguf.ts'
import { openLlamaEngine } from '../src/node/llama-engine.ts'
import { collect, zooFile } from './language-zoo.ts'

const folder = mkdtempSync(join(tmpdir(), 'tacit-garbage-'))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('mutated GGUF files', () => {
  it('are opened or refused by name', async () => {
    const good = readFileSync(zooFile('q4_0'))
    const parsed = parseGgufHeader(good)
    assert.ok(parsed.ok)
    let state = 12345
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state % below
    }
    const outcomes: Record<string, number> = {}
    for (let i = 0; i < 80; i++) {
      const bytes = Uint8Array.from(good)
      const reach = i % 4 === 3 ? bytes.length : parsed.header.dataOffset
      for (let k = 0; k <= i % 5; k++) bytes[random(reach)] = random(256)
      const file = join(folder, `${i}.gguf`)
      writeFileSync(file, i % 10 === 9 ? bytes.subarray(0, random(bytes.length)) : bytes)
      const started = performance.now()
      const outcome = await openLlamaEngine({ file, startTimeoutMs: 20_000, stallTimeoutMs: 10_000 }).then(
        async (engine) => {
          await using held = engine
          return await collect(held, { prompt: 'Once', maxTokens: 3, temperature: 0, seed: 1 }).then(
            () => 'opened',
            (error: RuntimeError) => error.code,
          )
        },
        (error: RuntimeError) => error.code,
      )
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      assert.ok(performance.now() - started < 25_000)
      rmSync(file)
    }
    console.log(outcomes)
    const allowed = ['opened', 'runtime.model-malformed', 'runtime.engine-start', 'runtime.engine-crashed', 'runtime.engine-failed']
    assert.deepEqual(
      Object.keys(outcomes).filter((outcome) => !allowed.includes(outcome)),
      [],
    )
  })
})
