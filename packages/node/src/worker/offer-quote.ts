// What a worker asks for serving a request, or why it does not.
import { type QuoteRequest, type Refusal, refusal } from '@tacit/exchange'
import { deriveSessionId, parseHex, type Quote, type SessionId } from '@tacit/protocol'
import type { WorkerServices } from './services.ts'
import type { OpenSession } from './session-table.ts'

/** A quote is good for this long. */
const quoteSeconds = 600

/** The quote to sign, and the session it belongs to, whose name the request opens. */
export type Offer = { readonly session: SessionId; readonly document: Quote }

export function offerQuote(request: QuoteRequest, open: OpenSession, { domain, signer, now, draining }: WorkerServices): Offer | Refusal {
  const { model } = open
  const salt = parseHex(request.sessionSalt, 'A session salt', 32)
  const { chainId, contract } = domain
  const session = deriveSessionId({ chainId, contract, payer: request.payer, worker: signer.address, salt })
  if ((open.id ?? session) !== session || request.model !== model.id)
    return refusal('bad-request', 'the session was opened for another payer, worker or model')
  if (!model.levels.some((levels) => levels.privacy === request.privacy && levels.verification === request.verification))
    return refusal('level-not-offered', `this worker does not offer ${request.privacy} with ${request.verification} for this model`)
  if (!model.streamModes.includes(request.streamMode))
    return refusal('level-not-offered', `this worker does not stream ${request.streamMode}`)
  if (draining()) return refusal('draining', 'this worker is shutting down')
  const document: Quote = {
    type: 'tacit-quote/1',
    worker: signer.address,
    model: model.id,
    privacy: request.privacy,
    verification: request.verification,
    streamMode: request.streamMode,
    stepPrice: model.stepPrice.toString(),
    stepTokens: model.stepTokens,
    maxSteps: model.maxSteps,
    readers: request.privacy === 'encrypted' ? [] : [signer.address],
    deadlineSeconds: model.deadlineSeconds,
    expiresAt: now() + quoteSeconds,
  }
  return { session, document }
}
