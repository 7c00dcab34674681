import { type Fault, RefusedError } from '@tacit/exchange'
import type { Address } from '@tacit/protocol'
import { PrekeyRefusedError, StreamLostError } from './errors.ts'

/** What a fault frame means to the caller. */
export function faultError(fault: Fault, worker: Address): Error {
  switch (fault) {
    case 'prekey-unknown':
      return new PrekeyRefusedError(worker, 'the worker no longer holds it')
    case 'not-accepted':
      return new PrekeyRefusedError(worker, 'the worker could not open the session (it may not serve this model)')
    case 'busy':
      return new RefusedError('busy', 'it has no room for another session')
    case 'job-seen':
      return new RefusedError('job-seen', 'this job was ordered before')
    default:
      return new StreamLostError(fault.replaceAll('-', ' '))
  }
}
