// A helper thread: waits for orders on the board and does its share of the jobs. It gets public data and model data only.
import { parentPort, workerData } from 'node:worker_threads'
import { finishRequest, prepareRequest } from '../circuit/evaluate.ts'
import { createCrewMember, nextOrder } from '../internal/crew.ts'
import { attachRing } from '../internal/ring.ts'
import { boardOffsets, boardWords, type CrewMessage, orderKinds } from './crew-message.ts'

// The thread is started by crew-runner.ts with exactly this data.
const { memory, layout, session, slots, board, steps, index, count } = workerData as CrewMessage
const member = createCrewMember(steps, index, count)
const ring = attachRing(layout, memory, member)
const words = new Int32Array(board)
const bytes = new Uint8Array(board)
parentPort?.postMessage('ready')
for (let done = 0; ; ) {
  const order = nextOrder(words, boardWords.order, done)
  // Odd: the next order is being written.
  if (order === done || (order & 1) === 1) continue
  done = order
  const kind = words[boardWords.kind]
  const slot = slots[words[boardWords.slot] ?? 0]
  const size = words[boardWords.size] ?? 0
  const seed = bytes.slice(boardOffsets.seed, boardOffsets.seed + 32)
  const maskSeed = bytes.slice(boardOffsets.maskSeed, boardOffsets.maskSeed + 32)
  member.enter()
  try {
    // What was read belongs together only if the order is still the same. The request itself is read by jobs, which the order waits for.
    if (Atomics.load(words, boardWords.order) !== order) continue
    if (kind === orderKinds.stop || slot === undefined) break
    member.begin(order / 2)
    if (kind === orderKinds.prepare) prepareRequest(ring, session, seed, maskSeed, slot)
    else finishRequest(ring, session, bytes.subarray(boardOffsets.request, boardOffsets.request + size), maskSeed, slot)
  } catch {
    // The order is over, or a job failed: that is marked, and the first thread says so to whoever asked. It does without this one otherwise.
  } finally {
    member.leave()
  }
}
parentPort?.close()
