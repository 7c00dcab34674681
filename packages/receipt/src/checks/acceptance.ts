// The worker's signed acceptance: it had taken this very request, by its own word, before it delivered.
import {
  type Acceptance,
  acceptanceBodySchema,
  type Evidence,
  isDocumentSignedBy,
  MalformedError,
  type ReceiptCore,
  type Signed,
} from '@tacit/protocol'
import { type CheckLine, fail, pass, skip } from '../result.ts'

/** Every acceptance in the evidence must hold, and there must be one. */
export function checkAcceptance(core: ReceiptCore, items: readonly Evidence[]): CheckLine {
  if (items.length === 0) return skip('acceptance', "The worker's acceptance of the request is not in the evidence.")
  for (const item of items) {
    const mismatch = findMismatch(core, item)
    if (mismatch !== undefined) return fail('acceptance', mismatch)
  }
  return pass('acceptance', 'The same worker had signed that it takes this request.')
}

function findMismatch(core: ReceiptCore, item: Evidence): string | undefined {
  const signed = parseBody(item)
  if (typeof signed === 'string') return signed
  const { document } = signed
  if (document.session !== core.session || document.job !== core.job) return 'The acceptance is of another session or job.'
  if (document.worker !== core.worker) return 'The acceptance is by another worker.'
  if (document.request !== core.ordered.request) return 'The acceptance is of another request.'
  if (document.acceptedAt !== core.acceptedAt) return 'Acceptance and receipt give different times of acceptance.'
  const domain = { chainId: BigInt(core.chainId), contract: core.contract }
  const scope = { session: core.session, job: core.job }
  return isDocumentSignedBy(core.worker, 'Acceptance', signed, scope, domain) ? undefined : 'The worker did not sign the acceptance.'
}

function parseBody(item: Evidence): Signed<Acceptance> | string {
  try {
    return acceptanceBodySchema(item.body, 'acceptance')
  } catch (error) {
    if (error instanceof MalformedError) return error.message
    throw error
  }
}
