import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ggufStrings, parseGgufHeader } from '../src/gguf.ts'
import { zooFile } from './language-zoo.ts'

const file = Uint8Array.from(readFileSync(zooFile('q4_0')))

function parsed() {
  const result = parseGgufHeader(file)
  assert.ok(result.ok)
  return result.header
}

describe('the GGUF header', () => {
  it('gives metadata, tokens and tensors of a real file', () => {
    const { version, metadata, tensors, dataOffset } = parsed()
    assert.equal(version, 3)
    assert.deepEqual(pick(metadata.get('general.architecture')), { kind: 'string', value: 'llama' })
    assert.deepEqual(pick(metadata.get('tokenizer.ggml.add_bos_token')), { kind: 'boolean', value: true })
    const tokens = metadata.get('tokenizer.ggml.tokens')
    assert.ok(tokens)
    assert.deepEqual(ggufStrings(file, tokens).slice(65, 68), ['A', 'B', 'C'])
    assert.deepEqual(tensors[0]?.shape, [64, 264])
    assert.ok(tensors.every((tensor) => dataOffset + tensor.offset < file.length))
  })

  it('asks for more when it is cut anywhere, and never throws', () => {
    const { dataOffset } = parsed()
    fc.assert(
      fc.property(fc.integer({ min: 4, max: dataOffset - 64 }), (length) => {
        const result = parseGgufHeader(file.subarray(0, length))
        assert.ok(!result.ok && result.more)
      }),
    )
  })

  it('survives flipped bytes and garbage with bounded work', () => {
    const header = file.subarray(0, 8000)
    const flips = fc.array(fc.tuple(fc.integer({ min: 0, max: header.length - 1 }), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    })
    const started = performance.now()
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = header.slice()
        for (const [at, mask] of changes) bytes[at] = (bytes[at] ?? 0) ^ mask
        parseGgufHeader(bytes)
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => void parseGgufHeader(Uint8Array.from([...file.subarray(0, 8), ...noise]))),
    )
    assert.ok(performance.now() - started < 20_000)
  })

  it('does not believe absurd counts', () => {
    for (const count of [2 ** 32, 2 ** 52, 2 ** 63]) {
      for (const at of [8, 16]) {
        const bytes = file.slice(0, 4000)
        new DataView(bytes.buffer).setBigUint64(at, BigInt(count), true)
        const result = parseGgufHeader(bytes)
        assert.ok(!result.ok && !result.more)
      }
    }
    assert.equal(parseGgufHeader(new TextEncoder().encode('not a model at all, just text')).ok, false)
  })
})

function pick(value: { readonly kind: string; readonly value?: unknown } | undefined): unknown {
  return { kind: value?.kind, value: value?.value }
}
