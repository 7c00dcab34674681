import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseGgufHeader } from '@tacit/runtime'
import fc from 'fast-check'
import { shippedPlan, shippedShape } from '../config.ts'
import { documentTokens, drawBatch, drawCorpus, ignored } from '../corpus.ts'
import { drawDocument } from '../grammar.ts'
import { fromHalf, toHalf } from '../half.ts'
import { chatTemplate, contextTokens, modelFile } from '../model-file.ts'
import { tensorShapes } from '../parameters.ts'
import { notice } from '../publish.ts'
import { decodeTensor, encodeTensor } from '../quantise.ts'
import { mulberry32 } from '../random.ts'

describe('half precision', () => {
  it('is what Float16Array makes of every number, and comes back from every bit pattern', () => {
    const expected = new Float16Array(1)
    const bits = new Uint16Array(expected.buffer)
    const same = (value: number): void => {
      expected[0] = Math.fround(value)
      if (!Number.isNaN(value)) assert.equal(toHalf(value), bits[0], String(value))
    }
    fc.assert(fc.property(fc.float(), same), { numRuns: 3000 })
    fc.assert(fc.property(fc.float({ min: -1, max: 1 }), (value) => same(value * 2 ** -14)))
    for (let half = 0; half < 65_536; half++) {
      bits[0] = half
      assert.ok(Object.is(fromHalf(half), expected[0]))
      if (!Number.isNaN(expected[0])) assert.equal(toHalf(fromHalf(half)), half)
    }
  })
})

describe('the tensor encodings', () => {
  const weights = fc
    .array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 64, maxLength: 64 })
    .map((values) => Float32Array.from(values))

  it('lose no more than half a step of each block', () => {
    fc.assert(
      fc.property(weights, (values) => {
        for (const [encoding, bytes, levels] of [
          ['q8_0', 68, 127],
          ['q4_0', 36, 8],
        ] as const) {
          const encoded = encodeTensor(values, encoding)
          assert.equal(encoded.length, bytes)
          const decoded = decodeTensor(encoded, encoding)
          for (let block = 0; block < 64; block += 32) {
            const largest = values.subarray(block, block + 32).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
            // Half a step from rounding, and the scale itself is a half with 11 bits. The level -8 of q4_0 has no
            // counterpart, so the side away from the extreme may be off by a whole step.
            const step = largest / levels
            const bound = (encoding === 'q4_0' ? 1 : 0.5) * step + largest * 2 ** -10 + levels * 2 ** -24
            for (let i = block; i < block + 32; i++) assert.ok(Math.abs((values[i] ?? 0) - (decoded[i] ?? 0)) <= bound)
          }
        }
        assert.deepEqual(decodeTensor(encodeTensor(values, 'f32'), 'f32'), values)
        assert.deepEqual(
          decodeTensor(encodeTensor(values, 'f16'), 'f16'),
          Float32Array.from(values, (value) => fromHalf(toHalf(value))),
        )
      }),
    )
  })

  it('refuse rows that do not fill their blocks', () => {
    assert.throws(() => encodeTensor(new Float32Array(33), 'q8_0'), RangeError)
  })
})

describe('the shipped model', () => {
  const folder = new URL('../../../../zoo/language/', import.meta.url)
  const card = JSON.parse(readFileSync(new URL('card.json', folder), 'utf8'))

  it('is what its card says: bytes, sizes, shape and the notice that every face repeats', () => {
    assert.equal(card.notice, notice)
    assert.match(notice, /not an assistant/)
    assert.equal(card.files.length, 3)
    for (const { file, sha256, sizeBytes } of card.files) {
      const bytes = readFileSync(new URL(file, folder))
      assert.equal(bytes.length, sizeBytes)
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256)
      const parsed = parseGgufHeader(bytes)
      assert.ok(parsed.ok)
      const { metadata, tensors } = parsed.header
      assert.equal(tensors.length, tensorShapes(shippedShape).length)
      for (const [key, value] of [
        ['llama.context_length', contextTokens],
        ['llama.embedding_length', shippedShape.width],
        ['tokenizer.chat_template', chatTemplate],
      ] as const) {
        const entry = metadata.get(key)
        assert.equal(entry && 'value' in entry ? entry.value : undefined, value)
      }
    }
  })

  it('is written byte for byte by the writer here, from the weights of its f16 file', () => {
    const f16 = readFileSync(new URL('babble-f16.gguf', folder))
    const parsed = parseGgufHeader(f16)
    assert.ok(parsed.ok)
    const weights = parsed.header.tensors.flatMap((tensor) => {
      const count = tensor.shape.reduce((product, size) => product * size, 1)
      const encoding = tensor.type === 0 ? 'f32' : 'f16'
      const start = parsed.header.dataOffset + tensor.offset
      return [...decodeTensor(f16.subarray(start, start + count * (encoding === 'f32' ? 4 : 2)), encoding)]
    })
    assert.equal(weights.length, card.training.parameters)
    assert.deepEqual(Buffer.from(modelFile(shippedShape, Float32Array.from(weights), 'f16', 'tacit-babble-f16')), f16)
  })

  it('predicts held-out text far better than chance', () => {
    assert.ok(card.training.bitsPerByte < 0.5)
    for (const key of ['seed', 'trainingDocuments', 'heldOutDocuments'] as const) assert.equal(card.training[key], shippedPlan[key])
    assert.deepEqual(card.training.phases, shippedPlan.phases)
  })
})

describe('the training text', () => {
  it('is the same for the same seed, and no held-out document was trained on', () => {
    const plan = { seed: 3, trainingDocuments: 200, heldOutDocuments: 20 }
    assert.deepEqual(drawCorpus(plan), drawCorpus(plan))
    assert.notDeepEqual(drawCorpus({ ...plan, seed: 4 }).training.tokens, drawCorpus(plan).training.tokens)
    const { training, heldOut } = drawCorpus(plan)
    const documents = ({ tokens, starts }: typeof training): readonly string[] =>
      starts.map((start, i) => tokens.subarray(start, starts[i + 1] ?? tokens.length).join())
    const trained = new Set(documents(training))
    assert.ok(documents(heldOut).every((document) => !trained.has(document)))
  })

  it('is learned only where the model speaks for itself', () => {
    const { tokens, learned } = documentTokens([
      { role: 'system', text: 'S' },
      { role: 'user', text: 'Hé' },
      { role: 'assistant', text: 'A' },
    ])
    assert.deepEqual(tokens, [256, 260, 0x53, 258, 0x48, 0xc3, 0xa9, 259, 0x41, 257])
    assert.deepEqual(learned, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    const random = mulberry32(1)
    const corpus = drawCorpus({ seed: 1, trainingDocuments: 50, heldOutDocuments: 1 })
    const { inputs, targets } = drawBatch(corpus.training, random, { window: 64, batch: 4 })
    targets.forEach((target, n) => {
      if (target !== ignored && (n + 1) % 64 !== 0) assert.equal(target, inputs[n + 1])
    })
    assert.ok(targets.includes(ignored))
  })

  it('asks and answers in whole turns', () => {
    const random = mulberry32(2)
    for (let i = 0; i < 500; i++) {
      const roles = drawDocument(random).map(({ role }) => role)
      assert.match(roles.join(' '), /^(text|(system )?user assistant( user assistant)?)$/)
    }
  })
})
