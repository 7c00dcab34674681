import { TacitError, type TacitErrorOptions } from '@tacit/protocol'

/** The base of everything that `@tacit/network` throws. */
export abstract class NetworkError<Code extends `network.${string}` = `network.${string}`> extends TacitError<Code> {}

/** A message is larger than this channel takes. It was not sent, or the channel was closed for it. */
export class MessageTooLargeError extends NetworkError<'network.message-too-large'> {
  constructor({ sizeBytes, limitBytes }: { readonly sizeBytes?: number; readonly limitBytes: number }) {
    const size = sizeBytes === undefined ? 'A message' : `A message of ${sizeBytes} bytes`
    super('network.message-too-large', `${size} is larger than the ${limitBytes} bytes that the channel takes.`)
  }
}

/** The other side broke the framing; the channel was closed. */
export class ProtocolViolationError extends NetworkError<'network.protocol-violation'> {
  constructor(reason: string) {
    super('network.protocol-violation', `The other side does not speak this protocol: ${reason}.`)
  }
}

/** The connection ended without being closed: a crash, a cut cable, a killed relay. */
export class ConnectionLostError extends NetworkError<'network.connection-lost'> {
  constructor(reason: string) {
    super('network.connection-lost', `The connection was lost: ${reason}.`, { details: ['Dial again and resume.'] })
  }
}

/** The channel was closed before this could be sent. */
export class ChannelClosedError extends NetworkError<'network.channel-closed'> {
  constructor(reason: string) {
    super('network.channel-closed', `The channel is closed${reason === '' ? '' : ` (${reason})`}.`)
  }
}

/** Two readers at once on one channel. */
export class ReceiverBusyError extends NetworkError<'network.receiver-busy'> {
  constructor() {
    super('network.receiver-busy', 'Somebody is already receiving from this channel.')
  }
}

/** Nobody answers at the address. */
export class UnreachableError extends NetworkError<'network.unreachable'> {
  constructor(address: string, options: TacitErrorOptions = {}) {
    super('network.unreachable', `Nothing answers at ${address}.`, options)
  }
}

/** The other side did not answer in time. */
export class TimedOutError extends NetworkError<'network.timed-out'> {
  constructor(what: string, timeoutMs: number) {
    super('network.timed-out', `${what} did not answer within ${timeoutMs} ms.`)
  }
}

/** The relay does not know the worker that was asked for: it is not connected now. */
export class WorkerNotConnectedError extends NetworkError<'network.worker-not-connected'> {
  constructor(details: readonly string[] = []) {
    super('network.worker-not-connected', 'The worker is not connected to this relay.', { details })
  }
}

/** The relay refused a worker's proof of identity, or a party that came without one. */
export class RelayRefusedError extends NetworkError<'network.relay-refused'> {
  constructor(reason: string) {
    super('network.relay-refused', `The relay refused the connection: ${reason}.`)
  }
}

/** A limit on connections, memory or time was reached at the other side. */
export class LimitReachedError extends NetworkError<'network.limit-reached'> {
  constructor(reason: string) {
    super('network.limit-reached', `A limit was reached: ${reason}.`, { details: ['Wait, or use another relay or worker.'] })
  }
}

/** The same worker connected again; the older connection gave way. */
export class ReplacedError extends NetworkError<'network.replaced'> {
  constructor() {
    super('network.replaced', 'The same worker connected to this relay again, and this connection gave way.')
  }
}

/** Listening beyond loopback was asked for without saying so explicitly. */
export class NotLoopbackError extends NetworkError<'network.not-loopback'> {
  constructor(host: string) {
    super('network.not-loopback', `${host} is reachable from other machines.`, {
      details: ['Pass exposeBeyondLoopback: true if that is meant; put TLS in front.'],
    })
  }
}

/** The port is taken, or may not be used. */
export class ListenFailedError extends NetworkError<'network.listen-failed'> {
  constructor({ host, port, reason }: { readonly host: string; readonly port: number; readonly reason: string }) {
    super('network.listen-failed', `Cannot listen on ${host}:${port}: ${reason}.`, {
      details: ['Choose another port, or 0 for a free one.'],
    })
  }
}

/** An HTTP server answered with a status that is not a success. */
export class BadStatusError extends NetworkError<'network.bad-status'> {
  readonly status: number
  /** The parsed JSON body, if it was JSON and within the limit. */
  readonly body: unknown
  constructor({ url, status, body }: { readonly url: string; readonly status: number; readonly body: unknown }) {
    super('network.bad-status', `${url} answered with status ${status}.`)
    this.status = status
    this.body = body
  }
}

/** An HTTP answer is larger than was allowed. */
export class ResponseTooLargeError extends NetworkError<'network.response-too-large'> {
  constructor({ url, limitBytes }: { readonly url: string; readonly limitBytes: number }) {
    super('network.response-too-large', `The answer of ${url} is larger than ${limitBytes} bytes.`)
  }
}

/** An HTTP answer is not JSON. */
export class MalformedResponseError extends NetworkError<'network.malformed-response'> {
  constructor(url: string) {
    super('network.malformed-response', `The answer of ${url} is not JSON.`)
  }
}
