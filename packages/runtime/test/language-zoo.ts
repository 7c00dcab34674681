// The language models of the zoo, for tests.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LanguageEngine, LanguageRequest } from '../src/engine.ts'

const folder = new URL('../../../zoo/language/', import.meta.url)

export type LanguageCard = {
  readonly notice: string
  readonly architecture: { readonly contextTokens: number }
  readonly training: { readonly bitsPerByte: number }
  readonly files: readonly { readonly name: string; readonly file: string; readonly sizeBytes: number; readonly sha256: string }[]
}

export const languageCard: LanguageCard = JSON.parse(readFileSync(new URL('card.json', folder), 'utf8'))

export function zooFile(encoding: 'f16' | 'q8_0' | 'q4_0'): string {
  return fileURLToPath(new URL(`babble-${encoding}.gguf`, folder))
}

/** The whole answer. */
export async function collect(engine: LanguageEngine, request: LanguageRequest, options: { readonly signal?: AbortSignal } = {}) {
  let text = ''
  let tokens = 0
  for await (const event of engine.generate(request, options)) {
    if (event.type === 'end') return { text, tokens, end: event }
    text += event.text
    tokens += event.tokens
  }
  throw new Error('The answer has no end.')
}
