// The frames of one channel, in clear: what a relay sees. docs/spec/exchange.md lists them byte by byte.
//
// A session is opened once (OPEN, OPENED). Each job of it is one pair of sealed streams (START, STARTED, then CELLs both
// ways) that survives its channel: RESUME and RESUMED continue it on another one by sending stored ciphertext again.
import { concatBytes, type Hex, parseHex, parseSessionId, type SessionId, toHex } from '@tacit/protocol'
import { StreamError } from './errors.ts'

/** Reasons a worker may show in clear. They name no model, no payer and no input, and none of them is a fault of the client's. */
export const faults = ['prekey-unknown', 'not-accepted', 'session-unknown', 'job-seen', 'stream-lost', 'busy', 'malformed'] as const
export type Fault = (typeof faults)[number]

export type Frame =
  | { readonly type: 'open'; readonly prekeyId: Hex; readonly session: SessionId; readonly enc: Uint8Array }
  | { readonly type: 'opened' }
  | {
      readonly type: 'start'
      readonly session: SessionId
      readonly jobIndex: number
      readonly attemptNonce: Uint8Array
      readonly paced: boolean
    }
  | { readonly type: 'started'; readonly attemptNonce: Uint8Array }
  | { readonly type: 'cell'; readonly chunk: Uint8Array }
  | { readonly type: 'resume'; readonly session: SessionId; readonly jobIndex: number; readonly next: number }
  | { readonly type: 'resumed'; readonly next: number; readonly attemptNonce: Uint8Array }
  /** Asks for the worker's current signed prekey; everybody may. */
  | { readonly type: 'prekey-request' }
  /** Canonical JSON of a signed prekey. */
  | { readonly type: 'prekey'; readonly json: Uint8Array }
  /** Asks how busy the worker is; everybody may. */
  | { readonly type: 'status-request' }
  | { readonly type: 'status'; readonly capacity: number; readonly running: number; readonly draining: boolean }
  | { readonly type: 'fault'; readonly fault: Fault }

const tags = {
  open: 1,
  opened: 2,
  start: 3,
  started: 4,
  cell: 5,
  resume: 6,
  resumed: 7,
  fault: 8,
  'prekey-request': 9,
  prekey: 10,
  'status-request': 11,
  status: 12,
} as const
const version = 1

/** Largest frame: a cell of 64 KiB with its header. */
export const maxFrameBytes = 66_000

export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const head = Uint8Array.of(version, tags[frame.type])
  switch (frame.type) {
    case 'open':
      return concatBytes(head, parseHex(frame.prekeyId, 'A prekey id', 32), sessionBytes(frame.session), frame.enc)
    case 'opened':
      return head
    case 'start':
      return concatBytes(head, sessionBytes(frame.session), u32(frame.jobIndex), frame.attemptNonce, Uint8Array.of(frame.paced ? 1 : 0))
    case 'started':
      return concatBytes(head, frame.attemptNonce)
    case 'cell':
      return concatBytes(head, frame.chunk)
    case 'resume':
      return concatBytes(head, sessionBytes(frame.session), u32(frame.jobIndex), u32(frame.next))
    case 'resumed':
      return concatBytes(head, u32(frame.next), frame.attemptNonce)
    case 'prekey-request':
    case 'status-request':
      return head
    case 'status':
      return concatBytes(head, u32(frame.capacity), u32(frame.running), Uint8Array.of(frame.draining ? 1 : 0))
    case 'prekey':
      return concatBytes(head, frame.json)
    case 'fault':
      return concatBytes(head, Uint8Array.of(faults.indexOf(frame.fault)))
  }
}

/** @throws StreamError for anything but exactly one frame. */
export function parseFrame(bytes: Uint8Array): Frame {
  if (bytes.length < 2 || bytes.length > maxFrameBytes) throw new StreamError('a frame has an impossible length')
  if (bytes[0] !== version)
    throw new StreamError(`the other side speaks version ${bytes[0]} of the wire format, this one version ${version}`)
  const body = bytes.subarray(2)
  switch (bytes[1]) {
    case tags.open:
      if (body.length <= 64 || body.length > 64 + 4096) throw new StreamError('an open frame has an impossible length')
      return { type: 'open', prekeyId: toHex(body.subarray(0, 32)), session: readSession(body.subarray(32, 64)), enc: body.slice(64) }
    case tags.opened:
      return exactly(body, 0, { type: 'opened' })
    case tags.start:
      assertLength(body, 69)
      if ((body[68] ?? 2) > 1) throw new StreamError('a start frame names an unknown stream mode')
      return {
        type: 'start',
        session: readSession(body.subarray(0, 32)),
        jobIndex: readU32(body, 32),
        attemptNonce: body.slice(36, 68),
        paced: body[68] === 1,
      }
    case tags.started:
      return exactly(body, 32, { type: 'started', attemptNonce: body.slice() })
    case tags.cell:
      return { type: 'cell', chunk: body.slice() }
    case tags.resume:
      return exactly(body, 40, () => ({
        type: 'resume',
        session: readSession(body.subarray(0, 32)),
        jobIndex: readU32(body, 32),
        next: readU32(body, 36),
      }))
    case tags.resumed:
      return exactly(body, 36, () => ({ type: 'resumed', next: readU32(body, 0), attemptNonce: body.slice(4, 36) }))
    case tags['prekey-request']:
      return exactly(body, 0, { type: 'prekey-request' })
    case tags['status-request']:
      return exactly(body, 0, { type: 'status-request' })
    case tags.status:
      assertLength(body, 9)
      if ((body[8] ?? 2) > 1) throw new StreamError('a status frame is neither draining nor not')
      return { type: 'status', capacity: readU32(body, 0), running: readU32(body, 4), draining: body[8] === 1 }
    case tags.prekey:
      if (body.length > 4096) throw new StreamError('a prekey frame is too long')
      return { type: 'prekey', json: body.slice() }
    case tags.fault: {
      assertLength(body, 1)
      const fault = faults[body[0] ?? faults.length]
      if (fault === undefined) throw new StreamError('a fault frame names no known fault')
      return { type: 'fault', fault }
    }
    default:
      throw new StreamError('a frame has an unknown type')
  }
}

function exactly(body: Uint8Array, length: number, frame: Frame | (() => Frame)): Frame {
  assertLength(body, length)
  return typeof frame === 'function' ? frame() : frame
}

function assertLength(body: Uint8Array, length: number): void {
  if (body.length !== length) throw new StreamError('a frame has the wrong length for its type')
}

function sessionBytes(session: SessionId): Uint8Array {
  return parseHex(session, 'A session id', 32)
}

function readSession(bytes: Uint8Array): SessionId {
  return parseSessionId(toHex(bytes))
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

function readU32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset)
}
