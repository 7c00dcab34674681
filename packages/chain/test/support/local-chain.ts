// A chain of its own for one test file, with accounts that have tokens and gas.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, type Bytes32, createSigner, parseBytes32, type Signer, toHex } from '@tacit/protocol'
import { type ChainConnection, createTransactionSender, dripTo, type TransactionSender } from '../../src/index.ts'
import { type EmbeddedChain, startEmbeddedChain, type StartEmbeddedChainOptions } from '../../src/embedded/index.ts'

export async function temporaryDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'tacit-chain-'))
}

export async function startTemporaryChain(
  options: Partial<StartEmbeddedChainOptions> = {},
): Promise<EmbeddedChain & { readonly dataDir: string }> {
  const dataDir = options.dataDir ?? (await temporaryDirectory())
  const chain = await startEmbeddedChain({ ...options, dataDir })
  const stop = async (): Promise<void> => {
    await chain.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  return { ...chain, dataDir, [Symbol.asyncDispose]: stop }
}

export function randomSigner(): Signer {
  return createSigner(randomBytes(32))
}

export function randomWord(): Bytes32 {
  return parseBytes32(toHex(randomBytes(32)))
}

/** A fresh account that the faucet has served. */
export async function fundedSender(chain: EmbeddedChain): Promise<TransactionSender & { readonly signer: Signer }> {
  const signer = randomSigner()
  await dripTo(createTransactionSender(chain.connection, chain.keys.faucet), signer.address)
  return { ...createTransactionSender(chain.connection, signer), signer }
}

export async function rpc(connection: Pick<ChainConnection, 'url'>, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const response = await fetch(connection.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const answer = (await response.json()) as { result?: unknown; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(answer.error.message)
  return answer.result
}

/** Lets time pass on chain. */
export async function warp(connection: ChainConnection, seconds: number): Promise<void> {
  await rpc(connection, 'evm_increaseTime', [seconds])
  await rpc(connection, 'evm_mine')
}

/** Whether the process runs. One that has ended and that nobody has asked about yet (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

export async function until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const started = performance.now()
  while (!(await condition())) {
    if (performance.now() - started > timeoutMs) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const token = 10n ** 18n
export type { Address }
