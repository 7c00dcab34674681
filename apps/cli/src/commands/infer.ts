import { readFileSync } from 'node:fs'
import type { InferRequest } from '@tacit/client'
import type { JobInput } from '@tacit/exchange'
import type { Privacy, StreamMode, Verification } from '@tacit/protocol'
import { type Command, integerOf, type Invocation, textOf, type Values } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import { printable } from '../format.ts'
import { requireNetwork } from '../network-file.ts'
import { openClient, type OpenedClient } from '../open-client.ts'
import { performRequest, summarise } from '../perform.ts'
import { whoSeesWhat } from '../privacy-table.ts'
import { chatDefaults, chatInput, loadDigit, tensorInput } from '../request-input.ts'

const usage = 'tacit infer [--model NAME] "prompt" | --digit N | --input FILE'

export const infer: Command = {
  name: 'infer',
  summary: 'Asks a model, pays for it, and keeps the receipt.',
  usage,
  options: {
    model: { type: 'string', value: 'NAME', help: 'name or id (default: the first model that takes such an input)' },
    digit: { type: 'string', value: 'N', help: 'use handwritten digit N (0 to 359) of those that no model was trained on' },
    input: { type: 'string', value: 'FILE', help: 'JSON: a list of numbers, or a whole input (docs/spec/exchange.md)' },
    privacy: { type: 'string', value: 'LEVEL', help: 'sealed (default), attested or encrypted; refused when it cannot be kept' },
    verification: { type: 'string', value: 'LEVEL', help: 'signed (default), audited, replayed or proved; refused when it cannot be kept' },
    stream: { type: 'string', value: 'MODE', help: 'paced (default) or immediate, which shows length and timing of the answer' },
    'max-tokens': { type: 'string', value: 'N', help: `length of an answer (default ${chatDefaults.maxTokens})` },
    temperature: { type: 'string', value: 'T', help: 'randomness from 0 to 2 (default 0.7)' },
    seed: { type: 'string', value: 'N', help: 'same seed, same answer (default 1)' },
    'max-price': { type: 'string', value: 'WEI', help: 'refuse to pay more, in the smallest unit of the token' },
    worker: { type: 'string', value: 'ADDRESS', help: 'this worker and no other' },
    'explain-privacy': { type: 'boolean', help: 'list who would see what, and ask nothing' },
  },
  async run(invocation) {
    const { values, say, json, signal, dataDir } = invocation
    if (values['explain-privacy'] === true) {
      for (const line of whoSeesWhat()) say(line)
      if (json) console.log(JSON.stringify({ ok: true }))
      return 0
    }
    await using opened = await openClient(dataDir, requireNetwork(dataDir).network, { signal })
    const request = await readRequest(invocation, opened)
    const stream = json ? undefined : (text: string): void => void process.stdout.write(text)
    const done = await performRequest(opened, request, {
      say: (line) => console.error(line ?? ''),
      signal,
      ...(stream === undefined ? {} : { stream }),
    })
    if (!json) process.stdout.write(request.input.kind === 'chat' ? '\n' : `${printable(done.answer)}\n`)
    for (const line of summarise(done)) console.error(line)
    if (json) console.log(JSON.stringify({ ok: done.verified, ...done }))
    else say()
    return done.verified ? 0 : 1
  },
}

/** @throws UsageError, FileUnusableError, UnknownModelError */
export async function readRequest(
  { values, positionals }: Pick<Invocation, 'values' | 'positionals'>,
  { client }: OpenedClient,
): Promise<InferRequest> {
  const name = textOf(values, 'model') ?? (await defaultModel(client, values))
  const model = await client.model(name)
  const maxPrice = textOf(values, 'max-price')
  if (maxPrice !== undefined && !/^\d{1,38}$/.test(maxPrice)) throw new UsageError('--max-price must be a whole number.', usage)
  const worker = textOf(values, 'worker')
  return {
    model: name,
    input: readInput(values, positionals, model),
    levels: { privacy: pick(values, 'privacy', privacies), verification: pick(values, 'verification', verifications) },
    streamMode: pick(values, 'stream', streamModes),
    ...(maxPrice === undefined ? {} : { maxPrice: BigInt(maxPrice) }),
    ...(worker === undefined ? {} : { worker: parseWorker(worker) }),
  }
}

const privacies: readonly Privacy[] = ['sealed', 'attested', 'encrypted']
const verifications: readonly Verification[] = ['signed', 'audited', 'replayed', 'proved']
const streamModes: readonly StreamMode[] = ['paced', 'immediate']

function pick<T extends string>(values: Values, name: string, allowed: readonly T[]): T {
  const text = textOf(values, name) ?? allowed[0]
  const found = allowed.find((item) => item === text)
  if (found === undefined) throw new UsageError(`--${name} is one of ${allowed.join(', ')}.`, usage)
  return found
}

function readInput(values: Values, positionals: readonly string[], model: Awaited<ReturnType<OpenedClient['client']['model']>>): JobInput {
  const digit = textOf(values, 'digit')
  if (digit !== undefined) return tensorInput(model, loadDigit(integerOf(values, 'digit', { fallback: 0, min: 0, max: 359, usage })).pixels)
  const file = textOf(values, 'input')
  if (file !== undefined) {
    const parsed = readJson(file)
    return Array.isArray(parsed) ? tensorInput(model, parsed.map(Number)) : (parsed as JobInput) // the worker checks it and refuses what it cannot use
  }
  const prompt = positionals.join(' ')
  if (prompt === '') throw new UsageError('There is nothing to ask: give a prompt, --digit or --input.', usage)
  const temperature = Number(textOf(values, 'temperature') ?? chatDefaults.temperatureMilli / 1000)
  if (!(temperature >= 0 && temperature <= 2)) throw new UsageError('--temperature goes from 0 to 2.', usage)
  return chatInput([{ role: 'user', content: prompt }], {
    maxTokens: integerOf(values, 'max-tokens', { fallback: chatDefaults.maxTokens, min: 1, max: 1 << 20, usage }),
    temperatureMilli: Math.round(temperature * 1000),
    seed: integerOf(values, 'seed', { fallback: chatDefaults.seed, min: 0, max: 2 ** 32 - 1, usage }),
  })
}

async function defaultModel(client: OpenedClient['client'], values: Values): Promise<string> {
  const kind = values['digit'] === undefined && values['input'] === undefined ? 'language' : 'tensor'
  const found = (await client.models()).find(({ card }) => card?.kind === kind)
  if (found?.card === undefined || found.card === null)
    throw new UsageError(`No ${kind} model is published here; name one with --model.`, usage)
  return found.card.name
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new FileUnusableError(path, 'cannot be read as JSON', { cause })
  }
}

function parseWorker(text: string): NonNullable<InferRequest['worker']> {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new UsageError('--worker is an address: 0x and 40 hex digits.', usage)
  return text.toLowerCase() as NonNullable<InferRequest['worker']> // the form was just checked
}
