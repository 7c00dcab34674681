import {
  ConnectionLostError,
  LimitReachedError,
  MessageTooLargeError,
  type NetworkError,
  ProtocolViolationError,
  RelayRefusedError,
  ReplacedError,
  WorkerNotConnectedError,
} from './errors.ts'
import { maxMessageBytesDefault } from './flow.ts'
import type { SocketEnd } from './message-socket.ts'

/** WebSocket close codes of this protocol (RFC 6455, section 7.4.2: 4000 to 4999 are for applications). docs/spec/relay.md lists them. */
export const closeCodes = {
  normal: 1000,
  protocolViolation: 4001,
  refused: 4002,
  workerNotConnected: 4003,
  limitReached: 4004,
  replaced: 4005,
  idle: 4006,
  goingAway: 4007,
  tooLarge: 4008,
} as const

/** What WebSocket libraries close with on their own (RFC 6455, section 7.4.1). */
const messageTooBig = 1009

/** The named error of an end that nobody asked for. */
export function errorOfEnd({ code, reason }: SocketEnd): NetworkError {
  switch (code) {
    case closeCodes.tooLarge:
    case messageTooBig:
      return new MessageTooLargeError({ limitBytes: maxMessageBytesDefault })
    case closeCodes.protocolViolation:
      return new ProtocolViolationError(printable(reason))
    case closeCodes.refused:
      return new RelayRefusedError(printable(reason))
    case closeCodes.workerNotConnected:
      return new WorkerNotConnectedError()
    case closeCodes.limitReached:
      return new LimitReachedError(printable(reason))
    case closeCodes.replaced:
      return new ReplacedError()
    case closeCodes.idle:
      return new ConnectionLostError('it was idle for too long')
    case closeCodes.goingAway:
      return new ConnectionLostError('the other side is shutting down')
    default:
      return new ConnectionLostError(`the connection ended with code ${code}`)
  }
}

/** A reason from the wire, fit to be shown: short, one line, printable ASCII. */
export function printable(reason: string): string {
  const clean = reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 123)
  return clean === '' ? 'no reason given' : clean
}
