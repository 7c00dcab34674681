// The process between us and anvil. Its stdin is a pipe from whoever started the network: when that end closes, because the
// network was stopped or because its process was killed with SIGKILL, the tether writes the last snapshot and ends anvil.
// It holds the directory lock, writes the snapshots, and starts anvil again if it crashes.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type AnvilProcess, choosePort, StartFailure, startAnvil } from './anvil-process.ts'
import { takeDirectoryLock } from './directory-lock.ts'
import { endOrphan, forgetAnvil } from './orphan.ts'
import { loadSnapshot, writeSnapshot } from './snapshot.ts'
import type { TetherCommand, TetherConfig, TetherMessage } from './tether-protocol.ts'

const restartsMax = 5

class Tether {
  readonly #config: TetherConfig
  #anvil: AnvilProcess | undefined
  #port = 0
  #restarts = 0
  #isStopping = false
  /** The last block that the snapshot on disk contains. */
  #savedBlock = 0
  /** The last block known to need no snapshot: those up to it hold no transaction since the last one. */
  #scannedBlock = 0
  /** Snapshots are written one after the other. */
  #saving: Promise<void> = Promise.resolve()

  constructor(config: TetherConfig) {
    this.#config = config
  }

  async start(): Promise<void> {
    await endOrphan(this.#config.directory)
    this.#port = await choosePort(this.#config.port)
    const isRestored = await this.#run()
    say({ kind: 'ready', port: this.#port, anvilPid: this.#anvil?.pid ?? 0, isRestored })
    setInterval(() => void this.#saveIfChanged().catch(() => undefined), this.#config.snapshotMs).unref()
  }

  /** Starts anvil from the snapshot, if there is one, and watches it. */
  async #run(): Promise<boolean> {
    const snapshot = loadSnapshot(this.#config.directory)
    if (snapshot.kind === 'corrupt') throw new StartFailure({ reason: 'state-corrupt', file: snapshot.file, detail: snapshot.detail })
    const path = snapshot.kind === 'loaded' ? snapshot.path : undefined
    try {
      this.#anvil = await startAnvil(this.#config, this.#port, path)
    } finally {
      if (path !== undefined) rmSync(path, { force: true })
    }
    this.#savedBlock = await this.#head(this.#anvil)
    this.#scannedBlock = this.#savedBlock
    void this.#anvil.exited.then(() => this.#onExit())
    return path !== undefined
  }

  async #onExit(): Promise<void> {
    if (this.#isStopping) return
    if (++this.#restarts > restartsMax) process.exit(1)
    try {
      await this.#run()
      say({ kind: 'restarted', anvilPid: this.#anvil?.pid ?? 0 })
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500))
      await this.#onExit()
    }
  }

  /** Writes a snapshot when a transaction was mined since the last one. Empty blocks alone are written once in a while. */
  async #saveIfChanged(): Promise<void> {
    const anvil = this.#anvil
    if (anvil === undefined) return
    const head = await this.#head(anvil)
    if (head - this.#savedBlock > 100) return await this.save()
    // A head below what was scanned is another history.
    if (head < this.#scannedBlock) return await this.save()
    for (let number = Math.max(this.#savedBlock, this.#scannedBlock) + 1; number <= head; number++) {
      const count = await anvil.request('eth_getBlockTransactionCountByNumber', [`0x${number.toString(16)}`])
      if (count !== '0x0') return await this.save()
      this.#scannedBlock = number
    }
  }

  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#saveNow())
    return this.#saving
  }

  async #saveNow(): Promise<void> {
    if (this.#anvil === undefined) return
    const head = await this.#head(this.#anvil)
    const dump = await this.#anvil.request('anvil_dumpState')
    if (typeof dump !== 'string') throw new Error('anvil dumped no state')
    writeSnapshot(this.#config.directory, dump)
    this.#savedBlock = head
    this.#scannedBlock = head
  }

  async #head(anvil: AnvilProcess): Promise<number> {
    return Number(await anvil.request('eth_blockNumber'))
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    // A chain that cannot be dumped any more has been saved up to the last interval; it must end all the same.
    await this.save().catch(() => undefined)
    await this.#anvil?.kill()
    forgetAnvil(this.#config.directory)
  }
}

function say(message: TetherMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

async function main(): Promise<void> {
  // The other end may be gone when something is said to it.
  process.stdout.on('error', () => undefined)
  const config = JSON.parse(process.argv[2] ?? '') as TetherConfig // written by start.ts, in the same version
  const lock = takeDirectoryLock(config.directory, config.lockWaitMs)
  if (lock.kind === 'taken') {
    say({ kind: 'failed', failure: { reason: 'directory-in-use', holderPid: lock.holderPid } })
    process.exitCode = 1
    return
  }
  const tether = new Tether(config)
  const end = async (code: number): Promise<void> => {
    await tether.stop()
    lock.release()
    process.exit(code)
  }
  const input = createInterface({ input: process.stdin })
  input.on('line', (line) => void obey(tether, JSON.parse(line) as TetherCommand, end))
  input.on('close', () => void end(0))
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, () => void end(0))
  try {
    await tether.start()
  } catch (error) {
    const failure =
      error instanceof StartFailure ? error.failure : { reason: 'start-failed' as const, detail: messageOf(error), output: [] }
    say({ kind: 'failed', failure })
    await tether.stop()
    lock.release()
    process.exit(1)
  }
}

async function obey(tether: Tether, command: TetherCommand, end: (code: number) => Promise<void>): Promise<void> {
  if (command.kind === 'stop') return await end(0)
  try {
    await tether.save()
    say({ kind: 'done', id: command.id })
  } catch (error) {
    say({ kind: 'failed', failure: { reason: 'start-failed', detail: messageOf(error), output: [] } })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

await main()
