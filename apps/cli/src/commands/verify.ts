import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { basename } from 'node:path'
import { maxOpeningsBytes, maxReceiptFileBytes, type Openings, parseCheckpoint, parseOpenings } from '@tacit/protocol'
import { explainReceipt, type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import { type Command, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import type { ReplayLine } from '../replay-receipt.ts'

const maxModelBytes = 2 ** 30

const usage = 'tacit verify RECEIPT.json [--checkpoint FILE] [--openings FILE [--replay MODEL.onnx]] [--explain]'

export const verify: Command = {
  name: 'verify',
  summary: 'Checks a receipt offline, against a checkpoint that you trust.',
  usage,
  details: [
    'Exit code 0: everything that the ordered level needs passed. 1: something failed. 2: something needed could not be checked.',
    '`--replay` runs the model file again on the opened input: answer and layer trace must come out to the bit. What it shows counts like the other checks.',
    'A checkpoint comes from a node that you trust (`tacit verify` takes the one that was saved beside the receipt only when you name it).',
  ],
  options: {
    checkpoint: { type: 'string', value: 'FILE', help: 'the block and contracts that you trust' },
    openings: { type: 'string', value: 'FILE', help: 'also check what was said against the commitments' },
    replay: { type: 'string', value: 'MODEL.onnx', help: 'with --openings: run the model again and compare' },
    explain: { type: 'boolean', help: 'say what each line means' },
  },
  async run({ positionals, values, json, say }) {
    const [path] = positionals
    if (path === undefined || positionals.length !== 1) throw new UsageError('Name one receipt file.', usage)
    const checkpointPath = textOf(values, 'checkpoint')
    const openingsPath = textOf(values, 'openings')
    const replayPath = textOf(values, 'replay')
    if (replayPath !== undefined && openingsPath === undefined)
      throw new UsageError('--replay needs --openings: it runs on the opened input.', usage)
    const openings = openingsPath === undefined ? undefined : parsed(openingsPath, maxOpeningsBytes, parseOpenings)
    const result = await verifyReceipt(readFile(path, maxReceiptFileBytes), {
      ...(checkpointPath === undefined ? {} : { checkpoint: parsed(checkpointPath, 8192, parseCheckpoint) }),
      ...(openings === undefined ? {} : { openings }),
      now: Math.floor(Date.now() / 1000),
    })
    if (values['explain'] === true) for (const line of explainReceipt(result)) say(line)
    else for (const { status, check, reason } of result.lines) say(`${status}  ${check.padEnd(13)} ${reason}`)
    const replayed = replayPath === undefined || openings === undefined ? [] : await replay(result, openings, replayPath)
    for (const { status, check, reason } of replayed) say(`${status}  ${check.padEnd(13)} ${reason}`)
    const exitCode = exitCodeOf(result.exitCode, replayed)
    say(verdict(exitCode))
    const beside = join(dirname(dirname(path)), 'checkpoints', basename(path))
    if (checkpointPath === undefined && existsSync(beside)) say(`A checkpoint was saved when this receipt came: --checkpoint ${beside}`)
    if (json) {
      const { lines, level, orderedLevel, receiptId } = result
      console.log(JSON.stringify({ ok: exitCode === 0, exitCode, receiptId, level, orderedLevel, lines, replay: replayed }))
    }
    return exitCode
  },
}

/** Nothing of a receipt that was refused is run. */
async function replay(result: ReceiptVerification, openings: Openings, path: string): Promise<readonly ReplayLine[]> {
  if (result.core === null || result.exitCode === 1) return []
  // The compiler is loaded only by those who use it.
  const { replayReceipt } = await import('../replay-receipt.ts')
  return replayReceipt(result.core, openings, Uint8Array.from(readFile(path, maxModelBytes)))
}

function exitCodeOf(exitCode: 0 | 1 | 2, replayed: readonly ReplayLine[]): 0 | 1 | 2 {
  if (exitCode === 1 || replayed.some(({ status }) => status === 'FAIL')) return 1
  return replayed.some(({ status }) => status === 'SKIP') ? 2 : exitCode
}

function verdict(exitCode: 0 | 1 | 2): string {
  if (exitCode === 0) return 'VERIFIED: everything that the ordered level needs was checked and passed.'
  return exitCode === 1 ? 'REFUSED: a check failed.' : 'NOT VERIFIED: nothing failed, but something needed could not be checked.'
}

function readFile(path: string, maxBytes: number): Uint8Array {
  try {
    if (statSync(path).size > maxBytes) throw new FileUnusableError(path, `is larger than ${maxBytes} bytes`)
    return readFileSync(path)
  } catch (cause) {
    if (cause instanceof FileUnusableError) throw cause
    throw new FileUnusableError(path, 'cannot be read', { cause })
  }
}

function parsed<T>(path: string, maxBytes: number, parse: (bytes: Uint8Array) => T): T {
  try {
    return parse(readFile(path, maxBytes))
  } catch (cause) {
    if (cause instanceof FileUnusableError) throw cause
    throw new FileUnusableError(path, 'is not what it should be', { cause, details: [cause instanceof Error ? cause.message : ''] })
  }
}
