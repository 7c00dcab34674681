// A helper thread: waits for orders on the board and does its share of the limbs. It gets public data and model data only.
import { parentPort, workerData } from 'node:worker_threads'
import { finishRequest, prepareRequest } from '../circuit/evaluate.ts'
import { createCrewMember } from '../internal/crew.ts'
import { attachRing } from '../internal/ring.ts'
import { boardOffsets, boardWords, type CrewMessage } from './crew-message.ts'

// The thread is started by crew-runner.ts with exactly this data.
const { memory, layout, session, slots, board, index, count } = workerData as CrewMessage
const ring = attachRing(layout, memory, createCrewMember(memory, index, count))
const words = new Int32Array(board)
const bytes = new Uint8Array(board)
parentPort?.postMessage('ready')
for (let done = 0; ; ) {
  Atomics.wait(words, boardWords.order, done)
  const order = Atomics.load(words, boardWords.order)
  if (order === done) continue
  done = order
  const kind = words[boardWords.kind]
  if (kind === 3) break
  const slot = slots[words[boardWords.slot] ?? 0]
  if (slot === undefined) break
  const maskSeed = bytes.slice(boardOffsets.maskSeed, boardOffsets.maskSeed + 32)
  if (kind === 1) prepareRequest(ring, session, bytes.slice(boardOffsets.seed, boardOffsets.seed + 32), maskSeed, slot)
  else finishRequest(ring, session, bytes.slice(boardOffsets.request, boardOffsets.request + (words[boardWords.size] ?? 0)), maskSeed, slot)
  ring.crew.meet()
}
parentPort?.close()
