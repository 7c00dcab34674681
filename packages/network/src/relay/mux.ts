// What relay and worker say to each other on the worker's one connection. docs/spec/relay.md.
import { type Address, concatBytes, parseAddress, parseHex, toHex } from '@tacit/protocol'
import { ProtocolViolationError } from '../errors.ts'

const types = { challenge: 0, proof: 1, accepted: 2, ping: 3, pong: 4, open: 16, data: 17, close: 18 } as const

/** Bytes that a mux message is longer than what it carries. */
export const muxOverheadBytes = 5
/** Length of a challenge. */
export const challengeBytes = 32

export type MuxMessage =
  /** Relay to worker, first: prove who you are. */
  | { readonly type: 'challenge'; readonly nonce: Uint8Array }
  /** Worker to relay: the answer. */
  | { readonly type: 'proof'; readonly worker: Address; readonly signature: Uint8Array }
  /** Relay to worker: connected. The relay sends a ping at least every `heartbeatMs`; three missing mean that it is gone. */
  | { readonly type: 'accepted'; readonly heartbeatMs: number }
  /** Relay to worker, and its answer. */
  | { readonly type: 'ping' | 'pong' }
  /** Relay to worker: a client has come; `id` names it on this connection. */
  | { readonly type: 'open'; readonly id: number }
  /** Both ways: one message of the client's, or for it. */
  | { readonly type: 'data'; readonly id: number; readonly payload: Uint8Array }
  /** Both ways: the client has gone, or shall go. */
  | { readonly type: 'close'; readonly id: number; readonly code: number; readonly reason: string }

export function encodeMux(message: MuxMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case 'challenge':
      return concatBytes(Uint8Array.of(types.challenge), message.nonce)
    case 'proof':
      return concatBytes(Uint8Array.of(types.proof), parseHex(message.worker, 'A worker', 20), message.signature)
    case 'accepted':
      return head(types.accepted, message.heartbeatMs)
    case 'ping':
    case 'pong':
      return Uint8Array.of(types[message.type])
    case 'open':
      return head(types.open, message.id)
    case 'data':
      return concatBytes(head(types.data, message.id), message.payload)
    case 'close': {
      const code = new Uint8Array(2)
      new DataView(code.buffer).setUint16(0, message.code)
      return concatBytes(head(types.close, message.id), code, new TextEncoder().encode(message.reason.slice(0, 120)))
    }
  }
}

/** @throws ProtocolViolationError for anything but exactly one message. */
export function parseMux(bytes: Uint8Array): MuxMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const needs = (length: number): void => {
    if (bytes.length !== length) throw new ProtocolViolationError('a relay message has the wrong length for its type')
  }
  switch (bytes[0]) {
    case types.challenge:
      needs(1 + challengeBytes)
      return { type: 'challenge', nonce: bytes.slice(1) }
    case types.proof:
      needs(1 + 20 + 65)
      return { type: 'proof', worker: parseAddress(toHex(bytes.subarray(1, 21))), signature: bytes.slice(21) }
    case types.accepted:
      needs(muxOverheadBytes)
      return { type: 'accepted', heartbeatMs: view.getUint32(1) }
    case types.ping:
      needs(1)
      return { type: 'ping' }
    case types.pong:
      needs(1)
      return { type: 'pong' }
    case types.open:
      needs(muxOverheadBytes)
      return { type: 'open', id: view.getUint32(1) }
    case types.data:
      if (bytes.length < muxOverheadBytes) throw new ProtocolViolationError('a relay message is too short')
      return { type: 'data', id: view.getUint32(1), payload: bytes.subarray(muxOverheadBytes) }
    case types.close: {
      if (bytes.length < muxOverheadBytes + 2 || bytes.length > muxOverheadBytes + 2 + 120) {
        throw new ProtocolViolationError('a relay message has the wrong length for its type')
      }
      const reason = new TextDecoder().decode(bytes.subarray(muxOverheadBytes + 2))
      return { type: 'close', id: view.getUint32(1), code: view.getUint16(5), reason }
    }
    default:
      throw new ProtocolViolationError('a relay message has an unknown type')
  }
}

function head(type: number, word: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(muxOverheadBytes)
  bytes[0] = type
  new DataView(bytes.buffer).setUint32(1, word)
  return bytes
}
