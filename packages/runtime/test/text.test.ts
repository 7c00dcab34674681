import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatProfile } from '../src/profile.ts'
import { stopText } from '../src/stop-text.ts'
import { wholeText } from '../src/whole-text.ts'

const decodeBytes = (tokens: readonly number[]): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(tokens))

describe('whole characters', () => {
  it('gives back any text that arrives byte by byte, and never half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const whole = wholeText(decodeBytes)
        const pieces = [...new TextEncoder().encode(text)].map((byte) => whole.push(byte))
        pieces.push(whole.end())
        // A lone surrogate has no UTF-8; the encoder replaces it, and so must we.
        assert.equal(pieces.join(''), text.toWellFormed())
        for (const piece of pieces) assert.ok(piece.isWellFormed())
      }),
    )
  })

  it('replaces bytes that are not UTF-8 and keeps every character around them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(0x80, 0xe2, 0xf0, 0xff, 0xc3), fc.constantFrom(...new TextEncoder().encode('a€é😀')))),
        (bytes) => {
          const whole = wholeText(decodeBytes)
          const text = bytes.map((byte) => whole.push(byte)).join('') + whole.end()
          const reference = decodeBytes(bytes)
          assert.equal(text.replaceAll('\uFFFD', ''), reference.replaceAll('\uFFFD', ''))
        },
      ),
    )
  })
})

describe('stop strings', () => {
  it('cut at the first occurrence, however the text is split', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'c')),
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 }), { maxLength: 3 }),
        (pieces, stops) => {
          const whole = pieces.join('')
          const found = stops.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0)
          const stopper = stopText(stops)
          let seen = ''
          let stopped = false
          for (const piece of pieces) {
            const result = stopper.push(piece)
            seen += result.text
            stopped = result.stopped
            if (stopped) break
          }
          if (!stopped) seen += stopper.end()
          assert.equal(stopped, found.length > 0)
          // When two stop strings overlap, whichever is complete first ends the answer.
          if (found.length === 0) assert.equal(seen, whole)
          else for (const stop of stops) assert.ok(!seen.includes(stop))
          assert.ok(whole.startsWith(seen))
        },
      ),
    )
  })
})

describe('the profile line', () => {
  it('keeps one field one field, whatever a value holds', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const line = formatProfile({ engine: a, build: b })
        assert.equal(line.split(';').length, 3)
        assert.equal(line.split('=').length, 3)
        assert.ok(!/\s/.test(line))
      }),
    )
  })
})
