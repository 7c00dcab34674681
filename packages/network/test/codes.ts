import { TacitError } from '@tacit/protocol'

/** For `assert.rejects`: the error is Tacit's and has this code. */
export function isTacitCode(code: string): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof TacitError && error.code === code) return true
    throw error
  }
}
