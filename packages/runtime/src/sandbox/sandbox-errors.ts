import { RuntimeError } from '../errors.ts'

/** Inspection refused the module, or it does not do what its manifest says. */
export class SandboxRefusedError extends RuntimeError<'runtime.sandbox-refused'> {
  /** The inspection's word for it (`import`, `loop`, ...), or `manifest`. */
  readonly reason: string
  constructor(reason: string, detail: string) {
    super('runtime.sandbox-refused', 'The module was refused before anything of it ran.', { details: [`Reason: ${reason}`, detail] })
    this.reason = reason
  }
}

/** The run was ended because its time was up. */
export class SandboxDeadlineError extends RuntimeError<'runtime.sandbox-deadline'> {
  readonly deadlineMs: number
  constructor(deadlineMs: number) {
    super('runtime.sandbox-deadline', 'The run took longer than it was allowed and was ended.', { details: [`Deadline: ${deadlineMs} ms`] })
    this.deadlineMs = deadlineMs
  }
}

/** The module trapped: it tried to read or write outside its memory. */
export class SandboxTrapError extends RuntimeError<'runtime.sandbox-trap'> {
  constructor(detail: string) {
    super('runtime.sandbox-trap', 'The module tried something that its sandbox does not allow, and was ended.', { details: [detail] })
  }
}
