import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { encodeFrame, type Frame, maxFrameBytes, parseFrame, StreamError } from '@tacit/exchange'
import { parseHex, toHex } from '@tacit/protocol'
import fc from 'fast-check'

type Vector = { readonly name: string; readonly fields: Readonly<Record<string, unknown>>; readonly bytes: string }
const { frames } = JSON.parse(readFileSync(new URL('./vectors/frames.json', import.meta.url), 'utf8')) as {
  readonly frames: readonly Vector[]
}
const byteFields = new Set(['enc', 'attemptNonce', 'chunk', 'json'])

function frameOf({ fields }: Vector): Frame {
  const entries = Object.entries(fields).map(([key, value]) => [key, byteFields.has(key) ? parseHex(String(value), key) : value])
  return Object.fromEntries(entries) as Frame // the vectors are frames, written by this package
}

describe('frames on the wire', () => {
  for (const vector of frames) {
    it(`are as frozen: ${vector.name}`, () => {
      assert.equal(toHex(encodeFrame(frameOf(vector))), vector.bytes)
      const parsed = parseFrame(parseHex(vector.bytes, 'A vector'))
      const shown = Object.fromEntries(
        Object.entries(parsed).map(([key, value]) => [key, value instanceof Uint8Array ? toHex(value) : value]),
      )
      assert.deepEqual(shown, vector.fields)
    })
  }

  it('has a vector for every type', () => {
    assert.equal(new Set(frames.map(({ fields }) => fields['type'])).size, 12)
  })

  it('are refused when cut, lengthened, or of another version', () => {
    for (const { name, bytes } of frames) {
      const whole = parseHex(bytes, 'A vector')
      const free = /open$|cell|prekey$/.test(name) // these carry bytes of any length
      for (let length = 0; length < whole.length; length++)
        if (!free) assert.throws(() => parseFrame(whole.subarray(0, length)), StreamError, name)
      if (!free) assert.throws(() => parseFrame(Uint8Array.of(...whole, 0)), StreamError, name)
      assert.throws(() => parseFrame(Uint8Array.of(2, ...whole.subarray(1))), StreamError, name)
    }
    assert.throws(() => parseFrame(new Uint8Array(maxFrameBytes + 1)), StreamError)
  })

  it('never make garbage anything but a frame or a StreamError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 14 }), (bytes, type) => {
        const frame = Uint8Array.of(1, type, ...bytes)
        try {
          assert.deepEqual(encodeFrame(parseFrame(frame)), frame)
        } catch (error) {
          assert.ok(error instanceof StreamError, String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
