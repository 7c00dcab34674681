import { TacitError } from '@tacit/protocol'

/** The base of every error of this package. */
export abstract class CompilerError<Code extends `compiler.${string}` = `compiler.${string}`> extends TacitError<Code> {}

/** An operator, or one of its forms, that the compiler cannot turn into a kernel. */
export class UnsupportedNodeError extends CompilerError<'compiler.unsupported-node'> {
  readonly node: string
  readonly operator: string
  constructor(node: string, operator: string, reason: string) {
    super('compiler.unsupported-node', `The node ${node} (${operator}) cannot be compiled: ${reason}.`)
    this.node = node
    this.operator = operator
  }
}

/** The model needs more memory than it was given. */
export class OverMemoryError extends CompilerError<'compiler.over-memory'> {
  constructor(neededBytes: number, allowedBytes: number) {
    super('compiler.over-memory', 'The compiled model would need more memory than allowed.', {
      details: [`Needed: ${neededBytes} bytes`, `Allowed: ${allowedBytes} bytes`],
    })
  }
}

/** The profile cannot express the model. */
export class ProfileError extends CompilerError<'compiler.profile'> {
  constructor(reason: string) {
    super('compiler.profile', `The model cannot be compiled in this profile: ${reason}.`)
  }
}

/** The compiler broke a promise to itself: its own module does not pass inspection. */
export class SelfCheckError extends CompilerError<'compiler.self-check'> {
  constructor(detail: string) {
    super('compiler.self-check', 'The compiled module does not pass inspection. This is a bug.', { details: [detail] })
  }
}
