import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { basename } from 'node:path'
import { maxOpeningsBytes, maxReceiptFileBytes, parseCheckpoint, parseOpenings } from '@tacit/protocol'
import { explainReceipt, verifyReceipt } from '@tacit/receipt'
import { type Command, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'

const usage = 'tacit verify RECEIPT.json [--checkpoint FILE] [--openings FILE] [--explain]'

export const verify: Command = {
  name: 'verify',
  summary: 'Checks a receipt offline, against a checkpoint that you trust.',
  usage,
  details: [
    'Exit code 0: everything that the ordered level needs passed. 1: something failed. 2: something needed could not be checked.',
    'A checkpoint comes from a node that you trust (`tacit verify` takes the one that was saved beside the receipt only when you name it).',
  ],
  options: {
    checkpoint: { type: 'string', value: 'FILE', help: 'the block and contracts that you trust' },
    openings: { type: 'string', value: 'FILE', help: 'also check what was said against the commitments' },
    explain: { type: 'boolean', help: 'say what each line means' },
  },
  async run({ positionals, values, json, say }) {
    const [path] = positionals
    if (path === undefined || positionals.length !== 1) throw new UsageError('Name one receipt file.', usage)
    const checkpointPath = textOf(values, 'checkpoint')
    const openingsPath = textOf(values, 'openings')
    const result = await verifyReceipt(readFile(path, maxReceiptFileBytes), {
      ...(checkpointPath === undefined ? {} : { checkpoint: parsed(checkpointPath, 8192, parseCheckpoint) }),
      ...(openingsPath === undefined ? {} : { openings: parsed(openingsPath, maxOpeningsBytes, parseOpenings) }),
      now: Math.floor(Date.now() / 1000),
    })
    if (values['explain'] === true) for (const line of explainReceipt(result)) say(line)
    else for (const { status, check, reason } of result.lines) say(`${status}  ${check.padEnd(13)} ${reason}`)
    say(verdict(result.exitCode))
    const beside = join(dirname(dirname(path)), 'checkpoints', basename(path))
    if (checkpointPath === undefined && existsSync(beside)) say(`A checkpoint was saved when this receipt came: --checkpoint ${beside}`)
    if (json) {
      const { lines, level, orderedLevel, exitCode, receiptId } = result
      console.log(JSON.stringify({ ok: exitCode === 0, exitCode, receiptId, level, orderedLevel, lines }))
    }
    return result.exitCode
  },
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
