import { WebSocket } from 'ws'
import { closeCodes } from '../close-codes.ts'
import { UnreachableError } from '../errors.ts'
import type { ChannelOptions } from '../framed-channel.ts'
import type { MessageSocket, SocketFactory } from '../message-socket.ts'
import type { Dialer } from '../transport.ts'
import { createSocketDialer } from '../websocket-dialer.ts'

/** How long a polite end may take before the connection is cut. */
const closeGraceMs = 2_000

/** Opens message sockets with `ws`: every supported Node. */
export const openNodeSocket: SocketFactory = (url, { signal, maxFrameBytes }) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    let socket: WebSocket
    try {
      socket = new WebSocket(url, { maxPayload: maxFrameBytes, perMessageDeflate: false })
    } catch (cause) {
      return reject(new UnreachableError(url, { cause }))
    }
    const message = wrapNodeSocket(socket, url)
    const settle = (): void => signal?.removeEventListener('abort', abort)
    const abort = (): void => {
      socket.terminate()
      reject(signal?.reason)
    }
    socket.once('open', () => {
      settle()
      resolve(message)
    })
    socket.once('error', (cause) => {
      settle()
      reject(new UnreachableError(url, { cause }))
    })
    signal?.addEventListener('abort', abort, { once: true })
  })

/** Dials workers and relays from Node. */
export function createNodeDialer(options: ChannelOptions = {}): Dialer {
  return createSocketDialer(openNodeSocket, options)
}

/** Gives a `ws` socket the shape that channels are made of. Nothing that arrives before `attach` is lost. */
export function wrapNodeSocket(socket: WebSocket, remote: string): MessageSocket {
  const early: (() => void)[] = []
  let deliver = (event: () => void): void => void early.push(event)
  let handlers: Parameters<MessageSocket['attach']>[0] | undefined
  let tooLarge = false
  // `close` follows, but says only 1006.
  socket.on('error', (error: NodeJS.ErrnoException) => {
    tooLarge ||= error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
  })
  socket.on('message', (data: Buffer, isBinary) => {
    deliver(() => (isBinary ? handlers?.message(new Uint8Array(data.buffer, data.byteOffset, data.length)) : handlers?.text()))
  })
  socket.on('close', (code, reason) =>
    deliver(() => handlers?.closed({ code: tooLarge ? closeCodes.tooLarge : code, reason: reason.toString('utf8') })),
  )
  return {
    remote,
    attach(given) {
      handlers = given
      deliver = (event) => event()
      for (const event of early.splice(0)) event()
    },
    send(bytes) {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes, { binary: true }, () => undefined)
    },
    close(code, reason) {
      closePolitely(socket, code, reason)
    },
  }
}

const closing = new WeakSet<WebSocket>()

/** Closes, and cuts the connection when the other side does not answer soon. */
export function closePolitely(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED || closing.has(socket)) return
  closing.add(socket)
  socket.close(code, reason.slice(0, 120))
  const timer = setTimeout(() => socket.terminate(), closeGraceMs)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}

/** Waits until the sockets have closed politely, then cuts the rest. */
export async function closeAll(sockets: Set<WebSocket>, graceMs = 500): Promise<void> {
  const ends = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise((resolve) => {
    timer = setTimeout(resolve, graceMs)
  })
  await Promise.race([Promise.all(ends), grace])
  clearTimeout(timer)
  for (const socket of sockets) socket.terminate()
}
