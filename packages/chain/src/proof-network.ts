// The bytes behind `commitments.proof` of a model card: docs/spec/proofs.md, section 3, network digest.
import { concatBytes, type Hex, parseHex, utf8 } from '@tacit/protocol'

/** The layers of a provable model and their wiring; a `ProvableNetwork` of `@tacit/proof` is one. */
export type ProofNetwork = {
  readonly inputCount: number
  readonly layers: readonly { readonly registration: { readonly digest: Hex }; readonly inputs: readonly number[] }[]
  readonly outputs: readonly number[]
}

/** What the network digest is the keccak256 of. */
export function encodeProofNetwork({ inputCount, layers, outputs }: ProofNetwork): Uint8Array {
  return concatBytes(
    utf8('tacit/proof-network/v1'),
    counted([inputCount, layers.length]),
    ...layers.flatMap(({ registration, inputs }) => [parseHex(registration.digest, 'A digest', 32), counted(inputs)]),
    counted(outputs),
  )
}

function counted(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * (values.length + 1))
  const view = new DataView(bytes.buffer)
  for (const [k, value] of [values.length, ...values].entries()) view.setUint32(4 * k, value)
  return bytes
}
