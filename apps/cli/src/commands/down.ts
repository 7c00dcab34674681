import type { Command } from '../command.ts'
import { findNetwork, isAlive, networkLockPath, removeNetworkFile } from '../network-file.ts'
import { isLockHeld } from '../process-lock.ts'

const patienceMs = 20_000

export const down: Command = {
  name: 'down',
  summary: 'Stops the network of this directory, or leaves a joined one.',
  usage: 'tacit down',
  async run({ dataDir, say, json }) {
    const found = findNetwork(dataDir)
    if (found === undefined && isLockHeld(networkLockPath(dataDir))) {
      say('The network is still starting (or ending); ask again in a moment.')
      if (json) console.log(JSON.stringify({ ok: false, stopped: false }))
      return 1
    }
    if (found === undefined) {
      say('No network is running here.')
      if (json) console.log(JSON.stringify({ ok: true, stopped: false }))
      return 0
    }
    if (found.kind === 'joined') {
      removeNetworkFile(dataDir)
      say('Left the network. Wallet, locks and receipts stay here.')
      if (json) console.log(JSON.stringify({ ok: true, stopped: true }))
      return 0
    }
    process.kill(found.pid, 'SIGTERM')
    const started = Date.now()
    while (isAlive(found.pid) && Date.now() - started < patienceMs) await new Promise((resolve) => setTimeout(resolve, 100))
    const stopped = !isAlive(found.pid)
    say(stopped ? 'Stopped.' : `Process ${found.pid} is still ending; ask again in a moment.`)
    if (json) console.log(JSON.stringify({ ok: stopped, stopped }))
    return stopped ? 0 : 1
  },
}
