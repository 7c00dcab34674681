import { createInterface } from 'node:readline/promises'
import { type Command, textOf } from '../command.ts'
import { requireNetwork } from '../network-file.ts'
import { openClient } from '../open-client.ts'
import { performRequest, summarise } from '../perform.ts'
import { chatDefaults, chatInput } from '../request-input.ts'

type Turn = { readonly role: 'user' | 'assistant'; readonly content: string }

export const chat: Command = {
  name: 'chat',
  summary: 'Talks to a language model; every answer has a receipt. An empty line or Ctrl-D ends.',
  usage: 'tacit chat [--model NAME]',
  options: { model: { type: 'string', value: 'NAME', help: 'name or id (default: the first language model)' } },
  async run({ dataDir, values, say, signal }) {
    await using opened = await openClient(dataDir, requireNetwork(dataDir).network, { signal })
    const named = textOf(values, 'model') ?? (await opened.client.models()).find(({ card }) => card?.kind === 'language')?.card?.name
    if (named === undefined) {
      say('No language model is published here.')
      return 1
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    const turns: Turn[] = []
    try {
      for (;;) {
        const question = (await terminal.question('you: ', { signal }).catch(() => '')).trim()
        if (question === '') return 0
        turns.push({ role: 'user', content: question })
        process.stdout.write(`${named}: `)
        const request = { model: named, input: chatInput(turns, chatDefaults) }
        const done = await performRequest(opened, request, {
          say: (line) => console.error(line ?? ''),
          stream: (text) => void process.stdout.write(text),
          signal,
        })
        turns.push({ role: 'assistant', content: done.answer })
        say()
        for (const line of summarise(done)) say(line)
      }
    } finally {
      terminal.close()
    }
  },
}
