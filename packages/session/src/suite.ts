/** The key encapsulation of a session. KDF is HKDF-SHA256 and AEAD is AES-256-GCM in both. */
export type SuiteName = 'x-wing' | 'x25519'

/** Identifiers and sizes of one suite. */
export type SuiteParameters = {
  /** HPKE KEM identifier: 0x647a (draft-ietf-hpke-pq, MLKEM768-X25519) or 0x0020 (RFC 9180, section 7.1). */
  readonly kemId: number
  readonly publicKeyBytes: number
  readonly encapsulationBytes: number
  /** Seed (X-Wing) or scalar (X25519). */
  readonly secretKeyBytes: number
  /** Randomness that one encapsulation draws. */
  readonly encapsulationRandomBytes: number
}

/** Both suites; `x-wing` is the default everywhere. */
export const suites: Readonly<Record<SuiteName, SuiteParameters>> = {
  'x-wing': { kemId: 0x647a, publicKeyBytes: 1216, encapsulationBytes: 1120, secretKeyBytes: 32, encapsulationRandomBytes: 64 },
  x25519: { kemId: 0x0020, publicKeyBytes: 32, encapsulationBytes: 32, secretKeyBytes: 32, encapsulationRandomBytes: 32 },
}
