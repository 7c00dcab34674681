import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { createSigner, parseHex, type SignatureBackend, type Signer, toHex } from '@tacit/protocol'
import { CorruptDataError } from '../errors.ts'

/**
 * The key in a file, drawn the first time. Readable by its owner only.
 * @throws CorruptDataError when the file is something else.
 */
export function openKeyFile(path: string, signatures: SignatureBackend): Signer {
  if (!existsSync(path)) writeDurably(path, `${toHex(randomBytes(32))}\n`)
  try {
    return createSigner(parseHex(readFileSync(path, 'utf8').trim(), 'A key file', 32), signatures)
  } catch (cause) {
    throw new CorruptDataError(path, { cause, details: ['It should hold one key as 0x and 64 hex digits. Restore it from your backup.'] })
  }
}

/** Whole or not at all, mode 0600 from the first byte. */
export function writeDurably(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}
