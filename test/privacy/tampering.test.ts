// A relay that does what it likes with messages. The client never delivers a wrong text: it gets a prefix of the right one and
// a named error, or everything by resuming; and the worker goes on serving others.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { WorkerSession } from '@tacit/client'
import { encodeFrame, parseFrame } from '@tacit/exchange'
import { concatBytes, TacitError } from '@tacit/protocol'
import { parseChunk } from '@tacit/session'
import { type Answer, honest, scriptedText, type SmallWorld, startSmallWorld, type Tamper } from './small-world.ts'

const tokens = 10
const isData = (message: Uint8Array): boolean => message[0] === 0
const frameOf = (message: Uint8Array): ReturnType<typeof parseFrame> => parseFrame(message.subarray(1))
const isFinal = (message: Uint8Array): boolean => {
  const frame = frameOf(message)
  return frame.type === 'cell' && parseChunk(frame.chunk).final
}
const isCell = (message: Uint8Array): boolean => isData(message) && frameOf(message).type === 'cell'

describe('a relay that tampers', () => {
  let world: SmallWorld
  before(async () => {
    world = await startSmallWorld()
  })
  after(() => world?.close())

  /** Opens a session and runs a job while the relay tampers; then shows that the worker still serves others. */
  async function attempt(tamper: Tamper, name: string, prompt = 'word'): Promise<Answer> {
    let answer: Answer
    try {
      await using session = await WorkerSession.open(world.options(tamper), { signal: AbortSignal.timeout(20_000) })
      answer = await world.ask(session, prompt, tokens)
    } catch (error) {
      answer = { text: '', error, hasReceipt: false, resumed: 0 }
    }
    const expected = scriptedText(prompt, tokens)
    assert.ok(expected.startsWith(answer.text), `${name}: delivered ${JSON.stringify(answer.text)}`)
    if (answer.error === undefined) assert.equal(answer.text, expected, `${name}: ended without an error and without the whole text`)
    else assert.ok(answer.error instanceof TacitError, `${name}: ${String(answer.error)}`)
    assert.deepEqual(world.reported, [], `${name}: the worker failed`)
    return answer
  }

  async function workerStillServes(): Promise<void> {
    await using session = await WorkerSession.open(world.options())
    // Its books may be a step ahead after a cut; it says so once.
    let answer = await world.ask(session, 'after', tokens)
    if (answer.error !== undefined) answer = await world.ask(session, 'after', tokens)
    assert.equal(answer.error, undefined)
    assert.equal(answer.text, scriptedText('after', tokens))
  }

  /** How many messages pass in each direction when nobody tampers. */
  async function countMessages(): Promise<{ readonly up: number; readonly down: number }> {
    const counts = { up: 0, down: 0 }
    const answer = await attempt((message, { direction }) => {
      counts[direction]++
      return [message]
    }, 'honest')
    assert.ok(answer.hasReceipt)
    return counts
  }

  const once = (direction: 'up' | 'down', index: number, change: (message: Uint8Array) => readonly Uint8Array[] | 'cut'): Tamper => {
    let done = false
    return (message, where) => {
      if (done || where.direction !== direction || where.index !== index) return [message]
      done = true
      return change(message)
    }
  }

  it('flips a bit in any message: recovered or refused by name, never a wrong text', async () => {
    const counts = await countMessages()
    let recovered = 0
    let refused = 0
    for (const direction of ['up', 'down'] as const) {
      for (let index = 0; index < counts[direction]; index++) {
        for (const place of [0, 0.5, 0.999]) {
          const flip = (message: Uint8Array): readonly Uint8Array[] => {
            const at = Math.min(message.length - 1, Math.floor(place * message.length))
            message[at] = (message[at] ?? 0) ^ (1 << (index % 8))
            return [message]
          }
          const answer = await attempt(once(direction, index, flip), `bit flipped at ${place} of ${direction} ${index}`)
          if (answer.error === undefined) recovered++
          else refused++
        }
      }
    }
    console.log(`one bit flipped: ${recovered} times recovered, ${refused} times refused by name`)
    assert.ok(recovered > 0 && refused > 0)
    await workerStillServes()
  })

  for (const [name, change] of [
    ['truncates', (message: Uint8Array) => [message.subarray(0, Math.max(1, message.length - 7))]],
    ['doubles', (message: Uint8Array) => [message, message]],
    ['lengthens', (message: Uint8Array) => [concatBytes(message, new Uint8Array(3))]],
    ['cuts the connection at', (): 'cut' => 'cut'],
  ] as const) {
    it(`${name} any message`, async () => {
      const counts = await countMessages()
      for (const direction of ['up', 'down'] as const)
        for (let index = 0; index < counts[direction]; index++)
          await attempt(once(direction, index, change), `${name} ${direction} ${index}`)
      await workerStillServes()
    })
  }

  it('swaps any two cells that follow each other', async () => {
    for (let index = 0; index < 5; index++) {
      let held: Uint8Array | undefined
      let cells = 0
      const answer = await attempt(
        (message, { direction }) => {
          if (direction !== 'down' || !isCell(message)) return [message]
          if (isFinal(message)) return [message]
          const mine = cells++
          if (mine === index) {
            held = message
            return []
          }
          if (mine !== index + 1 || held === undefined) return [message]
          return [message, held]
        },
        `cells ${index} and ${index + 1} swapped`,
      )
      if (answer.error === undefined) assert.ok(answer.hasReceipt)
    }
    await workerStillServes()
  })

  it('replays a cell in the place of a later one', async () => {
    for (let index = 1; index < 6; index++) {
      const cells: Uint8Array[] = []
      await attempt((message, { direction, connection }) => {
        if (direction !== 'down' || !isCell(message)) return [message]
        cells.push(message)
        return cells.length === index + 1 && connection >= 0 ? [cells[0] ?? message] : [message]
      }, `cell 0 again in the place of cell ${index}`)
    }
    await workerStillServes()
  })

  it('splices cells of another session in', async () => {
    const stolen: Uint8Array[] = []
    await attempt(
      (message, { direction }) => {
        if (direction === 'down' && isCell(message)) stolen.push(message)
        return [message]
      },
      'a session to steal from',
      'other',
    )
    assert.ok(stolen.length > 2)
    for (let index = 0; index < Math.min(6, stolen.length); index++) {
      let cells = 0
      const answer = await attempt((message, { direction }) => {
        if (direction !== 'down' || !isCell(message)) return [message]
        return cells++ === index ? [stolen[index] ?? message] : [message]
      }, `cell ${index} of another session`)
      assert.ok(!answer.text.includes('other'))
    }
    await workerStillServes()
  })

  it('drops the final chunk and hangs up: the client asks for it again', async () => {
    let dropped = 0
    const answer = await attempt((message, { direction }) => {
      if (direction !== 'down' || !isCell(message) || dropped > 1) return [message]
      const frame = frameOf(message)
      if (frame.type !== 'cell' || !parseChunk(frame.chunk).final) return [message]
      dropped++ // the first is the quote's, the second the answer's
      return 'cut'
    }, 'final chunk dropped')
    assert.equal(dropped, 2)
    assert.equal(answer.error, undefined)
    assert.ok(answer.hasReceipt)
  })

  it('never lets a final chunk through: the answer does not count as whole', async () => {
    let jobs = 0
    const answer = await attempt((message, { direction }) => {
      if (direction === 'up' && isData(message) && frameOf(message).type === 'start') jobs++
      if (direction !== 'down' || jobs < 2 || !isCell(message)) return [message]
      const frame = frameOf(message)
      return frame.type === 'cell' && parseChunk(frame.chunk).final ? 'cut' : [message]
    }, 'final chunk never comes')
    assert.ok(answer.error instanceof TacitError && answer.error.code === 'client.stream-lost', String(answer.error))
  })

  it('answers in the place of the worker', async () => {
    const forged = (frame: Parameters<typeof encodeFrame>[0]): Uint8Array => concatBytes(Uint8Array.of(0), encodeFrame(frame))
    const forgeries: readonly (readonly [string, (message: Uint8Array) => readonly Uint8Array[]])[] = [
      ['another attempt nonce in STARTED', () => [forged({ type: 'started', attemptNonce: new Uint8Array(32).fill(9) })]],
      [
        'a RESUMED that was not asked for',
        (message) => [message, forged({ type: 'resumed', next: 0, attemptNonce: new Uint8Array(32).fill(9) })],
      ],
      [
        'a RESUMED far ahead',
        (message) => [message, forged({ type: 'resumed', next: 4_000_000_000, attemptNonce: new Uint8Array(32).fill(9) })],
      ],
      ['a second OPENED', (message) => [message, forged({ type: 'opened' })]],
      ['an invented cell', (message) => [message, forged({ type: 'cell', chunk: new Uint8Array(64) })]],
    ]
    for (const [name, change] of forgeries) {
      for (const which of [0, 1]) {
        let started = 0
        await attempt((message, { direction }) => {
          if (direction !== 'down' || !isData(message) || frameOf(message).type !== 'started') return [message]
          return started++ === which ? change(message) : [message]
        }, `${name} (stream ${which})`)
      }
    }
    await workerStillServes()
  })

  // After a break, what the relay puts into RESUMED must not make the client forget what it has.
  it('changes the nonce in RESUMED after a break: nothing is delivered twice', async () => {
    for (let after = 1; after <= 3; after++) {
      let jobs = 0
      let cells = 0
      let changed = 0
      const answer = await attempt((message, { direction }) => {
        if (!isData(message)) return [message]
        const frame = frameOf(message)
        if (direction === 'up' && frame.type === 'start') jobs++
        if (direction === 'up' || jobs < 2) return [message]
        if (frame.type === 'cell' && ++cells === after + 1) return 'cut'
        if (frame.type !== 'resumed' || changed > 0) return [message]
        changed++
        return [concatBytes(Uint8Array.of(0), encodeFrame({ ...frame, attemptNonce: new Uint8Array(32).fill(7) }))]
      }, `nonce changed in RESUMED after ${after} cells`)
      assert.equal(changed, 1)
      assert.equal(answer.error, undefined, `after ${after} cells: ${String(answer.error)}`)
      assert.ok(answer.hasReceipt)
    }
  })

  it('says faults in the name of the worker: the client stops by name and has paid one step at most', async () => {
    for (const fault of ['prekey-unknown', 'not-accepted', 'session-unknown', 'job-seen', 'stream-lost', 'busy', 'malformed'] as const) {
      const before = world.ledgers.read(world.order('x', 1).channel).signed
      let cells = 0
      const answer = await attempt((message, { direction }) => {
        if (direction !== 'down' || !isCell(message) || ++cells !== 4) return [message]
        return [concatBytes(Uint8Array.of(0), encodeFrame({ type: 'fault', fault }))]
      }, `fault ${fault}`)
      if (fault !== 'malformed') assert.ok(answer.error instanceof TacitError)
      assert.ok(world.ledgers.read(world.order('x', 1).channel).signed - before <= 40n)
    }
    await workerStillServes()
  })

  it('is harmless when it is honest', async () => {
    assert.ok((await attempt(honest, 'honest')).hasReceipt)
  })
})
