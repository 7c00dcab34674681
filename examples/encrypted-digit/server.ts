// The worker's process: it gets the encoded model, then a key set, then requests, and answers each. No key file, no secret, no digit.
// Usage: node server.ts [RECORD]   with RECORD, everything that comes in (drawn randomness too) and goes out is kept there, in order;
//        node server.ts --replay RECORD   does it all again from the record and says whether the output is the same, bit for bit.
import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { CircuitSession, parseEncodedNetwork } from '@tacit/fhe'
import { readFrames, writeFrame } from './frames.ts'

const kinds = { input: 1, random: 2, output: 3 } as const

async function serve(recordPath: string | undefined): Promise<void> {
  const record = recordPath === undefined ? undefined : createWriteStream(recordPath)
  const note = (kind: number, bytes: Uint8Array): void => {
    if (record !== undefined) writeFrame(record, Uint8Array.from([kind, ...bytes]))
  }
  const random = (size: number): Uint8Array => {
    const bytes = new Uint8Array(randomBytes(size))
    note(kinds.random, bytes)
    return bytes
  }
  const answer = createAnswerer(random)
  for await (const input of readFrames(process.stdin)) {
    note(kinds.input, input)
    const output = answer(input)
    if (output === undefined) continue
    note(kinds.output, output)
    writeFrame(process.stdout, output)
  }
  record?.end()
}

async function replay(recordPath: string): Promise<void> {
  const frames: { readonly kind: number; readonly bytes: Uint8Array }[] = []
  for await (const frame of readFrames(createReadStream(recordPath))) frames.push({ kind: frame[0] ?? 0, bytes: frame.subarray(1) })
  const drawn = frames.filter(({ kind }) => kind === kinds.random).map(({ bytes }) => bytes)
  const outputs = frames.filter(({ kind }) => kind === kinds.output).map(({ bytes }) => bytes)
  const answer = createAnswerer(() => drawn.shift() ?? new Uint8Array())
  let same = 0
  for (const { kind, bytes } of frames) {
    if (kind !== kinds.input) continue
    const output = answer(Uint8Array.from(bytes))
    if (output === undefined) continue
    if (Buffer.from(output).equals(outputs[same] ?? new Uint8Array())) same++
    else break
  }
  process.stdout.write(`${same} of ${outputs.length} outputs are the same, bit for bit\n`)
  process.exitCode = same === outputs.length ? 0 : 1
}

/** First the model, then the key set, then requests. */
function createAnswerer(random: (size: number) => Uint8Array): (input: Uint8Array) => Uint8Array | undefined {
  let model: ReturnType<typeof parseEncodedNetwork> | undefined
  let session: CircuitSession | undefined
  return (input) => {
    if (model === undefined) {
      model = parseEncodedNetwork(input)
      return undefined
    }
    if (session === undefined) {
      session = new CircuitSession(model, input, { random, tickets: 0 })
      return undefined
    }
    return session.evaluate(input).response
  }
}

const [first, second] = process.argv.slice(2)
if (first === '--replay' && second !== undefined) await replay(second)
else await serve(first)
