import { type Command, type Invocation, integerOf } from '../command.ts'
import { fundFromFaucet } from '../faucet.ts'
import { openClient } from '../open-client.ts'
import { openGateway } from '../open-gateway.ts'
import { performRequest, type PerformedRequest, summarise } from '../perform.ts'
import { chatDefaults, chatInput, drawDigit, loadDigit, tensorInput } from '../request-input.ts'
import { type RunningNetwork, runNetwork } from '../running-network.ts'
import { faucetOf, waitForEnd, whatRunsWhere } from './up.ts'

const usage = 'tacit start [--once] [--json] [--workers N]'
const demoDigit = 7

/** A local network and two bought inferences: the shortest way to see everything work. */
export const start: Command = {
  name: 'start',
  summary: 'Starts a local network and buys two inferences: a handwritten digit is classified, a language model says a few words.',
  usage,
  options: {
    once: { type: 'boolean', help: 'stop after the inferences' },
    workers: { type: 'string', value: 'N', help: 'how many workers (default 2)' },
  },
  async run(invocation) {
    const { values, say, json, signal } = invocation
    const workers = integerOf(values, 'workers', { fallback: 2, min: 1, max: 16, usage })
    say('Starting a local network: chain, contracts, relay, dispatcher, workers ...')
    await using running = await runNetwork(invocation, { workers })
    say(`Network up after ${(running.readyMs / 1000).toFixed(1)} s.\n`)
    const requests = await buyInferences(invocation, running)
    const totalMs = sinceStart()
    const ok = requests.every((request) => request.verified)
    say(
      `\n${requests.length} inferences bought and ${ok ? 'verified' : 'NOT all verified'}, ${(totalMs / 1000).toFixed(1)} s after the start.`,
    )
    if (values['once'] === true) {
      if (json) console.log(JSON.stringify({ ok, readyMs: running.readyMs, totalMs, requests }))
      return ok ? 0 : 1
    }
    await using gateway = await openGateway(invocation, {
      network: running.network.description,
      faucet: faucetOf(running.network),
      port: undefined,
    })
    for (const line of whatRunsWhere(running.network, invocation.dataDir, gateway.url)) say(line)
    if (json) console.log(JSON.stringify({ ok, readyMs: running.readyMs, totalMs, requests }))
    return await waitForEnd(running.network, say, signal)
  },
}

async function buyInferences(invocation: Invocation, { network }: RunningNetwork): Promise<readonly PerformedRequest[]> {
  const { dataDir, say, json, signal } = invocation
  await using opened = await openClient(dataDir, network.description, { signal })
  await fundFromFaucet(opened, faucetOf(network))
  const requests: PerformedRequest[] = []
  const published = await opened.client.models()
  for (const name of demoModels) {
    const model = published.find(({ card }) => card?.name === name)
    if (model?.card === undefined || model.card === null) continue
    if (model.card.kind === 'tensor') {
      const digit = loadDigit(demoDigit)
      say(`A handwritten digit (a ${digit.label}, one that the model was not trained on), sealed so that only the worker can read it:\n`)
      for (const line of drawDigit(digit.pixels)) say(`    ${line}`)
      const done = await performRequest(opened, { model: model.card.name, input: tensorInput(model, digit.pixels) }, { say, signal })
      say(`\n  ${model.card.name} says: ${done.answer}`)
      for (const line of summarise(done)) say(line)
      requests.push(done)
    } else {
      say(`\nA few words from ${model.card.name}:`)
      const write = json ? undefined : (text: string): void => void process.stdout.write(text.replaceAll('\n', '\n  '))
      const input = chatInput([{ role: 'user', content: 'Tell me a tale.' }], { ...chatDefaults, maxTokens: 96 })
      const done = await performRequest(
        opened,
        { model: model.card.name, input },
        { say, signal, ...(write === undefined ? {} : { stream: write }) },
      )
      say()
      for (const line of summarise(done)) say(line)
      requests.push(done)
    }
  }
  return requests
}

const demoModels: readonly string[] = ['digits', 'babble']

/** Milliseconds since `npm start`, installing not counted. */
function sinceStart(): number {
  const startedAt = Number(process.env['TACIT_STARTED_AT'] ?? performance.timeOrigin)
  return Math.round(Date.now() - startedAt)
}
