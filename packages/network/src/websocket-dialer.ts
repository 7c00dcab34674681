import { type ChannelOptions, channelDefaults, dialChannel, frameOverheadBytes } from './framed-channel.ts'
import type { SocketFactory } from './message-socket.ts'
import type { Dialer } from './transport.ts'

/** A dialer for `ws:` and `wss:` URLs: workers that listen themselves, and workers behind a relay (`<relay>/connect/<address>`). */
export function createSocketDialer(open: SocketFactory, options: ChannelOptions = {}): Dialer {
  const maxFrameBytes = (options.maxMessageBytes ?? channelDefaults.maxMessageBytes) + frameOverheadBytes
  return {
    async dial(address, { signal } = {}) {
      const socket = await open(address, { signal, maxFrameBytes })
      return dialChannel(socket, { ...options, signal })
    },
  }
}
