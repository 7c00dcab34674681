import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import { AEAD_AES_128_GCM, AEAD_ChaCha20Poly1305 } from '@panva/hpke-noble'
import { nobleAead } from '../src/index.ts'
import { hpkeSuite } from '../src/internal/hpke.ts'
import { nodeAead } from '../src/node/index.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex')
const read = (name: string) => JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), 'utf8'))

type HpkeVector = {
  readonly info: string
  readonly ikmE: string
  readonly skRm: string
  readonly pkRm: string
  readonly enc: string
  readonly encryptions: readonly { readonly pt: string; readonly aad: string; readonly ct: string }[]
  readonly exports: readonly { readonly exporter_context: string; readonly L: number; readonly exported_value: string }[]
}

async function checkHpkeVector(vector: HpkeVector, suite: ReturnType<typeof hpkeSuite>) {
  const options = { info: bytes(vector.info) }
  const sender = await suite.SetupSender(await suite.DeserializePublicKey(bytes(vector.pkRm)), options)
  assert.equal(hex(sender.encapsulatedSecret), vector.enc)
  const recipient = await suite.SetupRecipient(await suite.DeserializePrivateKey(bytes(vector.skRm)), bytes(vector.enc), options)
  assert.ok(vector.encryptions.length > 0 && vector.exports.length > 0)
  for (const { pt, aad, ct } of vector.encryptions) {
    assert.equal(hex(await sender.ctx.Seal(bytes(pt), bytes(aad))), ct)
    assert.equal(hex(await recipient.Open(bytes(ct), bytes(aad))), pt)
  }
  for (const { exporter_context, L, exported_value } of vector.exports) {
    assert.equal(hex(await sender.ctx.Export(bytes(exporter_context), L)), exported_value)
    assert.equal(hex(await recipient.Export(bytes(exporter_context), L)), exported_value)
  }
}

describe('suites against published vectors', () => {
  it('x25519 is DHKEM(X25519, HKDF-SHA256) of RFC 9180 A.1.1', async () => {
    const vector = read('rfc9180-a-1-1.json')
    await checkHpkeVector(
      vector,
      hpkeSuite('x25519', () => bytes(vector.ikmE), AEAD_AES_128_GCM),
    )
  })

  it('x-wing is MLKEM768-X25519 of draft-ietf-hpke-pq', async () => {
    const vector = read('hpke-pq-mlkem768-x25519.json')
    await checkHpkeVector(
      vector,
      hpkeSuite('x-wing', () => bytes(vector.ikmE), AEAD_ChaCha20Poly1305),
    )
  })

  it('the X-Wing KEM gives the keys, ciphertexts and secrets of draft-connolly-cfrg-xwing-kem', () => {
    const { vectors } = read('x-wing-kem.json')
    assert.equal(vectors.length, 3)
    for (const { seed, eseed, pk, ct, ss } of vectors) {
      const { publicKey, secretKey } = ml_kem768_x25519.keygen(bytes(seed))
      assert.equal(hex(publicKey), pk)
      const { cipherText, sharedSecret } = ml_kem768_x25519.encapsulate(publicKey, bytes(eseed))
      assert.equal(hex(cipherText), ct)
      assert.equal(hex(sharedSecret), ss)
      assert.equal(hex(ml_kem768_x25519.decapsulate(bytes(ct), secretKey)), ss)
    }
  })

  it('both AEAD backends give the bytes of GCM specification test case 16', () => {
    const { key, nonce, aad, plaintext, ciphertext } = read('aes-256-gcm.json')
    for (const backend of [nobleAead, nodeAead]) {
      const imported = backend.importKey(bytes(key))
      assert.equal(hex(imported.seal(bytes(nonce), bytes(aad), bytes(plaintext))), ciphertext, backend.name)
      assert.equal(hex(imported.open(bytes(nonce), bytes(aad), bytes(ciphertext)) ?? new Uint8Array()), plaintext, backend.name)
      assert.equal(imported.open(bytes(nonce), bytes(aad), bytes(ciphertext).subarray(0, 15)), undefined)
    }
  })
})
