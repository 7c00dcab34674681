// A helper thread: waits for orders on the board and does its share of the limbs. It gets public data and model data only.
import { parentPort, workerData } from 'node:worker_threads'
import { finishRequest, prepareRequest } from '../circuit/evaluate.ts'
import { createCrewMember, nextOrder } from '../internal/crew.ts'
import { attachRing } from '../internal/ring.ts'
import { boardOffsets, boardWords, type CrewMessage } from './crew-message.ts'

// The thread is started by crew-runner.ts with exactly this data.
const { memory, layout, session, slots, board, steps, index, count } = workerData as CrewMessage
const member = createCrewMember(steps, index, count)
const ring = attachRing(layout, memory, member)
const words = new Int32Array(board)
const bytes = new Uint8Array(board)
parentPort?.postMessage('ready')
for (let done = 0; ; ) {
  const order = nextOrder(words, boardWords.order, done)
  if (order === done) continue
  done = order
  member.begin()
  const kind = words[boardWords.kind]
  if (kind === 3) break
  const slot = slots[words[boardWords.slot] ?? 0]
  if (slot === undefined) break
  const maskSeed = bytes.slice(boardOffsets.maskSeed, boardOffsets.maskSeed + 32)
  const request = bytes.subarray(boardOffsets.request, boardOffsets.request + (words[boardWords.size] ?? 0))
  try {
    if (kind === 1) prepareRequest(ring, session, bytes.slice(boardOffsets.seed, boardOffsets.seed + 32), maskSeed, slot)
    else finishRequest(ring, session, request, maskSeed, slot)
  } catch {
    // A failed job is marked on the board, and the first thread says so to whoever asked; it does without this one otherwise.
  }
  Atomics.add(words, boardWords.idle, 1)
  Atomics.notify(words, boardWords.idle)
}
parentPort?.close()
