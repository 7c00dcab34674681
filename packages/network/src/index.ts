export { type BackOff, backOffDefaults, createBackOff, dialWithRetry } from './back-off.ts'
export {
  BadStatusError,
  ChannelClosedError,
  ConnectionLostError,
  LimitReachedError,
  ListenFailedError,
  MalformedResponseError,
  MessageTooLargeError,
  NetworkError,
  NotLoopbackError,
  ProtocolViolationError,
  ReceiverBusyError,
  RelayRefusedError,
  ReplacedError,
  ResponseTooLargeError,
  TimedOutError,
  UnreachableError,
  WorkerNotConnectedError,
} from './errors.ts'
export { type FetchJsonOptions, fetchJson } from './fetch-json.ts'
export { acceptChannel, type ChannelOptions, channelDefaults, dialChannel } from './framed-channel.ts'
export { createMemoryNetwork, type MemoryNetwork } from './memory.ts'
export type { MessageSocket, MessageSocketHandlers, SocketEnd, SocketFactory } from './message-socket.ts'
export { identityOf, type RelayIdentity, type RelayVerifier, relayProofDigest, verifyBySignature } from './relay/identity.ts'
export { createRecorder, type Recorder, type RelayEvent } from './relay/recorder.ts'
export { listenThroughRelay, type RelayListenerOptions, type RelayStatus } from './relay/relay-listener.ts'
export { type Channel, type ChannelEnd, type Dialer, type Listener, systemTimers, type Timers } from './transport.ts'
export { createSocketDialer } from './websocket-dialer.ts'
