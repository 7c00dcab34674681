// On local networks the dispatcher also hands out tokens that are worth nothing, to whoever asks: that is how somebody who
// just joined gets the gas for a first transaction.
import { type ChainConnection, createTransactionSender, dripTo, TransactionRevertedError } from '@tacit/chain'
import type { HttpRoutes } from '@tacit/network/node'
import { address, type Address, MalformedError, object, parseJson, type Schema, type Signer } from '@tacit/protocol'

type Ask = { readonly address: Address }
const askSchema: Schema<Ask> = object<Ask>({ address })

export type FaucetLimits = { readonly perRemote: number; readonly altogether: number; readonly windowMs: number }

const limits: FaucetLimits = { perRemote: 10, altogether: 100, windowMs: 60_000 }

/** `POST /v1/faucet {"address":"0x..."}`; the contract serves one recipient once a minute, and so do the limits here. */
export function faucetRoutes(chain: ChainConnection, signer: Signer): HttpRoutes {
  const sender = createTransactionSender(chain, signer)
  const admit = createAdmission(limits, () => performance.now())
  return {
    'POST /v1/faucet': async ({ body, remote }) => {
      if (!admit(remote)) return refuse(429, 'too-many-requests', 'The faucet was asked too often; try again in a minute.')
      try {
        const { address: recipient } = askSchema(parseJson(body, 'A request', 4096), 'request')
        const { transactionHash } = await dripTo(sender, recipient)
        return { json: { ok: true, transaction: transactionHash } }
      } catch (error) {
        if (error instanceof MalformedError) return refuse(400, error.code, error.message)
        if (error instanceof TransactionRevertedError && error.reason === 'CoolingDown')
          return refuse(429, 'cooling-down', 'This address was served a short while ago; try again in a minute.')
        if (error instanceof TransactionRevertedError && error.reason === 'Dry') return refuse(503, 'dry', 'The faucet is empty.')
        throw error
      }
    },
  }
}

/** Counts requests in fixed windows, per address and altogether. */
export function createAdmission({ perRemote, altogether, windowMs }: FaucetLimits, nowMs: () => number): (remote: string) => boolean {
  const counts = new Map<string, number>()
  let total = 0
  let startedMs = nowMs()
  return (remote) => {
    if (nowMs() - startedMs >= windowMs) {
      counts.clear()
      total = 0
      startedMs = nowMs()
    }
    const count = counts.get(remote) ?? 0
    if (count >= perRemote || total >= altogether) return false
    counts.set(remote, count + 1)
    total++
    return true
  }
}

function refuse(status: number, code: string, message: string): { readonly status: number; readonly json: object } {
  return { status, json: { error: { code, message } } }
}
