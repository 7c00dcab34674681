import { basename } from 'node:path'
import {
  ChatTemplateError,
  ContextExceededError,
  DigestMismatchError,
  EngineFailedError,
  EngineStartError,
  InvalidRequestError,
  ModelChangedError,
  ModelMalformedError,
  ModelNotFoundError,
  PlatformUnsupportedError,
  type RuntimeError,
} from '../errors.ts'
import type { OpenModel, Refusal } from './llama-messages.ts'

/** The named error for a model that the child did not open. */
export function openingError(refusal: Refusal, open: Pick<OpenModel, 'file' | 'digest'>): RuntimeError {
  const file = basename(open.file)
  switch (refusal.reason) {
    case 'not-found':
      return new ModelNotFoundError(open.file)
    case 'changed':
      return new ModelChangedError(file)
    case 'platform':
      return new PlatformUnsupportedError(`${process.platform}-${process.arch}`)
    case 'digest':
      return new DigestMismatchError({ expected: open.digest ?? 'none', actual: refusal.actual })
    case 'malformed':
    case 'load':
      return new ModelMalformedError(file, refusal.detail)
    default:
      return new EngineStartError('detail' in refusal ? refusal.detail : refusal.reason)
  }
}

/** The named error for a request that the child did not run to its end. */
export function requestError(refusal: Refusal): RuntimeError {
  switch (refusal.reason) {
    case 'template':
      return new ChatTemplateError(refusal.detail)
    case 'invalid':
      return new InvalidRequestError(refusal.detail)
    case 'context':
      return new ContextExceededError(refusal)
    default:
      return new EngineFailedError('detail' in refusal ? refusal.detail : refusal.reason)
  }
}
