import { TacitError } from '@tacit/protocol'

/** The request cannot be served as it was asked; becomes an OpenAI error object. */
export class RequestError extends TacitError<'gateway.request'> {
  readonly status: number
  readonly param: string | null
  readonly apiCode: string
  constructor(status: number, apiCode: string, message: string, param: string | null = null) {
    super('gateway.request', message)
    this.status = status
    this.param = param
    this.apiCode = apiCode
  }
}
