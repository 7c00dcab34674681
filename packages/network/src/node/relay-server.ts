// The relay: workers hold an outward connection, clients ask for one by address, messages pass unread. docs/spec/relay.md says
// what it sees.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Address } from '@tacit/protocol'
import { type WebSocket, WebSocketServer } from 'ws'
import { closeCodes } from '../close-codes.ts'
import { largestMessageBytes } from '../flow.ts'
import { frameOverheadBytes } from '../framed-channel.ts'
import { type RelayVerifier, verifyBySignature } from '../relay/identity.ts'
import { challengeBytes, muxOverheadBytes } from '../relay/mux.ts'
import type { Recorder } from '../relay/recorder.ts'
import { systemTimers, type Timers } from '../transport.ts'
import { authority, closeServer, hasLoopbackHostHeader, isLoopback, type ListenOptions, listenHttp } from './listen.ts'
import { type RelayLimits, relayLimitDefaults } from './relay-limits.ts'
import { RelayLink } from './relay-link.ts'
import { RelayWorker } from './relay-worker.ts'
import { closeAll, closePolitely } from './ws-socket.ts'

/** Settings of {@link serveRelay}. */
export type RelayOptions = ListenOptions & {
  readonly limits?: Partial<RelayLimits>
  /** Who may serve here. Default: whoever proves its address. */
  readonly verify?: RelayVerifier
  /** `host:port` that workers dial, when it is not the address listened on: their proofs are bound to it. */
  readonly publicOrigin?: string
  readonly recorder?: Recorder
  readonly timers?: Timers
}

/** A running relay. */
export type Relay = AsyncDisposable & {
  /** `ws://host:port`; workers and clients derive their own URLs from it. */
  readonly url: string
  readonly counts: () => { readonly workers: number; readonly clients: number }
  /** Says goodbye to everybody and stops. */
  close(): Promise<void>
  /** Stops as if the process had died: every connection is cut. */
  terminate(): Promise<void>
}

/**
 * Starts a relay.
 * @example
 * await using relay = await serveRelay({ port: 7100 })
 * @throws NotLoopbackError, ListenFailedError.
 */
export async function serveRelay(options: RelayOptions = {}): Promise<Relay> {
  const { server, host, port } = await listenHttp(options)
  const relay = new RelayServer({ ...options, origin: options.publicOrigin ?? authority(host, port) })
  server.maxConnections = relay.maxConnections
  server.on('request', (request, response) => {
    const healthy = request.method === 'GET' && request.url === '/health'
    response.writeHead(healthy ? 200 : 404, { 'content-type': 'application/json', connection: 'close' })
    response.end(healthy ? JSON.stringify(relay.counts()) : '{}')
  })
  server.on('upgrade', (request, tcp, head) => {
    tcp.on('error', () => undefined)
    if (isLoopback(host) && !hasLoopbackHostHeader(request)) {
      tcp.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
      return
    }
    relay.sockets.handleUpgrade(request, tcp, head, (socket: WebSocket) => relay.onConnection(socket, request))
  })
  const close = async (): Promise<void> => {
    relay.stop()
    await closeAll(relay.sockets.clients)
    await closeServer(server)
  }
  const terminate = async (): Promise<void> => {
    for (const socket of relay.sockets.clients) socket.terminate()
    relay.stop()
    await closeServer(server)
  }
  return { url: `ws://${authority(host, port)}`, counts: () => relay.counts(), close, terminate, [Symbol.asyncDispose]: close }
}

class RelayServer {
  readonly sockets: WebSocketServer
  readonly #limits: RelayLimits
  readonly #timers: Timers
  readonly #options: RelayOptions & { readonly origin: string }
  readonly #workers = new Map<Address, RelayWorker>()
  readonly #pending = new Set<RelayWorker>()
  readonly #clients = new Map<number, RelayLink>()
  readonly #perAddress = new Map<string, number>()
  #connections = 0
  #cancelSweep: () => void = () => undefined

  constructor(options: RelayOptions & { readonly origin: string }) {
    this.#options = options
    const limits = { ...relayLimitDefaults, ...options.limits }
    this.#limits = { ...limits, maxMessageBytes: Math.min(limits.maxMessageBytes, largestMessageBytes) }
    this.#timers = options.timers ?? systemTimers
    const maxPayload = this.#limits.maxMessageBytes + frameOverheadBytes + muxOverheadBytes
    this.sockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
    this.#scheduleSweep()
  }

  /** TCP connections at once, those that are not WebSockets yet included. */
  get maxConnections(): number {
    return this.#limits.maxClients + this.#limits.maxWorkers + 256
  }

