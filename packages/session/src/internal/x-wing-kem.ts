// X-Wing (ML-KEM-768 + X25519) as an HPKE KEM: draft-connolly-cfrg-xwing-kem sections 5 and 6, HPKE id 0x647a of
// draft-ietf-hpke-pq. The KEM is @noble/post-quantum's; this file only gives it the shape that `hpke` asks for, with the
// randomness injected. The private key is the 32-byte seed, expanded at each decapsulation.
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import type { KEM, Key } from 'hpke'
import { drawRandom, type RandomSource } from '../random.ts'
import { suites } from '../suite.ts'

const algorithm = { name: 'MLKEM768-X25519' }
const { kemId, publicKeyBytes, encapsulationBytes, secretKeyBytes, encapsulationRandomBytes } = suites['x-wing']

class XWingKey implements Key {
  readonly algorithm = algorithm
  readonly type: 'private' | 'public'
  readonly extractable = true
  readonly #bytes: Uint8Array

  constructor(type: 'private' | 'public', bytes: Uint8Array) {
    this.type = type
    this.#bytes = bytes
  }

  static bytesOf(key: XWingKey): Uint8Array {
    return key.#bytes
  }
}

export function xWingKem(random: RandomSource): KEM<XWingKey> {
  const pairOf = (seed: Uint8Array) => ({
    privateKey: new XWingKey('private', Uint8Array.from(seed)),
    publicKey: new XWingKey('public', ml_kem768_x25519.keygen(seed).publicKey),
  })
  return {
    id: kemId,
    type: 'KEM',
    name: algorithm.name,
    Nsecret: 32,
    Nenc: encapsulationBytes,
    Npk: publicKeyBytes,
    Nsk: secretKeyBytes,
    // HPKE derives X-Wing keys from other seeds through SHAKE256; Tacit's prekeys are drawn, so the seed is the key.
    DeriveKeyPair: () => Promise.reject(new Error('X-Wing keys are drawn, not derived')),
    GenerateKeyPair: async () => pairOf(drawRandom(random, secretKeyBytes)),
    SerializePublicKey: async (key) => Uint8Array.from(XWingKey.bytesOf(key)),
    DeserializePublicKey: async (bytes) => new XWingKey('public', Uint8Array.from(bytes)),
    SerializePrivateKey: async (key) => Uint8Array.from(XWingKey.bytesOf(key)),
    DeserializePrivateKey: async (bytes) => new XWingKey('private', Uint8Array.from(bytes)),
    Encap: async (publicKey) => {
      const { cipherText, sharedSecret } = ml_kem768_x25519.encapsulate(
        XWingKey.bytesOf(publicKey),
        drawRandom(random, encapsulationRandomBytes),
      )
      return { shared_secret: sharedSecret, enc: cipherText }
    },
    Decap: async (enc, privateKey) => ml_kem768_x25519.decapsulate(enc, XWingKey.bytesOf(privateKey)),
  }
}
