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
