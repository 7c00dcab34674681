/** The slow verifier in plain BigInt, for tests and for readers of docs/spec/proofs.md: `@tacit/proof/reference`. */
export { type ReferenceVerdict, verifyLayerSlowly } from './reference/verify-layer-slowly.ts'
