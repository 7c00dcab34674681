import { basename, extname, join } from 'node:path'
import { loadZoo } from '@tacit/node/node'
import { openModelStore } from '@tacit/runtime/node'
import { type Command, type Invocation, textOf } from '../command.ts'
import { UsageError } from '../errors.ts'
import { formatTokens, table } from '../format.ts'
import { findNetwork } from '../network-file.ts'
import { openClient } from '../open-client.ts'

const usage = 'tacit models [list | add FILE [--name NAME] | remove NAME]'

export const models: Command = {
  name: 'models',
  summary: 'Lists the models of the network and your own, or adds a file of yours.',
  usage,
  details: [
    '`add` takes a .gguf or .onnx file, looks inside, and pins the digest that is checked whenever it is opened.',
    'The workers of a local network serve what was added at their next start.',
  ],
  options: { name: { type: 'string', value: 'NAME', help: 'how to call it (default: the name of the file)' } },
  async run(invocation) {
    const [action = 'list', file] = invocation.positionals
    if (action === 'list') return list(invocation)
    if (action === 'add' && file !== undefined) return add(invocation, file)
    if (action === 'remove' && file !== undefined) return remove(invocation, file)
    throw new UsageError(`There is no "models ${invocation.positionals.join(' ')}".`, usage)
  },
}

async function add({ dataDir, values, say, json }: Invocation, file: string): Promise<number> {
  const store = await openModelStore(join(dataDir, 'models'))
  const name = textOf(values, 'name')
  if (loadZoo().some(({ card }) => card.name === (name ?? basename(file, extname(file)))))
    throw new UsageError('A model of the zoo has that name; choose another with --name.', usage)
  const added = await store.add(file, name === undefined ? {} : { name })
  say(`Added ${added.name}: ${added.kind}, ${added.sizeBytes} bytes, ${added.digest}`)
  say('Workers serve it after the next `tacit up`; `tacit worker start --publish NAME` serves it on a joined network.')
  if (json) console.log(JSON.stringify({ ok: true, model: added }))
  return 0
}

async function remove({ dataDir, say, json }: Invocation, name: string): Promise<number> {
  await (await openModelStore(join(dataDir, 'models'))).remove(name)
  say(`Removed ${name} from this directory. Where it was published it stays published.`)
  if (json) console.log(JSON.stringify({ ok: true, removed: name }))
  return 0
}

async function list({ dataDir, say, json, signal }: Invocation): Promise<number> {
  const running = findNetwork(dataDir)
  const own = await (await openModelStore(join(dataDir, 'models'))).list()
  const published = running === undefined ? [] : await fetchPublished(dataDir, running.network, signal)
  if (running === undefined) say('No network is running here; these are your own files.')
  for (const line of table(
    published.map(({ card, id, stepPriceWei }) => [
      card?.name ?? id,
      card?.kind ?? '?',
      `${formatTokens(stepPriceWei)} a step`,
      card?.description ?? 'no card',
    ]),
  ))
    say(line)
  for (const line of table(own.map((model) => [model.name, model.kind, `${model.sizeBytes} bytes`, model.digest]))) say(`own: ${line}`)
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        published: published.map(({ stepPriceWei, ...rest }) => ({ ...rest, stepPriceWei: stepPriceWei.toString() })),
        own,
      }),
    )
  return 0
}

async function fetchPublished(dataDir: string, network: Parameters<typeof openClient>[1], signal: AbortSignal) {
  await using opened = await openClient(dataDir, network, { signal })
  return await opened.client.models({ signal })
}
