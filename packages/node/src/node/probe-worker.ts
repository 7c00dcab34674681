// Asks a worker how it is, through the relay, as anybody may.
import { WireChannel } from '@tacit/client'
import type { Dialer } from '@tacit/network'
import { type Address, MalformedError } from '@tacit/protocol'
import type { Probe } from '../dispatcher/dispatcher.ts'

const probeTimeoutMs = 3_000

/** @throws what the dialer throws when the worker cannot be reached. */
export async function probeWorker(dialer: Dialer, relayUrl: string, worker: Address): Promise<Probe> {
  const signal = AbortSignal.timeout(probeTimeoutMs)
  const channel = new WireChannel(await dialer.dial(`${relayUrl}/connect/${worker}`, { signal }))
  try {
    await channel.send({ type: 'status-request' })
    const frame = await channel.next(signal)
    if (frame?.type !== 'status') throw new MalformedError('A status', 'did not come')
    return { capacity: frame.capacity, running: frame.running, draining: frame.draining }
  } finally {
    await channel.close()
  }
}
