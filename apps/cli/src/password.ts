// Passwords come from the terminal, unseen, or from a file; never from the command line, which other users of a machine can read.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { FileUnusableError, UsageError } from './errors.ts'

export type PasswordSource = {
  readonly file: string | undefined
  readonly usage: string
  readonly signal: AbortSignal
}

/** Asks twice, since a slip would lock the backup for good. @throws UsageError, FileUnusableError */
export async function chooseNewPassword(source: PasswordSource): Promise<string> {
  const password = await readPassword('New password for the backup: ', source)
  if (password.length < 8) throw new UsageError('A password has at least 8 characters.', source.usage)
  if (source.file === undefined && (await readPassword('Once more: ', source)) !== password)
    throw new UsageError('The two passwords differ.', source.usage)
  return password
}

/** @throws UsageError where there is neither a file nor a terminal, FileUnusableError */
export async function readPassword(prompt: string, { file, usage, signal }: PasswordSource): Promise<string> {
  if (file !== undefined) return readPasswordFile(file)
  if (process.stdin.isTTY !== true) throw new UsageError('There is no terminal to ask for the password; use --password-file.', usage)
  return await askUnseen(prompt, signal)
}

function readPasswordFile(path: string): string {
  try {
    // One line; what editors add at its end does not belong to it.
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0]?.normalize('NFKC') ?? ''
  } catch (cause) {
    throw new FileUnusableError(path, 'cannot be read', { cause })
  }
}

function askUnseen(prompt: string, signal: AbortSignal): Promise<string> {
  process.stderr.write(prompt)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  return new Promise((resolve, reject) => {
    const end = (): void => {
      signal.removeEventListener('abort', onAbort)
      terminal.close()
      process.stderr.write('\n')
    }
    const onAbort = (): void => {
      end()
      reject(signal.reason)
    }
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    signal.addEventListener('abort', onAbort, { once: true })
    terminal.question('', (answer) => {
      end()
      resolve(answer.normalize('NFKC'))
    })
  })
}
