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
  /** `pid` is 0 while it is starting. */
  constructor(dataDir: string, pid: number) {
    super(
      'cli.already-running',
      `A network already ${pid === 0 ? 'starts' : 'runs'} in ${dataDir}${pid === 0 ? '' : ` (process ${pid})`}.`,
      {
        details: ['Stop it with `tacit down`, or use another directory with --data.'],
      },
    )
  }
}

/** The directory belongs to somebody else's network. */
export class AlreadyJoinedError extends TacitError<'cli.already-joined'> {
  constructor(dataDir: string) {
    super('cli.already-joined', `${dataDir} has joined a network.`, {
      details: ['Leave it with `tacit down`, or use another directory with --data.'],
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

/** A text that is no invitation, or not a whole one. */
export class InvitationMalformedError extends TacitError<'cli.invitation-malformed'> {
  constructor(reason: string) {
    super('cli.invitation-malformed', `This is not a whole invitation: ${reason}.`, {
      details: ['Copy it again, all of it: `tacit invite` prints it as one line.'],
    })
  }
}

/** An invitation of a version that this program does not know. */
export class InvitationVersionError extends TacitError<'cli.invitation-version'> {
  constructor(version: string) {
    super('cli.invitation-version', `The invitation has version ${version}, this program reads version 1.`)
  }
}

/** What answers is not the network that the invitation describes. */
export class InvitationMismatchError extends TacitError<'cli.invitation-mismatch'> {
  constructor(reason: string, options: TacitErrorOptions = {}) {
    super('cli.invitation-mismatch', `What answers is not the network of the invitation: ${reason}. Nothing was joined.`, options)
  }
}

/** The faucet gave nothing. */
export class FaucetRefusedError extends TacitError<'cli.faucet-refused'> {
  constructor(reason: string, options: TacitErrorOptions = {}) {
    super('cli.faucet-refused', `The faucet gave nothing: ${reason}`, options)
  }
}

/** There is less than an action needs. */
export class BalanceTooLowError extends TacitError<'cli.balance-too-low'> {
  constructor(what: string, details: readonly string[]) {
    super('cli.balance-too-low', `${what} Nothing was sent.`, { details })
  }
}

/** A wallet is there already, and it is another one. */
export class WalletExistsError extends TacitError<'cli.wallet-exists'> {
  constructor(address: string, backup: string) {
    super('cli.wallet-exists', `Another wallet (${address}) is in this directory; the backup holds ${backup}.`, {
      details: ['Back it up first, then say --replace; the old key is kept beside the new one.'],
    })
  }
}

/** A worker of that name runs already. */
export class WorkerRunningError extends TacitError<'cli.worker-running'> {
  constructor(name: string, pid: number) {
    super('cli.worker-running', `The worker ${name} of this directory already runs (process ${pid}).`, {
      details: ['Stop it with `tacit worker drain`, or start another with --name.'],
    })
  }
}

/** There is nothing that a worker could serve. */
export class NothingToServeError extends TacitError<'cli.nothing-to-serve'> {
  constructor() {
    super('cli.nothing-to-serve', 'This machine has no model that is published on this network.', {
      details: ['Add a file with `tacit models add FILE` and publish it with --publish NAME, or serve one of Ollama with --ollama NAME.'],
    })
  }
}
