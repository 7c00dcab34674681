import { TacitError, type TacitErrorOptions } from '@tacit/protocol'

/** The command line is not one that tacit understands. */
export class UsageError extends TacitError<'cli.usage'> {
  constructor(message: string, usage: string) {
    super('cli.usage', message, { details: [`Usage: ${usage}`] })
  }
}

/** No network runs in the data directory. */
export class NoNetworkError extends TacitError<'cli.no-network'> {
  constructor(dataDir: string) {
    super('cli.no-network', 'No network is running here.', {
      details: [`Looked in ${dataDir}.`, 'Start one with `tacit up` (or `npm start`), or join one with `tacit join <invitation>`.'],
    })
  }
}

/** A network runs already. */
export class AlreadyRunningError extends TacitError<'cli.already-running'> {
  constructor(dataDir: string, pid: number) {
    super('cli.already-running', `A network already runs in ${dataDir} (process ${pid}).`, {
      details: ['Stop it with `tacit down`, or use another directory with --data.'],
    })
  }
}

/** A file that the user named cannot be used. */
export class FileUnusableError extends TacitError<'cli.file-unusable'> {
  constructor(path: string, reason: string, options: TacitErrorOptions = {}) {
    super('cli.file-unusable', `${path} ${reason}.`, options)
  }
}

/** The password does not open the backup. */
export class WrongPasswordError extends TacitError<'cli.wrong-password'> {
  constructor(path: string) {
    super('cli.wrong-password', `The password does not open ${path}. Nothing was changed.`)
  }
}
