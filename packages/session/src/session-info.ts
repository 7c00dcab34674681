import { concatBytes, type Hex, MalformedError, parseHex, utf8 } from '@tacit/protocol'

/** What a session is bound to. Both ends must agree on every field, or the session does not open. */
export type SessionInfo = {
  readonly chainId: bigint
  /** 32 bytes, drawn by the client. */
  readonly sessionId: Hex
  /** 32 bytes. */
  readonly modelId: Hex
  /** The worker's 20-byte address, lower case. */
  readonly worker: Hex
}

/** First field of every encoding of this package; a peer that speaks another version derives other keys. */
export const sessionProtocolId = 'tacit/session/1'

/**
 * The `info` of the HPKE context: u8 length and protocol id, chain id (32 bytes, big-endian), session id, model id, worker.
 * @throws MalformedError when a field does not have its size.
 */
export function encodeSessionInfo(info: SessionInfo): Uint8Array<ArrayBuffer> {
  const protocolId = utf8(sessionProtocolId)
  return concatBytes(
    Uint8Array.of(protocolId.length),
    protocolId,
    encodeUint256(info.chainId, 'The chain id'),
    parseHex(info.sessionId, 'The session id', 32),
    parseHex(info.modelId, 'The model id', 32),
    parseHex(info.worker, "The worker's address", 20),
  )
}

function encodeUint256(value: bigint, what: string): Uint8Array<ArrayBuffer> {
  if (value < 0n || value >= 1n << 256n) throw new MalformedError(what, 'does not fit 32 bytes')
  return parseHex(`0x${value.toString(16).padStart(64, '0')}`, what, 32)
}
