import { type WebSocket, WebSocketServer } from 'ws'
import { closeCodes } from '../close-codes.ts'
import { acceptChannel, type ChannelOptions, channelDefaults, frameOverheadBytes } from '../framed-channel.ts'
import { AcceptQueue } from '../internal/accept-queue.ts'
import type { Listener } from '../transport.ts'
import { authority, closeServer, isLoopback, hasLoopbackHostHeader, type ListenOptions, listenHttp } from './listen.ts'
import { closeAll, closePolitely, wrapNodeSocket } from './ws-socket.ts'

/** Settings of {@link listenWebSocket}. */
export type WebSocketListenerOptions = ListenOptions & ChannelOptions & { readonly path?: string; readonly maxConnections?: number }

/**
 * Takes channels over WebSocket.
 * @example
 * await using listener = await listenWebSocket({ port: 0 })
 * for await (const channel of listener.accept()) void serve(channel)
 * @throws NotLoopbackError, ListenFailedError.
 */
export async function listenWebSocket(options: WebSocketListenerOptions = {}): Promise<Listener> {
  const { path = '/', maxConnections = 256, maxMessageBytes = channelDefaults.maxMessageBytes } = options
  const { server, host, port } = await listenHttp(options)
  const queue = new AcceptQueue()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes + frameOverheadBytes, perMessageDeflate: false })
  server.on('request', (_, response) => response.writeHead(426, { connection: 'close' }).end())
  server.on('upgrade', (request, tcp, head) => {
    tcp.on('error', () => undefined)
    const [pathname] = (request.url ?? '').split('?')
    if (pathname !== path || (isLoopback(host) && !hasLoopbackHostHeader(request))) {
      tcp.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, tcp, head, (socket: WebSocket) => {
      if (queue.openChannels >= maxConnections) return closePolitely(socket, closeCodes.limitReached, 'too many connections')
      queue.push(acceptChannel(wrapNodeSocket(socket, request.socket.remoteAddress ?? 'unknown'), options))
    })
  })
  const close = async (): Promise<void> => {
    await queue.end()
    await closeAll(sockets.clients)
    await closeServer(server)
  }
  return {
    address: `ws://${authority(host, port)}${path}`,
    accept: (acceptOptions) => queue.accept(acceptOptions),
    close,
    [Symbol.asyncDispose]: close,
  }
}
