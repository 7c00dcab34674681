import { TacitError, type TacitErrorOptions } from '@tacit/protocol'

/** The data directory holds something that this version cannot read. */
export class CorruptDataError extends TacitError<'node.corrupt-data'> {
  constructor(path: string, options: TacitErrorOptions = {}) {
    super('node.corrupt-data', `The data in ${path} cannot be read.`, options)
  }
}

/** Another process works on the same data directory. */
export class DataInUseError extends TacitError<'node.data-in-use'> {
  constructor(path: string, pid: number) {
    super('node.data-in-use', `Another process (${pid}) already uses ${path}.`, { details: ['Stop it first: `tacit down`.'] })
  }
}

/** What is to be served is not what the registry committed to. */
export class ModelMismatchError extends TacitError<'node.model-mismatch'> {
  constructor(name: string, reason: string) {
    super('node.model-mismatch', `The model ${name} cannot be served: ${reason}.`)
  }
}

/** A part of the network did not start, or ended. */
export class RoleFailedError extends TacitError<'node.role-failed'> {
  constructor(role: string, reason: string, options: TacitErrorOptions = {}) {
    super('node.role-failed', `The ${role} did not start: ${reason}`, options)
  }
}
