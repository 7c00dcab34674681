import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, type Hex, parseHex, toHex, utf8 } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { uintToBytes32 } from './uint.ts'

declare const brand: unique symbol
type Branded<Name extends string> = Hex & { readonly [brand]: Name }

/** An account or contract: 20 bytes, always lower case here (checksums are for display). */
export type Address = Branded<'Address'>
/** Any 32-byte value that has no narrower name. */
export type Bytes32 = Branded<'Bytes32'>
/** Names one session: keccak256 over chain, contract, payer, worker and a random salt. */
export type SessionId = Branded<'SessionId'>
/** Names one job of a session. */
export type JobId = Branded<'JobId'>
/** Names one lock of a payer's pool, as `PaymentPool` computes it. */
export type ChannelId = Branded<'ChannelId'>
/** Names a published model, as `ModelRegistry` computes it. */
export type ModelId = Branded<'ModelId'>

// Each constructor checks the one canonical form, which is what makes the brand true.

/** @throws MalformedError unless the text is 20 bytes of lower-case hex. */
export function parseAddress(text: string, what = 'An address'): Address {
  parseHex(text, what, 20)
  return text as Address
}

/** @throws MalformedError unless the text is 32 bytes of lower-case hex. */
export function parseBytes32(text: string, what = 'A 32-byte value'): Bytes32 {
  parseHex(text, what, 32)
  return text as Bytes32
}

/** @throws MalformedError unless the text is 32 bytes of lower-case hex. */
export function parseSessionId(text: string): SessionId {
  parseHex(text, 'A session id', 32)
  return text as SessionId
}

/** @throws MalformedError unless the text is 32 bytes of lower-case hex. */
export function parseJobId(text: string): JobId {
  parseHex(text, 'A job id', 32)
  return text as JobId
}

/** @throws MalformedError unless the text is 32 bytes of lower-case hex. */
export function parseChannelId(text: string): ChannelId {
  parseHex(text, 'A channel id', 32)
  return text as ChannelId
}

/** @throws MalformedError unless the text is 32 bytes of lower-case hex. */
export function parseModelId(text: string): ModelId {
  parseHex(text, 'A model id', 32)
  return text as ModelId
}

/** keccak256 of the parts, one after the other. */
export function keccak(...parts: readonly Uint8Array[]): Bytes32 {
  return parseBytes32(toHex(keccak_256(concatBytes(...parts))))
}

/** What a session id binds. */
export type SessionBinding = {
  readonly chainId: bigint
  readonly contract: Address
  readonly payer: Address
  readonly worker: Address
  /** 32 random bytes, known to client and worker only: without them the id says nothing about the payer. */
  readonly salt: Uint8Array
}

/**
 * keccak256("tacit/session/v1" | chainId | contract | payer | worker | salt), every part padded to 32 bytes.
 *
 * @throws MalformedError when the salt is not 32 bytes.
 */
export function deriveSessionId(binding: SessionBinding): SessionId {
  if (binding.salt.length !== 32) throw new MalformedError('A session salt', 'must be 32 bytes')
  const parts = [
    utf8('tacit/session/v1'),
    uintToBytes32(binding.chainId),
    word(binding.contract),
    word(binding.payer),
    word(binding.worker),
    binding.salt,
  ]
  return parseSessionId(keccak(...parts))
}

/** keccak256("tacit/job/v1" | sessionId | index): job `index` of a session, counted from 0. */
export function deriveJobId(session: SessionId, index: number): JobId {
  return parseJobId(keccak(utf8('tacit/job/v1'), parseHex(session, 'A session id', 32), uintToBytes32(BigInt(index))))
}

/** What a channel id binds; the salt lets one pair have several locks. */
export type ChannelBinding = {
  readonly chainId: bigint
  readonly contract: Address
  readonly payer: Address
  readonly payee: Address
  readonly model: ModelId
  readonly salt: Bytes32
}

/** keccak256(abi.encode(chainId, contract, payer, payee, modelId, salt)), exactly as `PaymentPool.lock` computes it. */
export function deriveChannelId(binding: ChannelBinding): ChannelId {
  const { chainId, contract, payer, payee, model, salt } = binding
  return parseChannelId(keccak(uintToBytes32(chainId), word(contract), word(payer), word(payee), word(model), word(salt)))
}

function word(value: Hex): Uint8Array {
  const bytes = parseHex(value, 'A word')
  return concatBytes(new Uint8Array(32 - bytes.length), bytes)
}
