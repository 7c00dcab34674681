import { createWriteStream } from 'node:fs'
import { toHex } from '@tacit/protocol'
import { serveRelay } from '@tacit/network/node'
import type { RelayConfig, RoleEvent } from './role-config.ts'
import type { Role } from './role-host.ts'

/** A relay in a process of its own: it forwards what it cannot read. */
export async function startRelayRole(config: RelayConfig, say: (event: RoleEvent) => void): Promise<Role> {
  const record = config.recordTo === undefined ? undefined : createWriteStream(config.recordTo, { flags: 'a', mode: 0o600 })
  const relay = await serveRelay({
    ...config.listen,
    ...(record === undefined
      ? {}
      : {
          recorder: (event) =>
            void record.write(`${JSON.stringify({ ...event, ...('bytes' in event ? { bytes: toHex(event.bytes) } : {}) })}\n`),
        }),
  })
  say({ event: 'ready', url: relay.url, pid: process.pid })
  return {
    command: async () => {},
    stop: async () => {
      await relay.close()
      record?.end()
    },
  }
}
