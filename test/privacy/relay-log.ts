// Reads what a relay wrote down, the way its operator could: connections, channel frames, and the frames of the exchange.
import { existsSync, readFileSync } from 'node:fs'
import { type Frame, parseFrame } from '@tacit/exchange'
import { parseHex } from '@tacit/protocol'
import { parseChunk } from '@tacit/session'

/** One message that the relay forwarded on the connection of a client. */
export type Sighting = { readonly atMs: number; readonly direction: 'up' | 'down'; readonly bytes: Uint8Array }

/** One connection of a client, in order of opening. */
export type ClientConnection = { readonly sightings: Sighting[] }

export type RelayLog = {
  readonly connections: readonly ClientConnection[]
  /** Every byte string that passed or was said, on connections of clients and of workers. */
  readonly everything: readonly Uint8Array[]
}

const dataFrame = 0

export function readRelayLog(path: string): RelayLog {
  const connections: ClientConnection[] = []
  const everything: Uint8Array[] = []
  // A relay that was restarted counts from the start again.
  const current = new Map<number, ClientConnection>()
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const event = parseLine(line)
    if (event === undefined) continue
    if (event.kind === 'connected' && event.party === 'client') {
      const connection: ClientConnection = { sightings: [] }
      current.set(event.connection, connection)
      connections.push(connection)
    }
    if (event.bytes === undefined) continue
    const bytes = parseHex(event.bytes, 'What a relay saw')
    everything.push(bytes)
    if (event.party === 'client')
      current.get(event.connection)?.sightings.push({ atMs: event.atMs, direction: event.kind === 'received' ? 'up' : 'down', bytes })
  }
  return { connections, everything }
}

type Line = { readonly atMs: number; readonly connection: number; readonly party: string; readonly kind: string; readonly bytes?: string }

// The last line may be half written when the relay was killed.
function parseLine(line: string): Line | undefined {
  if (line === '') return undefined
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

/** The frames of the exchange in a connection; what the channel itself says is left out. */
export function framesOf({ sightings }: ClientConnection): readonly { readonly sighting: Sighting; readonly frame: Frame }[] {
  return sightings.flatMap((sighting) =>
    sighting.bytes[0] === dataFrame ? [{ sighting, frame: parseFrame(sighting.bytes.subarray(1)) }] : [],
  )
}

/** A job as the relay sees it: everything from its START, or a RESUME, to the next one. */
export type SeenJob = {
  readonly session: string
  readonly jobIndex: number
  readonly paced: boolean
  readonly sightings: readonly Sighting[]
}

export function jobsOf(connection: ClientConnection): readonly SeenJob[] {
  const jobs: (SeenJob & { readonly sightings: Sighting[] })[] = []
  for (const { sighting, frame } of framesOf(connection)) {
    if (frame.type === 'start') jobs.push({ session: frame.session, jobIndex: frame.jobIndex, paced: frame.paced, sightings: [] })
    jobs.at(-1)?.sightings.push(sighting)
  }
  return jobs
}

/** A sealed chunk with everything that decides its key and nonce. */
export type SeenChunk = {
  /** Session, job and direction: these choose the key, together with the attempt's nonce. */
  readonly stream: string
  readonly attemptNonce: string
  readonly counter: number
  readonly final: boolean
  readonly bytes: string
}

/** Every chunk in every connection, repetitions included. */
export function chunksOf(log: RelayLog): readonly SeenChunk[] {
  const nonces = new Map<string, string>()
  const seen: Omit<SeenChunk, 'attemptNonce'>[] = []
  const clashes: SeenChunk[] = []
  const bind = (stream: string, nonce: Uint8Array): void => {
    const hex = Buffer.from(nonce).toString('hex')
    const known = nonces.get(stream)
    if (known !== undefined && known !== hex) clashes.push({ stream, attemptNonce: hex, counter: -1, final: false, bytes: known })
    nonces.set(stream, hex)
  }
  for (const connection of log.connections) {
    let job = ''
    for (const { sighting, frame } of framesOf(connection)) {
      if (frame.type === 'start' || frame.type === 'resume') job = `${frame.session}/${frame.jobIndex}`
      if (frame.type === 'start') bind(`${job}/up`, frame.attemptNonce)
      if (frame.type === 'started' || frame.type === 'resumed') bind(`${job}/down`, frame.attemptNonce)
      if (frame.type !== 'cell') continue
      const { counter, final } = parseChunk(frame.chunk)
      seen.push({ stream: `${job}/${sighting.direction}`, counter, final, bytes: Buffer.from(frame.chunk).toString('hex') })
    }
  }
  if (clashes.length > 0) throw new Error(`a stream was sealed under two attempt nonces: ${clashes[0]?.stream}`)
  return seen.map((chunk) => ({ ...chunk, attemptNonce: nonces.get(chunk.stream) ?? '' }))
}

/** Where a secret occurs: as it is, as hex (either case, with or without 0x), or as base64. */
export function findIn(everything: readonly Uint8Array[], secret: Uint8Array): readonly string[] {
  const raw = Buffer.from(secret)
  const forms: readonly (readonly [string, Buffer])[] = [
    ['binary', raw],
    ['reversed', Buffer.from(raw.toReversed())],
    ['hex', Buffer.from(raw.toString('hex'))],
    ['HEX', Buffer.from(raw.toString('hex').toUpperCase())],
    ['base64', Buffer.from(raw.toString('base64').replace(/=+$/, '').slice(0, -1))],
    ['base64url', Buffer.from(raw.toString('base64url').slice(0, -1))],
    ['decimal', Buffer.from(BigInt(`0x${raw.toString('hex') || '0'}`).toString())],
  ]
  return forms.filter(([, form]) => everything.some((bytes) => Buffer.from(bytes).includes(form))).map(([name]) => name)
}
