// An invitation: where a network is and one block by which it is recognised, as one line of text. docs/spec/invitation.md
import { createHash } from 'node:crypto'
import { type NetworkDescription, networkDescriptionSchema } from '@tacit/client'
import {
  canonicalBytes,
  type Checkpoint,
  checkpointSchema,
  type Json,
  MalformedError,
  object,
  oneOf,
  parseJson,
  type Schema,
} from '@tacit/protocol'
import { InvitationMalformedError, InvitationVersionError } from './errors.ts'

/** What an invitation carries. It is not signed: it is worth as much as the channel it came by. */
export type Invitation = {
  readonly type: 'tacit-invitation/1'
  readonly network: NetworkDescription
  readonly checkpoint: Checkpoint
}

const invitationSchema: Schema<Invitation> = object<Invitation>({
  type: oneOf('tacit-invitation/1'),
  network: networkDescriptionSchema,
  checkpoint: checkpointSchema,
})

const prefix = 'tacit-invite-1.'
const checksumLength = 11 // base64url digits: 66 bits, against slips of the hand, not against forgers
/** No invitation is longer. */
export const maxInvitationLength = 16_384

/** The invitation as one line. */
export function encodeInvitation(invitation: Invitation): string {
  const payload = Buffer.from(canonicalBytes(invitation as unknown as Json)).toString('base64url') // plain data by construction
  return `${prefix}${payload}.${checksumOf(payload)}`
}

/**
 * Reads what somebody pasted; white space from line wrapping is ignored.
 * @throws InvitationMalformedError, InvitationVersionError
 */
export function parseInvitation(pasted: string): Invitation {
  if (pasted.length > 2 * maxInvitationLength) throw new InvitationMalformedError('it is too long')
  const text = pasted.replace(/\s+/g, '')
  const version = /^tacit-invite-(\d{1,9})\./.exec(text)?.[1]
  if (version === undefined) throw new InvitationMalformedError('it does not begin with tacit-invite-1.')
  if (version !== '1') throw new InvitationVersionError(version)
  const [payload = '', checksum = '', ...more] = text.slice(prefix.length).split('.')
  if (text.length > maxInvitationLength || more.length > 0) throw new InvitationMalformedError('there is more of it than there should be')
  if (checksum.length !== checksumLength) throw new InvitationMalformedError('its end is missing')
  if (checksum !== checksumOf(payload)) throw new InvitationMalformedError('its checksum is wrong: a part is missing or altered')
  try {
    const bytes = Buffer.from(payload, 'base64url')
    const invitation = invitationSchema(parseJson(bytes, 'The invitation', maxInvitationLength), 'invitation')
    assertConsistent(invitation)
    return invitation
  } catch (error) {
    if (error instanceof MalformedError) throw new InvitationMalformedError(error.message.split('\n')[0]?.replace(/\.$/, '') ?? '')
    throw error
  }
}

function assertConsistent({ network, checkpoint }: Invitation): void {
  const { contracts, chainId } = network.deployment
  if (chainId !== checkpoint.chainId) throw new MalformedError('The checkpoint', 'is of another chain')
  const { paymentPool, workerRegistry, modelRegistry } = checkpoint.contracts
  const same =
    paymentPool === contracts.paymentPool && workerRegistry === contracts.workerRegistry && modelRegistry === contracts.modelRegistry
  if (!same) throw new MalformedError('The checkpoint', 'names other contracts')
  assertUrl(network.chainUrl, ['http:', 'https:'])
  assertUrl(network.relayUrl, ['ws:', 'wss:'])
  if (network.dispatcherUrl !== null) assertUrl(network.dispatcherUrl, ['http:', 'https:'])
}

function assertUrl(url: string, protocols: readonly string[]): void {
  if (!URL.canParse(url) || !protocols.includes(new URL(url).protocol))
    throw new MalformedError('An address', `is not ${protocols.join(' or ')}`)
}

function checksumOf(payload: string): string {
  return createHash('sha256').update('tacit/invitation/1\0').update(payload).digest('base64url').slice(0, checksumLength)
}
