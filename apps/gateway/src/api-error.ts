// Every failure as the error object that OpenAI clients understand. The code is Tacit's own where there is one.
import { TacitError } from '@tacit/protocol'
import { QuoteRejectedError, RefusedError } from '@tacit/exchange'
import { NoWorkerError, PoolEmptyError, UnknownModelError } from '@tacit/client'
import { RequestError } from './errors.ts'

export type ApiError = {
  readonly status: number
  readonly body: {
    readonly error: { readonly message: string; readonly type: string; readonly code: string; readonly param: string | null }
  }
}

export function apiError(error: unknown): ApiError {
  if (error instanceof RequestError)
    return build(error.status, error.message, error.status === 412 ? 'policy_error' : 'invalid_request_error', error.apiCode, error.param)
  if (error instanceof UnknownModelError) return build(404, error.message, 'invalid_request_error', 'model_not_found', 'model')
  if (error instanceof RefusedError) return refused(error)
  // Its price or its readers are not what the request allows.
  if (error instanceof QuoteRejectedError) return build(412, error.message, 'policy_error', 'quote_rejected', 'provider')
  if (error instanceof PoolEmptyError) return build(402, error.message, 'payment_required', error.code, null)
  if (error instanceof NoWorkerError) return build(503, error.message, 'service_unavailable', error.code, null)
  if (error instanceof TacitError) return build(502, error.message, 'upstream_error', error.code, null)
  return build(500, 'Something in the gateway broke; nothing was charged for what you did not receive.', 'server_error', 'internal', null)
}

function refused(error: RefusedError): ApiError {
  switch (error.reason) {
    case 'context-exceeded':
      return build(400, error.message, 'invalid_request_error', 'context_length_exceeded', 'messages')
    case 'level-not-offered':
      return build(412, error.message, 'policy_error', 'level_not_offered', 'provider')
    case 'busy':
    case 'draining':
      return build(503, error.message, 'service_unavailable', error.reason, null)
    default:
      return build(502, error.message, 'upstream_error', error.reason, null)
  }
}

function build(status: number, message: string, type: string, code: string, param: string | null): ApiError {
  return { status, body: { error: { message, type, code, param } } }
}
