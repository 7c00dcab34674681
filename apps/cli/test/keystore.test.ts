import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createSigner, parseHex } from '@tacit/protocol'
import { decryptKeystore, encryptKeystore } from '../src/keystore.ts'

type Vector = { readonly name: string; readonly password: string; readonly secretKey: string; readonly keystore: unknown }
const vectors = JSON.parse(readFileSync(new URL('./vectors/web3-secret-storage.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[]
}
const secretKey = `0x${'2b'.repeat(32)}` as const
const { address } = createSigner(parseHex(secretKey, 'A key', 32))
/** Cheap, for tests. */
const cost = { n: 2, r: 8, p: 1 }

describe('a wallet backup', () => {
  for (const { name, password, secretKey: expected, keystore } of vectors.vectors)
    it(`opens the published keystore (${name})`, async () => {
      assert.equal(await decryptKeystore(JSON.stringify(keystore), { path: 'f', password }), expected)
    })

  it('does not open the published keystore with another password', async () => {
    const [first] = vectors.vectors
    const text = JSON.stringify(first?.keystore)
    for (const password of ['', `${first?.password} `, 'Testpassword'])
      await assert.rejects(decryptKeystore(text, { path: 'f', password }), { code: 'cli.wrong-password' })
  })

  it('comes back with its password, and shows neither key nor password', async () => {
    const text = await encryptKeystore(secretKey, { address, password: 'correct horse', cost })
    assert.equal(await decryptKeystore(text, { path: 'f', password: 'correct horse' }), secretKey)
    assert.ok(!text.includes(secretKey.slice(2)) && !text.includes('correct horse'))
    assert.equal((JSON.parse(text) as { address: string }).address, address.slice(2))
    const again = await encryptKeystore(secretKey, { address, password: 'correct horse', cost })
    assert.notEqual(again, text)
  })

  it('does not open when a byte of what is authenticated changes', async () => {
    const text = await encryptKeystore(secretKey, { address, password: 'pw', cost })
    const { crypto } = JSON.parse(text) as { crypto: { ciphertext: string; mac: string } }
    for (const part of [crypto.ciphertext, crypto.mac])
      for (const index of [0, 31, 63]) {
        const other = part.slice(0, index) + (part[index] === '0' ? '1' : '0') + part.slice(index + 1)
        await assert.rejects(decryptKeystore(text.replace(part, other), { path: 'f', password: 'pw' }), { code: 'cli.wrong-password' })
      }
  })

  it('refuses files that are something else, and ones that would cost too much to open', async () => {
    const good = JSON.parse(await encryptKeystore(secretKey, { address, password: 'pw', cost })) as {
      version: number
      crypto: { kdfparams: Record<string, unknown>; [key: string]: unknown }
    }
    const bad = [
      '',
      'garbage',
      'null',
      '[]',
      '{}',
      JSON.stringify({ ...good, version: 1 }),
      JSON.stringify({ ...good, crypto: { ...good.crypto, cipher: 'aes-256-gcm' } }),
      JSON.stringify({ ...good, crypto: { ...good.crypto, kdf: 'argon2' } }),
      JSON.stringify({ ...good, crypto: { ...good.crypto, mac: '00' } }),
      JSON.stringify({ ...good, crypto: { ...good.crypto, kdfparams: { ...good.crypto.kdfparams, n: 2 ** 30 } } }),
      JSON.stringify({ ...good, crypto: { ...good.crypto, kdfparams: { ...good.crypto.kdfparams, dklen: 64 } } }),
    ]
    for (const text of bad) await assert.rejects(decryptKeystore(text, { path: 'f', password: 'pw' }), { code: 'cli.file-unusable' })
  })
})
