import type { LanguageInput, LanguageRequest } from './engine.ts'
import { InvalidRequestError } from './errors.ts'

const longestStop = 256
const mostStops = 16
const mostMessages = 4096

/** @throws InvalidRequestError when a field is out of its range, before any engine sees it. */
export function assertLanguageRequest(request: LanguageRequest): void {
  assertLanguageInput(request)
  const { maxTokens, temperature, topP = 1, seed, stop = [] } = request
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) throw new InvalidRequestError('maxTokens must be a whole number of at least 1')
  if (!(temperature >= 0 && temperature <= 100)) throw new InvalidRequestError('temperature must lie between 0 and 100')
  if (!(topP > 0 && topP <= 1)) throw new InvalidRequestError('topP must lie above 0 and not above 1')
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > 0xffffffff) throw new InvalidRequestError('seed must be a whole number of 32 bits')
  if (stop.length > mostStops || stop.some((text) => text === '' || text.length > longestStop)) {
    throw new InvalidRequestError(`at most ${mostStops} stop strings of 1 to ${longestStop} characters are allowed`)
  }
}

/** @throws InvalidRequestError when there are no messages, or absurdly many. */
export function assertLanguageInput(input: LanguageInput): void {
  if ('prompt' in input) return
  const count = input.messages.length
  if (count < 1 || count > mostMessages) throw new InvalidRequestError(`1 to ${mostMessages} messages are needed`)
}

/** Only the part of a request that says what to continue. */
export function inputOf(input: LanguageInput): LanguageInput {
  return 'prompt' in input ? { prompt: input.prompt } : { messages: input.messages.map(({ role, content }) => ({ role, content })) }
}
