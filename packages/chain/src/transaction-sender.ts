// One account's transactions, in order, until they are mined. It survives what happens to senders: a node that restarts, a
// nonce used elsewhere, fees that rise while a transaction waits, a chain that was rolled back.
import { serializeTransaction, type TransactionReceipt, type TransactionSerializableEIP1559 } from 'viem'
import { type Hex, parseHex, type Signer, toHex } from '@tacit/protocol'
import { keccak_256 } from '@noble/hashes/sha3.js'
import type { ContractCall } from './call.ts'
import type { ChainConnection } from './connection.ts'
import { assertNotDevelopmentKey } from './development-keys.ts'
import { TransactionRevertedError, TransactionTimeoutError } from './errors.ts'
import { bumpFees, type Fees, fetchFees } from './fees.ts'
import { sleep } from './internal/sleep.ts'
import { isUnreachable, messagesOf, translateChainError } from './internal/translate-error.ts'

/** How patient a sender is. */
export type TransactionSenderOptions = {
  /** How long one transaction may take altogether. */
  readonly timeoutMs?: number
  /** How long a transaction may wait before it is sent again with higher fees. */
  readonly stuckAfterMs?: number
  /** How soon the sender asks for a receipt the first time; later less often. */
  readonly pollMs?: number
}

/** Sends transactions of one account. Two senders of one account in two processes get along, but slowly: each resyncs. */
export type TransactionSender = {
  readonly connection: ChainConnection
  readonly address: Signer['address']
  /**
   * Sends a call and waits until it is mined.
   * @throws TransactionRevertedError, TransactionTimeoutError, InsufficientGasFundsError, ChainUnreachableError
   */
  readonly send: (call: ContractCall, options?: { readonly signal?: AbortSignal }) => Promise<TransactionReceipt>
}

type Pending = {
  readonly call: ContractCall
  readonly gas: bigint
  readonly started: number
  nonce: number
  fees: Fees
  hashes: Hex[]
  sentAt: number
}

/**
 * Creates the sender of one account.
 *
 * @throws DevelopmentKeyError when the account's key is public knowledge.
 * @example
 * const sender = createTransactionSender(chain, signer)
 * await depositToPool(sender, { amountWei: 5n * 10n ** 18n })
 */
export function createTransactionSender(
  connection: ChainConnection,
  signer: Signer,
  options: TransactionSenderOptions = {},
): TransactionSender {
  assertNotDevelopmentKey(signer.address)
  const sender = new AccountSender(connection, signer, options)
  return {
    connection,
    address: signer.address,
    send: (call, { signal } = {}) => sender.send(call, signal),
  }
}

