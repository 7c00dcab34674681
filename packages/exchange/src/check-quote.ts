// What a client checks before it orders anything under a quote.
import { type Bytes32, isDocumentSignedBy, parseBytes32, parseUint, type Quote, type Signed } from '@tacit/protocol'
import type { ClientOrder } from './client-order.ts'
import type { ClientContext } from './context.ts'
import { MisbehaviourError, QuoteRejectedError } from './errors.ts'

/** Why the quote cannot be taken, or null. */
export function checkQuote(quote: Signed<Quote>, now: number, order: ClientOrder, context: ClientContext): Error | null {
  const { document } = quote
  if (!isDocumentSignedBy(context.worker, 'Quote', quote, { session: context.session, job: noJob }, context.domain, context.signatures))
    return new MisbehaviourError('the quote is not signed by the worker')
  if (document.worker !== context.worker || document.model !== context.model)
    return new MisbehaviourError('the quote is for another worker or model')
  if (
    document.privacy !== order.levels.privacy ||
    document.verification !== order.levels.verification ||
    document.streamMode !== order.streamMode
  ) {
    return new MisbehaviourError('the quote is for other levels than were asked for')
  }
  if (document.expiresAt < now) return new QuoteRejectedError('it has expired')
  const stranger = document.readers.find((reader) => reader !== context.worker && !order.allowedReaders.includes(reader))
  if (stranger !== undefined) return new QuoteRejectedError(`${stranger} could read the input`)
  if (order.levels.privacy === 'sealed' && !document.readers.includes(context.worker))
    return new MisbehaviourError('the quote leaves the worker out of the readers')
  if (affordableSteps(document, order) < 1)
    return new QuoteRejectedError(`one step costs ${document.stepPrice}, more than the limit of ${order.maxPrice}`)
  return null
}

const noJob: Bytes32 = parseBytes32(`0x${'00'.repeat(32)}`)

/** How many steps of a quote the limit pays for, at most as many as the input can use. */
export function affordableSteps(quote: Quote, order: ClientOrder): number {
  const price = parseUint(quote.stepPrice, 'A price', 128)
  const affordable =
    price === 0n
      ? quote.maxSteps
      : Number(order.maxPrice / price > BigInt(quote.maxSteps) ? BigInt(quote.maxSteps) : order.maxPrice / price)
  const useful = quote.stepTokens === 0 || order.input.kind !== 'chat' ? 1 : Math.ceil(order.input.maxTokens / quote.stepTokens)
  return Math.min(affordable, useful)
}
