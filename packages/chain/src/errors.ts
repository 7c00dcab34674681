import { TacitError } from '@tacit/protocol'

/** The base of everything that goes wrong between us and a chain. */
export abstract class ChainError<Code extends `chain.${string}` = `chain.${string}`> extends TacitError<Code> {}

/** The node of the chain does not answer. */
export class ChainUnreachableError extends ChainError<'chain.unreachable'> {
  constructor({ url, waitedMs, cause }: { readonly url: string; readonly waitedMs?: number; readonly cause?: unknown }) {
    super('chain.unreachable', 'The chain does not answer.', {
      details: [`Address: ${withoutSecrets(url)}`, ...(waitedMs === undefined ? [] : [`Waited: ${waitedMs} ms`])],
      cause,
    })
  }
}

/** The node answers, but its head has not moved for too long. */
export class ChainStalledError extends ChainError<'chain.stalled'> {
  constructor({ blockNumber, waitedMs }: { readonly blockNumber: bigint; readonly waitedMs: number }) {
    super('chain.stalled', 'The chain answers but makes no blocks.', {
      details: [`Last block: ${blockNumber}`, `Waited: ${waitedMs} ms`],
    })
  }
}

/** Another chain answers at that address. */
export class WrongChainError extends ChainError<'chain.wrong-chain'> {
  constructor({ expected, actual }: { readonly expected: bigint; readonly actual: bigint }) {
    super('chain.wrong-chain', 'Another chain answers there.', { details: [`Expected chain id: ${expected}`, `Found: ${actual}`] })
  }
}

/** The contracts of a deployment are not on the chain that answers. */
export class DeploymentMissingError extends ChainError<'chain.deployment-missing'> {
  constructor({ contract, address }: { readonly contract: string; readonly address: string }) {
    super('chain.deployment-missing', 'The contracts are not on this chain.', { details: [`${contract} has no code at ${address}`] })
  }
}

/** The contract refused a transaction, or would refuse it. */
export class TransactionRevertedError extends ChainError<'chain.transaction-reverted'> {
  /** The Solidity error, for example `VoucherExceedsLock`; undefined when the contract gave none. */
  readonly reason: string | undefined
  readonly args: readonly unknown[]
  constructor(options: {
    readonly label: string
    readonly reason: string | undefined
    readonly args: readonly unknown[]
    readonly cause?: unknown
  }) {
    const shown = options.args.map((arg) => String(arg)).join(', ')
    super('chain.transaction-reverted', `The contract refused ${options.label}.`, {
      details: [options.reason === undefined ? 'It gave no reason' : `Reason: ${options.reason}(${shown})`],
      cause: options.cause,
    })
    this.reason = options.reason
    this.args = options.args
  }
}

/** A transaction was sent, replaced with higher fees, and still not mined in time. It may be mined later. */
export class TransactionTimeoutError extends ChainError<'chain.transaction-timeout'> {
  readonly nonce: number
  readonly hashes: readonly string[]
  constructor(options: {
    readonly label: string
    readonly nonce: number
    readonly hashes: readonly string[]
    readonly waitedMs: number
    readonly cause?: unknown
  }) {
    super('chain.transaction-timeout', `The transaction for ${options.label} was not mined in time.`, {
      details: [
        `Nonce: ${options.nonce}`,
        `Sent as: ${options.hashes.join(', ') || 'never accepted by the node'}`,
        `Waited: ${options.waitedMs} ms`,
      ],
      cause: options.cause,
    })
    this.nonce = options.nonce
    this.hashes = options.hashes
  }
}

/** The account cannot pay for the gas. */
export class InsufficientGasFundsError extends ChainError<'chain.insufficient-gas-funds'> {
  constructor({ address, cause }: { readonly address: string; readonly cause?: unknown }) {
    super('chain.insufficient-gas-funds', 'The account cannot pay for the transaction.', { details: [`Account: ${address}`], cause })
  }
}

/** A key that everybody knows. */
export class DevelopmentKeyError extends ChainError<'chain.development-key'> {
  constructor(address: string) {
    super('chain.development-key', 'This key is published in the manuals of development chains; anybody can take what it holds.', {
      details: [`Account: ${address}`],
    })
  }
}

/** The node cannot give a storage proof that fits its own block. */
export class ProofUnavailableError extends ChainError<'chain.proof-unavailable'> {
  constructor({ reason, blockNumber, cause }: { readonly reason: string; readonly blockNumber: bigint; readonly cause?: unknown }) {
    super('chain.proof-unavailable', 'The chain gave no usable storage proof.', {
      details: [`Block: ${blockNumber}`, `Reason: ${reason}`],
      cause,
    })
  }
}

/** Another process runs the chain of this data directory. */
export class DirectoryInUseError extends ChainError<'chain.directory-in-use'> {
  readonly holderPid: number | undefined
  constructor({ directory, holderPid }: { readonly directory: string; readonly holderPid: number | undefined }) {
    super('chain.directory-in-use', 'Another process runs a chain from this data directory.', {
      details: [`Directory: ${directory}`, ...(holderPid === undefined ? [] : [`Process: ${holderPid}`])],
    })
    this.holderPid = holderPid
  }
}

/** Something else listens on the port that was asked for. */
export class PortInUseError extends ChainError<'chain.port-in-use'> {
  readonly port: number
  constructor(port: number) {
    super('chain.port-in-use', `Port ${port} is taken by another program.`)
    this.port = port
  }
}

/** What the data directory holds about the chain cannot be used. */
export class DirectoryCorruptError extends ChainError<'chain.directory-corrupt'> {
  readonly file: string
  constructor({ file, reason, cause }: { readonly file: string; readonly reason: string; readonly cause?: unknown }) {
    super('chain.directory-corrupt', 'The data directory of the local chain is damaged.', {
      details: [`File: ${file}`, `Reason: ${reason}`],
      cause,
    })
    this.file = file
  }
}

/** There is no chain binary for this machine. */
export class BinaryMissingError extends ChainError<'chain.binary-missing'> {
  constructor({ platform, cause }: { readonly platform: string; readonly cause?: unknown }) {
    super('chain.binary-missing', 'The local chain is not installed for this machine.', { details: [`Machine: ${platform}`], cause })
  }
}

/** The chain process ended or stayed silent while it started. */
export class ChainStartError extends ChainError<'chain.start-failed'> {
  constructor({ reason, output = [], cause }: { readonly reason: string; readonly output?: readonly string[]; readonly cause?: unknown }) {
    super('chain.start-failed', 'The local chain did not start.', { details: [reason, ...output.slice(-5)], cause })
  }
}

/** An address may carry an access key in its user part, path or query; only its origin is shown. */
function withoutSecrets(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'not an address'
}