class AccountSender {
  readonly #connection: ChainConnection
  readonly #signer: Signer
  readonly #timeoutMs: number
  readonly #stuckAfterMs: number
  readonly #pollMs: number
  /** The nonce of the next transaction; undefined when the chain has to be asked. */
  #nextNonce: number | undefined
  /** The end of the queue of those who want a nonce. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(connection: ChainConnection, signer: Signer, options: TransactionSenderOptions) {
    this.#connection = connection
    this.#signer = signer
    this.#timeoutMs = options.timeoutMs ?? 60_000
    this.#stuckAfterMs = options.stuckAfterMs ?? 15_000
    this.#pollMs = options.pollMs ?? 10
  }

  async send(call: ContractCall, signal: AbortSignal | undefined): Promise<TransactionReceipt> {
    const started = performance.now()
    signal?.throwIfAborted()
    const gas = call.gas ?? (await this.#patiently(call, started, signal, () => this.#estimate(call)))
    const pending = await this.#inTurn(() => this.#submit(call, gas, started, signal))
    const receipt = await this.#awaitReceipt(pending, signal)
    if (receipt.status === 'reverted') throw await this.#explainRevert(call, receipt)
    return receipt
  }

  /** Nonces are given out one after the other: a transaction gets its number when the node has taken the one before. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work, work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #submit(call: ContractCall, gas: bigint, started: number, signal: AbortSignal | undefined): Promise<Pending> {
    const fees = await this.#patiently(call, started, signal, () => fetchFees(this.#connection.client))
    for (;;) {
      this.#nextNonce ??= await this.#patiently(call, started, signal, () => this.#fetchNonce('pending'))
      const pending: Pending = { call, gas, started, nonce: this.#nextNonce, fees, hashes: [], sentAt: performance.now() }
      const outcome = await this.#patiently(call, started, signal, () => this.#broadcast(pending))
      if (outcome === 'nonce-used') {
        this.#nextNonce = undefined
        continue
      }
      this.#nextNonce = pending.nonce + 1
      return pending
    }
  }

  /** Signs with the current nonce and fees and hands it to the node. */
  async #broadcast(pending: Pending): Promise<'sent' | 'nonce-used'> {
    const serialized = this.#sign(pending)
    const hash = toHex(keccak_256(parseHex(serialized, 'A transaction')))
    // Recorded before it is sent: whether a lost answer was a lost transaction shows only later.
    if (!pending.hashes.includes(hash)) pending.hashes.push(hash)
    pending.sentAt = performance.now()
    try {
      await this.#connection.client.sendRawTransaction({ serializedTransaction: serialized })
      return 'sent'
    } catch (error) {
      const text = messagesOf(error)
      if (/already known|already imported|known transaction/i.test(text)) return 'sent'
      if (/nonce too low|nonce is too low|invalid nonce/i.test(text)) return (await this.#knows(hash)) ? 'sent' : 'nonce-used'
      // Something with this nonce waits already, with fees as good: ours, sent again. Its receipt will tell.
      if (/underpriced|replacement/i.test(text)) return 'sent'
      throw error
    }
  }

  #sign(pending: Pending): Hex {
    const { call } = pending
    const transaction: TransactionSerializableEIP1559 = {
      type: 'eip1559',
      chainId: Number(this.#connection.chainId),
      nonce: pending.nonce,
      ...pending.fees,
      gas: pending.gas,
      to: call.to ?? null,
      data: call.data,
      value: call.valueWei ?? 0n,
    }
    const digest = keccak_256(parseHex(serializeTransaction(transaction), 'A transaction'))
    const signature = this.#signer.sign(digest)
    return serializeTransaction(transaction, {
      r: `0x${signature.slice(2, 66)}`,
      s: `0x${signature.slice(66, 130)}`,
      yParity: Number.parseInt(signature.slice(130), 16) - 27,
    })
  }

