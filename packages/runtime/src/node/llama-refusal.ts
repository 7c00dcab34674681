import { basename } from 'node:path'
import {
  ChatTemplateError,
  ContextExceededError,
  DigestMismatchError,
  EngineStartError,
  InvalidRequestError,
  ModelChangedError,
  ModelMalformedError,
  ModelNotFoundError,
  PlatformUnsupportedError,
  type RuntimeError,
} from '../errors.ts'
import type { OpenModel, Refusal } from './llama-messages.ts'

/** The named error for what the child refused. */
export function refusalError(refusal: Refusal, open: Pick<OpenModel, 'file' | 'digest'>): RuntimeError {
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
    case 'template':
      return new ChatTemplateError(refusal.detail)
    case 'invalid':
      return new InvalidRequestError(refusal.detail)
    case 'context':
      return new ContextExceededError(refusal)
    case 'native':
      return new EngineStartError(refusal.detail)
  }
}
