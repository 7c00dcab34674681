import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { canonicalBytes, canonicalJson, type Json, MalformedError, parseHex, parseJson, utf8 } from '@tacit/protocol'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import aci from './vectors/aci.json' with { type: 'json' }
import rfc8785 from './vectors/rfc8785.json' with { type: 'json' }

const malformed = { code: 'protocol.malformed' }
const decode = (hex: string) => new TextDecoder().decode(parseHex(hex, 'A vector'))

describe('canonical JSON', () => {
  for (const { name, inputHex, outputHex, hasFraction } of rfc8785.cases) {
    it(`has the bytes of the RFC 8785 vector ${name}`, () => {
      const value: Json = JSON.parse(decode(inputHex))
      // Fractions have no place in signed documents, so only the library underneath can be held to that vector.
      if (hasFraction) {
        assert.throws(() => canonicalJson(value), malformed)
        assert.equal(canonicalize(value), decode(outputHex))
      } else assert.deepEqual(canonicalBytes(value), parseHex(outputHex, 'A vector'))
    })
  }

  for (const { name, canonical, sha256 } of aci.cases) {
    it(`has the bytes of the ACI vector ${name}`, () => {
      const shuffled: Json = reverseKeys(JSON.parse(canonical))
      assert.equal(createHash('sha256').update(canonicalBytes(shuffled)).digest('hex'), sha256)
    })
  }

  it('orders keys by UTF-16 code units and escapes like RFC 8785 section 3.2.2.2', () => {
    assert.equal(canonicalJson({ '\ud83d\ude02': 1, '\ufb33': 2, '': 3, a: 4 }), '{"":3,"a":4,"\ud83d\ude02":1,"\ufb33":2}')
    assert.equal(canonicalJson(['\b\t\n\f\r\u0000\u001f\u007f"\\/€']), '["\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\\"\\\\/€"]')
  })

  it('refuses what has no single text form', () => {
    for (const value of [1.5, -0, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\udc00': 1 }, [['a', '\udfff\ud800']]]) {
      assert.throws(() => canonicalJson(value as Json), malformed)
    }
    assert.throws(() => canonicalJson(undefined as never), malformed)
  })

  it('refuses nesting that could exhaust a stack, and cycles', () => {
    let deep: Json = 0
    for (let i = 0; i < 64; i++) deep = [deep]
    assert.equal(canonicalJson(deep).length, 129)
    assert.throws(() => canonicalJson([deep]), malformed)
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    assert.throws(() => canonicalJson(cyclic as never), malformed)
  })

  it('does not depend on the order of keys, and reads back to the same value', () => {
    fc.assert(
      fc.property(documentArbitrary, (value) => {
        const text = canonicalJson(value)
        assert.equal(canonicalJson(reverseKeys(value)), text)
        assert.equal(canonicalJson(JSON.parse(text)), text)
        assert.equal(JSON.stringify(JSON.parse(text)).length, text.length)
      }),
    )
  })
})

describe('parseJson', () => {
  it('refuses bytes that are too many, not UTF-8, or not JSON', () => {
    assert.deepEqual(parseJson(utf8('{"a":[1]}'), 'It', 9), { a: [1] })
    for (const bytes of [
      utf8('{"a":[1]} '),
      Uint8Array.of(0xff),
      Uint8Array.of(0xef, 0xbb, 0xbf, 0x31),
      utf8(''),
      utf8('{'),
      Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22),
    ]) {
      assert.throws(() => parseJson(bytes, 'It', 9), malformed)
    }
  })

  it('throws nothing else, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseJson(bytes, 'It', 64)
        } catch (error) {
          assert.ok(error instanceof MalformedError)
        }
      }),
    )
  })
})

const documentArbitrary: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger().filter((integer) => !Object.is(integer, -0)),
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
  ),
})).value

function reverseKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(reverseKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reverseKeys(inner as Json)]),
  )
}
