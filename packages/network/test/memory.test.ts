import { createMemoryNetwork } from '../src/index.ts'
import { testTransport } from './transport-compliance.ts'

testTransport('memory', async ({ listener: listenerOptions = {}, dialer: dialerOptions = {} }) => {
  const network = createMemoryNetwork(dialerOptions)
  const listener = network.listen('worker', listenerOptions)
  return {
    listener,
    dialer: network,
    deadAddress: 'nobody',
    rawSocket: async () => network.connect('worker'),
    [Symbol.asyncDispose]: () => listener.close(),
  }
})
