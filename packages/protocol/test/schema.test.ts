import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import {
  bytes32,
  concatBytes,
  equalBytes,
  hex,
  integer,
  list,
  nullable,
  object,
  oneOf,
  parseHex,
  parseUint,
  type Schema,
  text,
  toHex,
  uint,
  uintToBytes32,
  variant,
} from '@tacit/protocol'
import fc from 'fast-check'

const malformed = { code: 'protocol.malformed' }

function assertRefuses(schema: Schema<unknown>, ...values: readonly unknown[]): void {
  for (const value of values) assert.throws(() => schema(value, 'it'), malformed, inspect(value))
}

describe('schemas', () => {
  it('of text count UTF-16 units', () => {
    assert.equal(text(3)('abc', 'it'), 'abc')
    assertRefuses(text(3), 'abcd', 1, null, undefined, ['a'], new String('a'))
  })

  it('of integers stay in their range', () => {
    assert.equal(integer(-2, 2)(-2, 'it'), -2)
    assertRefuses(integer(-2, 2), -3, 3, 0.5, Number.NaN, '1', 1n, null)
  })

  it('of hex count bytes', () => {
    assert.equal(hex(1, 2)('0xabcd', 'it'), '0xabcd')
    assertRefuses(hex(1, 2), '0x', '0xab0', '0xAB', 'ab', '0xabcdef', '0xab\n', '\n0xab')
    assertRefuses(bytes32 as Schema<unknown>, `0x${'00'.repeat(31)}`, `0x${'00'.repeat(33)}`, `0x${'gg'.repeat(32)}`)
  })

  it('of lists and objects are closed', () => {
    const schema = object<{ readonly a: readonly number[]; readonly b: string | null }>({ a: list(integer(0, 9), 2), b: nullable(text(1)) })
    assert.deepEqual(schema({ b: null, a: [1, 2] }, 'it'), { a: [1, 2], b: null })
    assertRefuses(schema, { a: [1, 2, 3], b: null }, { a: [10], b: null }, { a: {}, b: null }, { a: { length: 1 }, b: null })
    assertRefuses(schema, { a: [] }, { a: [], b: null, c: 1 }, { a: [], b: undefined }, [], null, 'x', Object.create({ a: [], b: null }))
    assertRefuses(schema, JSON.parse('{"a":[],"b":null,"__proto__":1}'), { a: [], b: null, constructor: 1, toString: 2 })
  })

  it('of variants follow their tag only', () => {
    const schema = variant<object>('t', {
      x: object<{ t: 'x' }>({ t: oneOf('x') }),
      y: object<{ t: 'y'; n: number }>({ t: oneOf('y'), n: integer(0, 1) }),
    })
    assert.deepEqual(schema({ t: 'y', n: 1 }, 'it'), { t: 'y', n: 1 })
    assertRefuses(schema, { t: 'z' }, { t: 'x', n: 1 }, { t: 'constructor' }, { t: '__proto__' }, { t: ['x'] }, 'x', null, undefined)
  })

  it('name the path of what is wrong, and quote at most a little of it', () => {
    const schema = object<{ a: readonly { b: number }[] }>({ a: list(object<{ b: number }>({ b: integer(0, 9) }), 3) })
    assert.throws(() => schema({ a: [{ b: 1 }, { b: -1 }] }, 'it'), { what: 'it.a[1].b' })
    assert.throws(
      () => schema({ a: [], ['k'.repeat(9999)]: 1 }, 'it'),
      (error: Error) => error.message.length < 120,
    )
  })
})

describe('integers in documents', () => {
  it('have one spelling', () => {
    for (const spelling of ['00', '01', '+1', '-0', '1e3', '0x10', '', ' 1', '1 ', '1\n', '٣', '9'.repeat(79), '9'.repeat(10_000)]) {
      assert.throws(() => parseUint(spelling, 'it'), malformed)
    }
    assert.equal(parseUint((2n ** 256n - 1n).toString(), 'it'), 2n ** 256n - 1n)
    assert.throws(() => parseUint((2n ** 256n).toString(), 'it'), malformed)
    assertRefuses(uint(8), '256', 255)
    assert.equal(uint(8)('255', 'it'), '255')
  })

  it('have 32 bytes, big-endian', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        assert.equal(BigInt(toHex(uintToBytes32(value))), value)
        assert.equal(parseUint(value.toString(), 'it'), value)
      }),
    )
    for (const outside of [-1n, 2n ** 256n]) assert.throws(() => uintToBytes32(outside), malformed)
  })
})

describe('bytes', () => {
  it('go to hex and back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        assert.deepEqual(parseHex(toHex(a), 'it'), Uint8Array.from(a))
        assert.equal(toHex(concatBytes(a, b)), `${toHex(a)}${toHex(b).slice(2)}`)
        assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0)
        assert.ok(equalBytes(a, Uint8Array.from(a)))
      }),
    )
    assert.throws(() => parseHex('0xabcd', 'it', 3), malformed)
  })
})
