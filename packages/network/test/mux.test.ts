import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAddress, TacitError, toHex } from '@tacit/protocol'
import fc from 'fast-check'
import { encodeMux, type MuxMessage, parseMux } from '../src/relay/mux.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const messages: fc.Arbitrary<MuxMessage> = fc.oneof(
  fc.record({ type: fc.constant('challenge' as const), nonce: bytes(32) }),
  fc.record({
    type: fc.constant('proof' as const),
    worker: bytes(20).map((address) => parseAddress(toHex(address))),
    signature: bytes(65),
  }),
  fc.record({ type: fc.constant('accepted' as const), heartbeatMs: u32 }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const) }),
  fc.record({ type: fc.constant('open' as const), id: u32 }),
  fc.record({ type: fc.constant('data' as const), id: u32, payload: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({
    type: fc.constant('close' as const),
    id: u32,
    code: fc.integer({ min: 0, max: 65_535 }),
    reason: fc.string({ unit: 'grapheme-ascii', maxLength: 120 }),
  }),
)

describe('relay messages', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const parsed = parseMux(encodeMux(message))
        assert.deepEqual('payload' in parsed ? { ...parsed, payload: Uint8Array.from(parsed.payload) } : parsed, { ...message })
      }),
    )
  })

  it('are refused by name when they are anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 160 }), (garbage) => {
        try {
          const message = parseMux(garbage)
          // What parses has exactly one encoding, reasons that are not UTF-8 aside.
          if (message.type !== 'close') assert.deepEqual(encodeMux(message), garbage)
        } catch (error) {
          assert.ok(error instanceof TacitError)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
