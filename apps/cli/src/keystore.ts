// Wallet backups: Ethereum keystores of version 3 (Web3 Secret Storage), which every Ethereum wallet reads. The format and its
// cipher are ox's; scrypt and PBKDF2 are Node's own, the same functions in native code.
import { pbkdf2, randomBytes, randomUUID, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { type Hex, hex, integer, object, oneOf, parseHex, type Schema, toHex } from '@tacit/protocol'
import * as Keystore from 'ox/Keystore'
import { FileUnusableError, WrongPasswordError } from './errors.ts'

/** What geth writes by default: 2^18, 8, 1. About 256 MiB and half a second. */
const scryptParameters = { n: 2 ** 18, r: 8, p: 1 }

const runScrypt = promisify<string, Uint8Array, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)
const runPbkdf2 = promisify(pbkdf2)

export type KeystoreCost = { readonly n: number; readonly r: number; readonly p: number }

/** The backup of a key, as the text of its file. `address` is without 0x, as other wallets write it. */
export async function encryptKeystore(
  secretKey: Hex,
  { address, password, cost = scryptParameters }: { readonly address: string; readonly password: string; readonly cost?: KeystoreCost },
): Promise<string> {
  const salt = randomBytes(32)
  const key = await deriveScrypt(password, salt, cost)
  const keystore = Keystore.encrypt(secretKey, toHex(key), {
    id: randomUUID(),
    iv: Uint8Array.from(randomBytes(16)),
    kdf: 'scrypt',
    kdfparams: { dklen: 32, ...cost, salt: salt.toString('hex') },
  })
  return `${JSON.stringify({ address: address.slice(2), ...keystore }, null, 2)}\n`
}

/**
 * The key in a backup.
 * @throws FileUnusableError when it is no keystore, WrongPasswordError
 */
export async function decryptKeystore(
  text: string,
  { path, password }: { readonly path: string; readonly password: string },
): Promise<Hex> {
  const keystore = parseKeystore(text, path)
  const { kdf, kdfparams } = keystore.crypto
  const salt = Buffer.from(kdfparams.salt, 'hex')
  const key = kdf === 'scrypt' ? await deriveScrypt(password, salt, kdfparams) : await runPbkdf2(password, salt, kdfparams.c, 32, 'sha256')
  try {
    return toHex(parseHex(Keystore.decrypt(keystore, toHex(Uint8Array.from(key))), 'A key', 32))
  } catch {
    // The MAC is over the ciphertext: another password and a damaged file look alike.
    throw new WrongPasswordError(path)
  }
}

async function deriveScrypt(password: string, salt: Uint8Array, { n, r, p }: KeystoreCost): Promise<Uint8Array> {
  // RFC 7914, section 2: N < 2^(128 r / 8), which OpenSSL insists on. Some wallets write r = 1 with a larger N all the same.
  if (n >= 2 ** (16 * r)) return parseHex(readKey(Keystore.scrypt({ password, salt, n, r, p })[0]), 'A key', 32)
  return Uint8Array.from(await runScrypt(password, salt, 32, { N: n, r, p, maxmem: 128 * r * (n + p + 4) + (1 << 20) }))
}

function readKey(key: Keystore.Key): string {
  return typeof key === 'function' ? key() : key
}

type Scrypt = { readonly kdf: 'scrypt'; readonly kdfparams: { dklen: number; n: number; p: number; r: number; salt: string } }
type Pbkdf2 = { readonly kdf: 'pbkdf2'; readonly kdfparams: { c: number; dklen: number; prf: 'hmac-sha256'; salt: string } }
type Kdf = Scrypt | Pbkdf2

const bareHex =
  (sizeBytes: number): Schema<string> =>
  (value, path) =>
    hex(sizeBytes)(typeof value === 'string' ? `0x${value.toLowerCase()}` : value, path).slice(2)

const scryptSchema = object<Scrypt['kdfparams']>({
  dklen: integer(32, 32),
  // 1 GiB at the most: a backup from elsewhere must not take the machine down.
  n: integer(2, 2 ** 20),
  r: integer(1, 8),
  p: integer(1, 16),
  salt: bareHex(32),
})
const pbkdf2Schema = object<Pbkdf2['kdfparams']>({
  c: integer(1, 10_000_000),
  dklen: integer(32, 32),
  prf: oneOf('hmac-sha256'),
  salt: bareHex(32),
})

// Other wallets add fields of their own on the outside; what is used is read strictly.
function parseKeystore(text: string, path: string): Keystore.Keystore & { readonly crypto: Kdf } {
  try {
    const outer = JSON.parse(text) as Record<string, unknown>
    const inner = (outer['crypto'] ?? outer['Crypto']) as Record<string, unknown>
    const kdf = oneOf('scrypt', 'pbkdf2')(inner['kdf'], 'kdf')
    const common = {
      cipher: oneOf('aes-128-ctr')(inner['cipher'], 'cipher'),
      cipherparams: object<{ iv: string }>({ iv: bareHex(16) })(inner['cipherparams'], 'cipherparams'),
      ciphertext: bareHex(32)(inner['ciphertext'], 'ciphertext'),
      mac: bareHex(32)(inner['mac'], 'mac'),
    }
    integer(3, 3)(outer['version'], 'version')
    const derived: Kdf =
      kdf === 'scrypt'
        ? { kdf, kdfparams: scryptSchema(inner['kdfparams'], 'kdfparams') }
        : { kdf, kdfparams: pbkdf2Schema(inner['kdfparams'], 'kdfparams') }
    return { crypto: { ...common, ...derived }, id: '', version: 3 }
  } catch (cause) {
    throw new FileUnusableError(path, 'is not a wallet backup (an Ethereum keystore of version 3)', { cause })
  }
}
