// Child side: messages to tokens through the model's own chat template, rendered by llama.cpp's own Jinja engine.
// What people write never becomes a control token: the template is rendered with a placeholder for each message's
// content, the text around the placeholders is tokenized with control tokens, the contents without.
import type { ChatMessage, LanguageInput } from '../engine.ts'
import { type LoadedModel, RefusedError } from './llama-model.ts'

/** The tokens to be continued, control tokens included. */
export function promptTokens(loaded: LoadedModel, input: LanguageInput): readonly number[] {
  const tokens = 'prompt' in input ? [...loaded.model.tokenize(input.prompt, false)] : chatTokens(loaded, input.messages)
  return withBeginning(loaded, tokens)
}

function chatTokens({ addon, model, template }: LoadedModel, messages: readonly ChatMessage[]): number[] {
  if (template === undefined) throw new RefusedError({ reason: 'template', detail: 'the model has none; send a plain prompt' })
  const placeholder = (index: number): string => `[[tacit-content-${index}]]`
  let rendered: string
  try {
    rendered = new addon.AddonJinjaRenderer(template).render({
      messages: messages.map((message, index) => ({ role: message.role, content: placeholder(index) })),
      add_generation_prompt: true,
      bos_token: tokenText(model, model.tokenBos()),
      eos_token: tokenText(model, model.tokenEos()),
      // Templates that print today's date would make the same request differ tomorrow.
      strftime_now: undefined,
    })
  } catch {
    const roles = messages.map((message) => message.role).join(', ')
    throw new RefusedError({ reason: 'template', detail: `it refuses the roles ${roles.slice(0, 200)}` })
  }
  const missing = messages.findIndex((_, index) => !rendered.includes(placeholder(index)))
  if (missing >= 0)
    throw new RefusedError({ reason: 'template', detail: `it leaves out message ${missing + 1} (${messages[missing]?.role})` })
  return rendered.split(/(\[\[tacit-content-\d+\]\])/).flatMap((part) => {
    const index = /^\[\[tacit-content-(\d+)\]\]$/.exec(part)?.[1]
    const content = index === undefined ? undefined : messages[Number(index)]?.content
    return [...model.tokenize(content ?? part, content === undefined)]
  })
}

function withBeginning({ model }: LoadedModel, tokens: readonly number[]): readonly number[] {
  const beginning = model.tokenBos()
  return model.shouldPrependBosToken() && beginning >= 0 && tokens[0] !== beginning ? [beginning, ...tokens] : tokens
}

function tokenText(model: LoadedModel['model'], token: number): string {
  return token < 0 ? '' : model.getTokenString(token)
}