  counts(): { readonly workers: number; readonly clients: number } {
    return { workers: this.#workers.size, clients: this.#clients.size }
  }

  stop(): void {
    this.#cancelSweep()
    for (const worker of [...this.#workers.values(), ...this.#pending]) worker.end(closeCodes.goingAway, 'the relay is shutting down')
    for (const client of this.#clients.values()) client.close(closeCodes.goingAway, 'the relay is shutting down')
  }

  onConnection(socket: WebSocket, request: IncomingMessage): void {
    const remote = request.socket.remoteAddress ?? 'unknown'
    const open = (this.#perAddress.get(remote) ?? 0) + 1
    this.#perAddress.set(remote, open)
    socket.on('close', () => {
      const left = (this.#perAddress.get(remote) ?? 1) - 1
      if (left === 0) this.#perAddress.delete(remote)
      else this.#perAddress.set(remote, left)
    })
    socket.on('error', () => undefined)
    if (open > this.#limits.maxConnectionsPerAddress) return closePolitely(socket, closeCodes.limitReached, 'too many connections')
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (path === '/serve') return this.#onWorker(socket, remote)
    const worker = /^\/connect\/(0x[0-9a-f]{40})$/.exec(path)?.[1]
    if (worker === undefined) return closePolitely(socket, closeCodes.refused, 'unknown path')
    this.#onClient(socket, remote, worker)
  }

  #onWorker(socket: WebSocket, remote: string): void {
    const { maxWorkers } = this.#limits
    if (this.#workers.size + this.#pending.size >= maxWorkers) return closePolitely(socket, closeCodes.limitReached, 'too many workers')
    const link = this.#link(socket, remote, { party: 'worker', worker: '' })
    const worker = new RelayWorker(link, {
      nonce: Uint8Array.from(randomBytes(challengeBytes)),
      origin: this.#options.origin,
      verify: this.#options.verify ?? verifyBySignature,
      limits: this.#limits,
      timers: this.#timers,
      onServing: (address, self) => {
        this.#pending.delete(self)
        this.#workers.get(address)?.end(closeCodes.replaced, 'the same worker connected again')
        this.#workers.set(address, self)
      },
    })
    this.#pending.add(worker)
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) worker.onMessage(asBytes(data))
      else worker.end(closeCodes.protocolViolation, 'text')
    })
    socket.on('close', () => {
      worker.end(closeCodes.normal, '')
      this.#pending.delete(worker)
      for (const [address, other] of this.#workers) if (other === worker) this.#workers.delete(address)
    })
  }

  #onClient(socket: WebSocket, remote: string, address: string): void {
    const { maxClients, maxClientsPerWorker, maxMessageBytes } = this.#limits
    // The path was matched as 20 bytes of lower-case hex.
    const worker = this.#workers.get(address as Address)
    if (worker === undefined) return closePolitely(socket, closeCodes.workerNotConnected, 'no such worker')
    if (this.#clients.size >= maxClients) return closePolitely(socket, closeCodes.limitReached, 'too many clients')
    if (worker.clients >= maxClientsPerWorker) return closePolitely(socket, closeCodes.limitReached, 'too many clients of this worker')
    const link = this.#link(socket, remote, { party: 'client', worker: address })
    this.#clients.set(link.number, link)
    worker.addClient(link)
    socket.on('message', (data: Buffer, isBinary) => {
      const bytes = asBytes(data)
      if (isBinary && bytes.length <= maxMessageBytes + frameOverheadBytes) {
        link.received(bytes)
        worker.forward(link, bytes)
      } else link.close(isBinary ? closeCodes.tooLarge : closeCodes.protocolViolation, isBinary ? 'message too large' : 'text')
    })
    socket.on('close', (code) => {
      this.#clients.delete(link.number)
      worker.removeClient(link, code === closeCodes.normal ? closeCodes.normal : closeCodes.goingAway)
    })
  }

  #link(socket: WebSocket, remote: string, who: { readonly party: 'client' | 'worker'; readonly worker: string }): RelayLink {
    this.#connections = (this.#connections + 1) % 2 ** 32
    return new RelayLink({ ...who, number: this.#connections, socket, remote, timers: this.#timers, recorder: this.#options.recorder })
  }

  #scheduleSweep(): void {
    this.#cancelSweep = this.#timers.after(Math.max(1, this.#limits.idleMs / 4), () => {
      const oldest = this.#timers.now() - this.#limits.idleMs
      for (const client of this.#clients.values()) if (client.lastActiveMs < oldest) client.close(closeCodes.idle, 'idle for too long')
      this.#scheduleSweep()
    })
  }
}

function asBytes(data: Buffer): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.length)
}
