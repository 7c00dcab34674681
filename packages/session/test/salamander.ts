// Builds an AES-256-GCM ciphertext that authenticates under two keys: Dodis, Grubbs, Ristenpart, Woodage 2018, section 3 ("invisible
// salamanders"). Given any ciphertext blocks, one further block is solved for so that both GHASH values lead to one tag.
import { createCipheriv } from 'node:crypto'

export function salamander(options: {
  readonly keyA: Uint8Array
  readonly keyB: Uint8Array
  readonly nonce: Uint8Array
  readonly aad: Uint8Array
  /** What the text starts with under key A; whole blocks. */
  readonly wanted: Uint8Array
}): { readonly ciphertext: Uint8Array; readonly textA: Uint8Array; readonly textB: Uint8Array } {
  const { keyA, keyB, nonce, aad, wanted } = options
  const size = wanted.length + 16
  const streamA = keystream(keyA, nonce, size)
  const streamB = keystream(keyB, nonce, size)
  const body = wanted.map((byte, i) => byte ^ (streamA[i] ?? 0))
  const lengths = (BigInt(aad.length * 8) << 64n) | BigInt(size * 8)
  const blocks = [...blocksOf(aad), ...blocksOf(body)]

  // Tag = sum block_i H^(n+2-i) + free H^2 + lengths H + E(J0); the free block makes both tags equal.
  const known = (key: Uint8Array) => {
    const h = toInt(aesBlock(key, new Uint8Array(16)))
    let sum = 0n
    for (const block of blocks) sum = multiply(sum ^ block, h)
    sum = multiply(multiply(sum, h), h) ^ multiply(lengths, h) ^ toInt(aesBlock(key, counterBlock(nonce, 1)))
    return { sum, h2: multiply(h, h) }
  }
  const [a, b] = [known(keyA), known(keyB)]
  const free = multiply(a.sum ^ b.sum, invert(a.h2 ^ b.h2))
  const tag = a.sum ^ multiply(free, a.h2)
  const ciphertext = Uint8Array.from([...body, ...toBytes(free), ...toBytes(tag)])
  const text = (stream: Uint8Array) => ciphertext.slice(0, size).map((byte, i) => byte ^ (stream[i] ?? 0))
  return { ciphertext, textA: text(streamA), textB: text(streamB) }
}

function aesBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  return cipher.update(block)
}

function counterBlock(nonce: Uint8Array, counter: number): Uint8Array {
  return Uint8Array.from([...nonce, 0, 0, counter >> 8, counter & 255])
}

function keystream(key: Uint8Array, nonce: Uint8Array, size: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 16) }, (_, i) => aesBlock(key, counterBlock(nonce, i + 2)))
  return Uint8Array.from(Buffer.concat(blocks)).subarray(0, size)
}

function blocksOf(bytes: Uint8Array): bigint[] {
  return Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) => {
    const block = new Uint8Array(16)
    block.set(bytes.subarray(16 * i, 16 * i + 16))
    return toInt(block)
  })
}

const toInt = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const toBytes = (value: bigint) => Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'))

/** GF(2^128) as GCM writes it: the most significant bit is the coefficient of x^0 (NIST SP 800-38D, algorithm 1). */
function multiply(x: bigint, y: bigint): bigint {
  let z = 0n
  let v = y
  for (let i = 127n; i >= 0n; i--) {
    if ((x >> i) & 1n) z ^= v
    v = v & 1n ? (v >> 1n) ^ (0xe1n << 120n) : v >> 1n
  }
  return z
}

/** x^(2^128 - 2). */
function invert(x: bigint): bigint {
  let result = 1n << 127n
  let power = x
  for (let i = 1; i < 128; i++) {
    power = multiply(power, power)
    result = multiply(result, power)
  }
  return result
}
