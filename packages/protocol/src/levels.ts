import { oneOf, type Schema } from './schema.ts'

/** Who can read the input. `sealed`: the named readers; `attested`: code in a checked enclave; `encrypted`: nobody but the client. */
export type Privacy = 'sealed' | 'attested' | 'encrypted'
/** What stands behind the answer. `signed`: a staked worker; `audited`, `replayed`, `proved`: see docs/levels.md. */
export type Verification = 'signed' | 'audited' | 'replayed' | 'proved'
/** `paced`: fixed-size cells at a fixed rate; `immediate`: each word as soon as it is there, which shows its length and time. */
export type StreamMode = 'paced' | 'immediate'

/** The two dials of a request. The network serves exactly these levels or refuses; it never lowers one. */
export type Levels = { readonly privacy: Privacy; readonly verification: Verification }

export const privacySchema: Schema<Privacy> = oneOf('sealed', 'attested', 'encrypted')
export const verificationSchema: Schema<Verification> = oneOf('signed', 'audited', 'replayed', 'proved')
export const streamModeSchema: Schema<StreamMode> = oneOf('paced', 'immediate')
