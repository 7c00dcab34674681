import { UnreachableError } from '../errors.ts'
import type { ChannelOptions } from '../framed-channel.ts'
import type { MessageSocket, SocketFactory } from '../message-socket.ts'
import type { Dialer } from '../transport.ts'
import { createSocketDialer } from '../websocket-dialer.ts'

/** Opens message sockets with the global WebSocket: browser tabs, web workers, Node from version 22 on. */
export const openWebSocket: SocketFactory = (url, { signal }) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    let socket: WebSocket
    try {
      socket = new WebSocket(url)
    } catch (cause) {
      return reject(new UnreachableError(url, { cause }))
    }
    socket.binaryType = 'arraybuffer'
    const settle = (): void => {
      socket.onopen = null
      socket.onclose = null
      signal?.removeEventListener('abort', abort)
    }
    const abort = (): void => {
      settle()
      socket.close()
      reject(signal?.reason)
    }
    socket.onopen = () => {
      settle()
      resolve(wrap(socket, url))
    }
    socket.onclose = () => {
      settle()
      reject(new UnreachableError(url))
    }
    signal?.addEventListener('abort', abort, { once: true })
  })

/** Dials workers and relays from a tab. */
export function createWebDialer(options: ChannelOptions = {}): Dialer {
  return createSocketDialer(openWebSocket, options)
}

function wrap(socket: WebSocket, remote: string): MessageSocket {
  return {
    remote,
    attach(handlers) {
      socket.onmessage = ({ data }) => (data instanceof ArrayBuffer ? handlers.message(new Uint8Array(data)) : handlers.text())
      socket.onclose = ({ code, reason }) => handlers.closed({ code, reason })
      if (socket.readyState === WebSocket.CLOSED) handlers.closed({ code: 1006, reason: '' })
    },
    send(bytes) {
      // A copy with an ArrayBuffer of its own: the DOM does not take views of shared memory.
      if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.from(bytes))
    },
    close(code, reason) {
      socket.close(code, reason.slice(0, 120))
    },
  }
}