  async #awaitReceipt(pending: Pending, signal: AbortSignal | undefined): Promise<TransactionReceipt> {
    for (let pauseMs = this.#pollMs; ; pauseMs = Math.min(pauseMs * 1.5, 1_000)) {
      const receipt = await this.#patiently(pending.call, pending.started, signal, () => this.#findReceipt(pending), pending)
      if (receipt !== undefined) return receipt
      if (performance.now() - pending.started > this.#timeoutMs) throw this.#timedOut(pending.call, pending.started, pending)
      if (performance.now() - pending.sentAt > this.#stuckAfterMs)
        await this.#patiently(pending.call, pending.started, signal, () => this.#unstick(pending), pending)
      await sleep(pauseMs, signal)
    }
  }

  /** Sends again: with higher fees, or under a new nonce when the old one can never be mined. */
  async #unstick(pending: Pending): Promise<void> {
    const mined = await this.#fetchNonce('latest')
    const isKnown = await this.#isAnyKnown(pending)
    if (mined > pending.nonce) {
      // The nonce is used. Either by us, and the receipt comes in a moment, or by somebody else, and ours is void for ever.
      if (isKnown || (await this.#findReceipt(pending)) !== undefined) return
      await this.#inTurn(() => this.#renumber(pending))
      return
    }
    // The chain was rolled back below us. Whatever we sent may still be known somewhere and be mined once its turn comes, so it
    // keeps its number and gets what is missing before it; under a new number it might happen twice.
    const next = await this.#fetchNonce('pending')
    if (next < pending.nonce) await this.#inTurn(() => this.#fillGap(next, pending))
    pending.fees = bumpFees(pending.fees, await fetchFees(this.#connection.client))
    if ((await this.#broadcast(pending)) === 'nonce-used' && (await this.#findReceipt(pending)) === undefined)
      await this.#inTurn(() => this.#renumber(pending))
  }

  /** Empty transfers to ourselves, for numbers that nobody will use any more. */
  async #fillGap(from: number, pending: Pending): Promise<void> {
    const call: ContractCall = { label: 'filling a gap', to: this.#signer.address, data: '0x' }
    for (let nonce = from; nonce < pending.nonce; nonce++) {
      await this.#broadcast({ call, gas: 21_000n, started: pending.started, nonce, fees: pending.fees, hashes: [], sentAt: 0 })
    }
  }

  async #renumber(pending: Pending): Promise<void> {
    pending.nonce = await this.#fetchNonce('pending')
    if ((await this.#broadcast(pending)) === 'sent') this.#nextNonce = pending.nonce + 1
    else this.#nextNonce = undefined
  }

  async #findReceipt(pending: Pending): Promise<TransactionReceipt | undefined> {
    for (const hash of pending.hashes) {
      try {
        return await this.#connection.client.getTransactionReceipt({ hash })
      } catch (error) {
        if (isUnreachable(error)) throw error
        if (!(error instanceof Error) || error.name !== 'TransactionReceiptNotFoundError') throw error
      }
    }
    return undefined
  }

  async #isAnyKnown(pending: Pending): Promise<boolean> {
    for (const hash of pending.hashes) if (await this.#knows(hash)) return true
    return false
  }

  async #knows(hash: Hex): Promise<boolean> {
    try {
      await this.#connection.client.getTransaction({ hash })
      return true
    } catch (error) {
      if (error instanceof Error && error.name === 'TransactionNotFoundError') return false
      throw error
    }
  }

  #fetchNonce(blockTag: 'latest' | 'pending'): Promise<number> {
    return this.#connection.client.getTransactionCount({ address: this.#signer.address, blockTag })
  }

  // A quarter more than estimated: where a contract catches an inner failure, the node's search for the least gas that
  // "works" may end below what the intended path needs.
  async #estimate(call: ContractCall): Promise<bigint> {
    const estimate = await this.#connection.client.estimateGas({
      account: this.#signer.address,
      ...(call.to === undefined ? {} : { to: call.to }),
      data: call.data,
      value: call.valueWei ?? 0n,
    })
    return (estimate * 5n) / 4n
  }

  async #explainRevert(call: ContractCall, receipt: TransactionReceipt): Promise<unknown> {
    try {
      await this.#connection.client.call({
        account: this.#signer.address,
        ...(call.to === undefined ? {} : { to: call.to }),
        data: call.data,
        value: call.valueWei ?? 0n,
        blockNumber: receipt.blockNumber,
      })
    } catch (error) {
      const translated = translateChainError(error, this.#context(call))
      if (translated instanceof TransactionRevertedError) return translated
    }
    return new TransactionRevertedError({ label: call.label, reason: undefined, args: [] })
  }

  /** Repeats a step while the node does not answer, until the transaction's time is up. */
  async #patiently<T>(
    call: ContractCall,
    started: number,
    signal: AbortSignal | undefined,
    step: () => Promise<T>,
    pending?: Pending,
  ): Promise<T> {
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
      signal?.throwIfAborted()
      try {
        return await step()
      } catch (error) {
        if (!isUnreachable(error)) throw translateChainError(error, this.#context(call))
        if (performance.now() - started > this.#timeoutMs) throw this.#timedOut(call, started, pending, error)
        await sleep(pauseMs, signal)
      }
    }
  }

  #timedOut(call: ContractCall, started: number, pending: Pending | undefined, cause?: unknown): unknown {
    this.#nextNonce = undefined
    if (pending === undefined) return translateChainError(cause, this.#context(call))
    const waitedMs = Math.round(performance.now() - started)
    return new TransactionTimeoutError({ label: call.label, nonce: pending.nonce, hashes: pending.hashes, waitedMs, cause })
  }

  #context(call: ContractCall): { url: string; label: string; account: string; abi?: NonNullable<ContractCall['abi']> } {
    return {
      url: this.#connection.url,
      label: call.label,
      account: this.#signer.address,
      ...(call.abi === undefined ? {} : { abi: call.abi }),
    }
  }
}
