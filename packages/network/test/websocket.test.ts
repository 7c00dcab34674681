import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { WebSocket } from 'ws'
import { isTacitCode } from './codes.ts'
import { first, type MakeTransport, take, testTransport } from './transport-compliance.ts'
import type { ChannelOptions, Dialer, SocketFactory } from '../src/index.ts'
import { createNodeDialer, listenWebSocket, openNodeSocket } from '../src/node/index.ts'
import { createWebDialer, openWebSocket } from '../src/web/index.ts'

const make =
  (dialerOf: (options: ChannelOptions) => Dialer, open: SocketFactory): MakeTransport =>
  async ({ listener: listenerOptions = {}, dialer: dialerOptions = {} }) => {
    const listener = await listenWebSocket(listenerOptions)
    return {
      listener,
      dialer: dialerOf(dialerOptions),
      deadAddress: 'ws://127.0.0.1:9/',
      rawSocket: () => open(listener.address, { signal: undefined, maxFrameBytes: 1 << 20 }),
      [Symbol.asyncDispose]: () => listener.close(),
    }
  }

testTransport('websocket from Node', make(createNodeDialer, openNodeSocket))
testTransport('websocket from the global WebSocket', make(createWebDialer, openWebSocket))

describe('the WebSocket listener', () => {
  it('names what it cannot do', async () => {
    await assert.rejects(listenWebSocket({ host: '0.0.0.0' }), isTacitCode('network.not-loopback'))
    await using listener = await listenWebSocket()
    const port = Number(new URL(listener.address).port)
    await assert.rejects(listenWebSocket({ port }), isTacitCode('network.listen-failed'))
    await assert.rejects(createNodeDialer().dial('ws://127.0.0.1:9/'), isTacitCode('network.unreachable'))
    await assert.rejects(createNodeDialer().dial('not a url'), isTacitCode('network.unreachable'))
    await assert.rejects(createWebDialer().dial('ws://127.0.0.1:9/'), isTacitCode('network.unreachable'))
    await assert.rejects(createNodeDialer().dial(`${listener.address}elsewhere`), isTacitCode('network.unreachable'))
  })

  it('refuses a request that a web page made under another name (DNS rebinding)', async () => {
    await using listener = await listenWebSocket()
    const socket = new WebSocket(listener.address, { headers: { host: 'evil.example' } })
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    assert.match(error.message, /404/)
  })

  it('takes no more connections than it was told to', async () => {
    await using listener = await listenWebSocket({ maxConnections: 2 })
    const dialer = createNodeDialer()
    const channels = [await dialer.dial(listener.address), await dialer.dial(listener.address)]
    await assert.rejects(dialer.dial(listener.address), isTacitCode('network.limit-reached'))
    await channels[0]?.close()
    await channels[1]?.close()
  })

  it('ends a channel whose peer sends text', async () => {
    await using listener = await listenWebSocket()
    const accepting = first(listener.accept())
    const socket = new WebSocket(listener.address)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('hello?')
    assert.equal((await (await accepting).closed).error?.code, 'network.protocol-violation')
  })

  it('survives bytes that are no HTTP', async () => {
    await using listener = await listenWebSocket()
    const { port } = new URL(listener.address)
    const tcp = connect(Number(port), '127.0.0.1')
    tcp.on('error', () => undefined)
    tcp.resume()
    tcp.end('\x16\x03\x01 nonsense \r\n\r\n')
    await new Promise((resolve) => tcp.once('close', resolve))
    const accepting = first(listener.accept())
    await using channel = await createNodeDialer().dial(listener.address)
    await channel.send(Uint8Array.of(1))
    assert.deepEqual(await take(await accepting, 1), [Uint8Array.of(1)])
  })
})
