// HPKE (RFC 9180) comes from `hpke`, its algorithms from the noble libraries, so that it runs where WebCrypto lacks X25519
// or is switched off (pages that are not secure contexts). The only thing added here is injected randomness.
import { AEAD_AES_256_GCM, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from '@panva/hpke-noble'
import { type AEADFactory, CipherSuite, type KEM } from 'hpke'
import { drawRandom, type RandomSource } from '../random.ts'
import { type SuiteName, suites } from '../suite.ts'
import { xWingKem } from './x-wing-kem.ts'

export function hpkeSuite(name: SuiteName, random: RandomSource, aead: AEADFactory = AEAD_AES_256_GCM): CipherSuite {
  return new CipherSuite(() => kem(name, random), KDF_HKDF_SHA256, aead)
}

function kem(name: SuiteName, random: RandomSource): KEM {
  // The suite hands each KEM back only the keys which that KEM made, so its key type never meets another.
  if (name === 'x-wing') return xWingKem(random) as unknown as KEM
  const x25519 = KEM_DHKEM_X25519_HKDF_SHA256()
  return {
    ...x25519,
    // Encap draws its ephemeral key by this method: DeriveKeyPair(random(Nsk)), as RFC 9180 section 4 recommends.
    GenerateKeyPair: (extractable) => x25519.DeriveKeyPair(drawRandom(random, suites.x25519.secretKeyBytes), extractable),
  }
}
