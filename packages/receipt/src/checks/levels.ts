// The two dials: which combinations exist, who may be named as a reader, and what the evidence shows of them.
import type { Levels, ReceiptCore } from '@tacit/protocol'
import { type CheckLine, fail, pass, skip } from '../result.ts'

/** The ordered levels exist together, and the readers named fit them. */
export function checkLevels(core: ReceiptCore): CheckLine {
  const { privacy, verification, readers } = core.ordered
  // A ciphertext can be computed again by anybody, but neither sampled for an audit of its text nor, so far, proved.
  if (privacy === 'encrypted' && (verification === 'proved' || verification === 'audited')) {
    return fail('levels', `There is no ${verification} verification of encrypted requests: a worker must refuse such an order.`)
  }
  if (privacy === 'encrypted' && readers.length > 0)
    return fail('levels', 'An encrypted request has no readers, yet the receipt names some.')
  if (privacy !== 'encrypted' && !readers.includes(core.worker))
    return fail('levels', 'The worker computed on the input but is not named as a reader.')
  return pass('levels', `Ordered: ${privacy} and ${verification}. Readers named: ${readers.length === 0 ? 'none' : readers.join(', ')}.`)
}

/** Whether the ordered privacy is shown. `isVouchedFor`: a staked worker is shown to stand for the receipt. */
export function checkPrivacy(core: ReceiptCore, isVouchedFor: boolean): CheckLine {
  const { privacy, readers } = core.ordered
  if (privacy === 'attested') return skip('privacy', 'This version cannot check attestation of enclaves.')
  if (privacy === 'encrypted') return skip('privacy', 'This version cannot check that the input was only ever ciphertext.')
  if (!isVouchedFor) return skip('privacy', 'Says something only when the checks above pass.')
  const others = readers.length === 1 ? 'nobody else' : `${readers.length - 1} more`
  return pass('privacy', `Sealed: the worker stakes its word that it and ${others} could read the input.`)
}

/** Whether the ordered verification is shown. */
export function checkVerification(core: ReceiptCore, isVouchedFor: boolean): CheckLine {
  const { verification } = core.ordered
  if (verification === 'audited') return skip('verification', 'This version cannot check audit evidence.')
  if (verification === 'replayed') return skip('verification', 'This version cannot check evidence of a second, independent run.')
  if (verification === 'proved') return skip('verification', 'This version cannot check layer proofs.')
  if (!isVouchedFor) return skip('verification', 'Says something only when the checks above pass.')
  return pass('verification', 'Signed: a registered worker with stake stands for this answer. Nobody else computed it.')
}

/** What the evidence supports: `sealed` and `signed` are the floor, and nothing above it can be shown yet. */
export function deriveLevel(isVouchedFor: boolean): Levels | null {
  return isVouchedFor ? { privacy: 'sealed', verification: 'signed' } : null
}
