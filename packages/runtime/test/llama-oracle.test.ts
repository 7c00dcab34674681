// The engine drives llama.cpp's binding itself; the JavaScript of node-llama-cpp is the oracle it must agree with.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { getLlama, type Llama, LlamaLogLevel } from 'node-llama-cpp'
import { openLlamaEngine } from '../src/node/llama-engine.ts'
import { collect, zooFile } from './language-zoo.ts'

const texts = ['Once there was', 'né€😀 \u0000\n\t“x” – ☀ 日本語', ' leading space', 'ÿ\u0080\u07ff\ufffd', '']

// Null leaves the top-k step out; 0 would sort all candidates, which changes which of them a seed picks.
const withoutTopK = null as unknown as number

describe('llama.cpp through our engine and through node-llama-cpp', () => {
  let llama: Llama
  before(async () => {
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error, maxThreads: 1 })
  })
  after(() => llama.dispose())

  for (const encoding of ['f16', 'q8_0', 'q4_0'] as const) {
    it(`agrees on ${encoding}: text round-trips, and greedy and sampled answers are the same bits`, async () => {
      const model = await llama.loadModel({ modelPath: zooFile(encoding), useMmap: false })
      const context = await model.createContext({ contextSize: 512, batchSize: 128, threads: 1, flashAttention: false })
      const sequence = context.getSequence()
      await using engine = await openLlamaEngine({ file: zooFile(encoding), contextTokens: 512 })
      try {
        for (const text of texts) {
          const tokens = model.tokenize(text)
          assert.deepEqual(tokens, [...Buffer.from(text)])
          assert.equal(model.detokenize(tokens), text)
          assert.equal(await engine.countTokens({ prompt: text }), tokens.length + 1)
        }
        const prompt = 'Once there was a '
        for (const sampling of [
          { temperature: 0, topP: 1, seed: 1 },
          { temperature: 1.1, topP: 1, seed: 77 },
          { temperature: 0.9, topP: 0.8, seed: 4_000_000_000 },
        ]) {
          await sequence.clearHistory()
          const expected: number[] = []
          const start = model.tokens.bos
          assert.ok(start !== null)
          for await (const token of sequence.evaluate([start, ...model.tokenize(prompt)], { ...sampling, topK: withoutTopK, minP: 0 })) {
            if (expected.push(token) >= 60) break
          }
          const answer = await collect(engine, { prompt, maxTokens: 60, ...sampling })
          assert.equal(answer.text, Buffer.from(expected).toString('utf8'), JSON.stringify(sampling))
        }
      } finally {
        await model.dispose()
      }
    })
  }
})
