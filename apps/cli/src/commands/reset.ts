import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../command.ts'
import { AlreadyRunningError } from '../errors.ts'
import { findNetwork } from '../network-file.ts'

/** Everything that belongs to one local network. Receipts are proofs of what was: they stay. */
const parts = ['chain', 'network.json', 'network.lock', 'checkpoint.json', 'dispatcher.key', 'workers']
const all = [...parts, 'client', 'models']

export const reset: Command = {
  name: 'reset',
  summary: 'Deletes the local network of this directory: its chain, its workers and their keys.',
  usage: 'tacit reset [--all]',
  details: ['Wallet, receipts and added models stay, unless --all deletes them too. Tokens of a local network are worth nothing.'],
  options: { all: { type: 'boolean', help: 'delete wallet, receipts and added models too' } },
  async run({ dataDir, values, say, json }) {
    const found = findNetwork(dataDir)
    if (found?.kind === 'local') throw new AlreadyRunningError(dataDir, found.pid)
    const names = values['all'] === true ? all : parts
    const workers = Array.from({ length: 16 }, (_, index) => `worker-${index + 1}`)
    const removed = [...names, ...workers].filter((name) => existsSync(join(dataDir, name)))
    for (const name of removed) rmSync(join(dataDir, name), { recursive: true, force: true })
    // Locks and vouchers are about a chain that is gone.
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, 'client', `client.sqlite${suffix}`), { force: true })
    say(removed.length === 0 ? 'There was nothing to delete.' : `Deleted ${removed.join(', ')} in ${dataDir}.`)
    if (json) console.log(JSON.stringify({ ok: true, removed }))
    return 0
  },
}
