import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListenFailedError, NotLoopbackError } from '../errors.ts'

/** Where a server listens. */
export type ListenOptions = {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Must be true for a host that other machines can reach. */
  readonly exposeBeyondLoopback?: boolean
}

const loopbackHosts = new Set(['127.0.0.1', '::1', 'localhost'])

/** Whether only this machine reaches the host. */
export function isLoopback(host: string): boolean {
  return loopbackHosts.has(host) || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/**
 * Starts a bare HTTP server with the time-outs that keep slow clients from holding it.
 * @throws NotLoopbackError, ListenFailedError.
 */
export async function listenHttp(
  options: ListenOptions,
  server: Server = createServer(),
): Promise<{ readonly server: Server; readonly port: number; readonly host: string }> {
  const { host = '127.0.0.1', port = 0, exposeBeyondLoopback = false } = options
  if (!exposeBeyondLoopback && !isLoopback(host)) throw new NotLoopbackError(host)
  server.headersTimeout = 10_000
  server.requestTimeout = 60_000
  server.keepAliveTimeout = 5_000
  server.maxHeadersCount = 100
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      reject(new ListenFailedError({ host, port, reason: cause.code ?? cause.message }))
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
  // A TCP server that listens has an AddressInfo.
  return { server, host, port: (server.address() as AddressInfo).port }
}

/** `host:port` as it stands in a URL. */
export function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * Whether a request that reached a loopback server was meant for it. A page on the web can make a browser connect to 127.0.0.1
 * under a name of its own (DNS rebinding), but not with this Host header.
 */
export function hasLoopbackHostHeader(request: IncomingMessage): boolean {
  const header = request.headers.host ?? ''
  const name = header.startsWith('[') ? header.slice(1, header.indexOf(']')) : (header.split(':')[0] ?? '')
  return isLoopback(name)
}

/** Closes a server and every connection it has. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
